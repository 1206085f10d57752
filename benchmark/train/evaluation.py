"""What a method knows after an epoch: its predictions on the test split, its opinion of every training label."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from benchmark.train.augment import plain_images
from benchmark.train.device import in_turn, place_pixels
from benchmark.train.trainer import Trainer
from methods.base import Batch, Method, Run
from methods.support.recipe import Recipe

EVALUATION_BATCH = 250


class Predictor(Protocol):
    """What predictions are asked of: a job's trainer, or a network that was kept."""

    @property
    def method(self) -> Method: ...
    @property
    def recipe(self) -> Recipe: ...
    @property
    def run(self) -> Run: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def channels(self) -> int: ...


@torch.inference_mode()
def evaluate_epoch(trainer: Trainer) -> None:
    """Accuracy on the whole test split (and on the held-out noisy labels), without test-time augmentation."""
    predicted, confidence = predict_classes(trainer, trainer.test_images)
    accuracy = float((predicted == torch.from_numpy(trainer.data.test_labels)).double().mean())
    trainer.state.note({"test_accuracy": accuracy})
    trainer.state.predictions.append(predicted.to(torch.uint8))
    trainer.state.confidence = confidence
    if len(trainer.data.held_labels):
        held_predictions, _ = predict_classes(trainer, trainer.held_images)
        agreement = float((held_predictions == torch.from_numpy(trainer.data.held_labels)).double().mean())
        trainer.state.note({"noisy_validation": agreement})


@torch.inference_mode()
def held_out_accuracy(trainer: Trainer) -> float | None:
    """Accuracy on the noisy labels of images that were neither trained on nor tested; None where there are none."""
    labels = trainer.data.unused_labels
    if not len(labels):
        return None
    predicted, _ = predict_classes(trainer, place_pixels(trainer.data.unused_images, trainer.device))
    return float((predicted == torch.from_numpy(labels)).double().mean())


def predict_classes(trainer: Predictor, images: Tensor) -> tuple[Tensor, Tensor]:
    """The predicted class and its softmax for each image, on the CPU."""
    best_classes = predict_probabilities(trainer, images).max(1)
    return best_classes.indices.cpu(), best_classes.values.cpu()


def predict_probabilities(trainer: Predictor, images: Tensor) -> Tensor:
    """The softmax of the logits, [n, C], on the device; images: stored ones, uint8 [n, S, S, channels]."""
    trainer.method.eval()
    image_parts = in_turn(images, EVALUATION_BATCH, trainer.device)
    return torch.cat([trainer.method.logits(plain_batch(trainer, pixels)).float().softmax(1) for pixels in image_parts])


def plain_batch(trainer: Predictor, images: np.ndarray | Tensor) -> Tensor:
    """Stored images as the test images are seen."""
    pixels = torch.as_tensor(images).to(trainer.device)
    batch_images = plain_images(pixels, trainer.recipe.augment, trainer.run.image_size, trainer.channels)
    return batch_images.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def collect_opinions(trainer: Trainer) -> tuple[np.ndarray, np.ndarray]:
    """The method's label distribution and wrongness score of every un-augmented training image."""
    trainer.method.eval()
    opinions = []
    row_parts = torch.arange(len(trainer.given), device=trainer.device).split(EVALUATION_BATCH)
    if trainer.method.opinion_needs_images():
        image_parts = in_turn(trainer.images, EVALUATION_BATCH, trainer.device)
        images = (plain_batch(trainer, pixels) for pixels in image_parts)
    else:
        images = (torch.empty(len(rows), 0, device=trainer.device) for rows in row_parts)
    for rows, batch_images in zip(row_parts, images, strict=True):
        opinions.append(trainer.method.opinion(Batch(images=batch_images, labels=trainer.given[rows], index=rows)))
    distribution, error_scores = (torch.cat(outputs).float().cpu().numpy() for outputs in zip(*opinions))
    return distribution, error_scores
