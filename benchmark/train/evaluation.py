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
        held, _ = predict_classes(trainer, trainer.held_images)
        agreement = float((held == torch.from_numpy(trainer.data.held_labels)).double().mean())
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
    found = predict_probabilities(trainer, images).max(1)
    return found.indices.cpu(), found.values.cpu()


def predict_probabilities(trainer: Predictor, images: Tensor) -> Tensor:
    """The softmax of the logits, [n, C], on the device; images: stored ones, uint8 [n, S, S, channels]."""
    trainer.method.eval()
    parts = in_turn(images, EVALUATION_BATCH, trainer.device)
    return torch.cat([trainer.method.logits(plain_batch(trainer, pixels)).float().softmax(1) for pixels in parts])


def plain_batch(trainer: Predictor, images: np.ndarray | Tensor) -> Tensor:
    """Stored images as the test images are seen."""
    pixels = torch.as_tensor(images).to(trainer.device)
    seen = plain_images(pixels, trainer.recipe.augment, trainer.run.image_size, trainer.channels)
    return seen.contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def collect_opinions(trainer: Trainer) -> tuple[np.ndarray, np.ndarray]:
    """The method's label distribution and wrongness score of every un-augmented training image."""
    trainer.method.eval()
    found, every = [], torch.arange(len(trainer.given), device=trainer.device).split(EVALUATION_BATCH)
    if trainer.method.opinion_needs_images():
        images = (plain_batch(trainer, part) for part in in_turn(trainer.images, EVALUATION_BATCH, trainer.device))
    else:
        images = (torch.empty(len(rows), 0, device=trainer.device) for rows in every)
    for rows, seen in zip(every, images, strict=True):
        found.append(trainer.method.opinion(Batch(images=seen, labels=trainer.given[rows], index=rows)))
    distribution, wrongness = (torch.cat(part).float().cpu().numpy() for part in zip(*found))
    return distribution, wrongness
