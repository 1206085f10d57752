"""One job, from labels to record: one loop for every method.

Every random number comes from a stream derived from the job (`results.job.stream_seed`) and the epoch, so a run that was
interrupted after an epoch goes on with the same bits.
"""

import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.task import Place
from benchmark.train import record
from benchmark.train.augment import Augmented, augment_images, plain_images
from benchmark.train.checkpoint import resume_training, save_checkpoint
from benchmark.train.device import exact_arithmetic, iterate_batches
from benchmark.train.evaluation import EVALUATION_BATCH, collect_opinions, evaluate_epoch, held_out_accuracy
from benchmark.train.graph import StepRunner
from benchmark.train.kept_network import check_state
from benchmark.train.mechanism import compare_with_clean_labels
from benchmark.train.trainer import Clock, Trainer, prepare_trainer
from methods.base import Batch
from results.job import Job, stream_seed

KINDS = {"plain": False, "augmented": True}  # of a survey: whether its images are altered


class Diverged(ArithmeticError):
    """The loss is not a number."""


def train_job(job: Job, resolved: dict[str, Any], place: Place, clock: Clock | None = None) -> tuple[dict, dict]:
    """Train one job to the end, from its checkpoint if it has one; returns its record and its arrays."""
    return measure_run(train_to_end(job, resolved, place, clock), resolved)


def train_to_end(job: Job, resolved: dict[str, Any], place: Place, clock: Clock | None = None) -> Trainer:
    """Train one job to the end, from its checkpoint if it has one."""
    exact_arithmetic(place.fast)
    trainer = prepare_trainer(job, resolved, place, clock or Clock())
    if place.keep_weights:
        check_state(trainer.method)
    if not resume_training(trainer):
        trainer = prepare_trainer(job, resolved, place, clock or Clock())
    saved_at = time.monotonic()
    for epoch in range(trainer.state.epoch + 1, trainer.recipe.epochs + 1):
        train_epoch(trainer, epoch)
        with trainer.clock.part("evaluation"):
            evaluate_epoch(trainer)
        trainer.state.end_epoch(epoch)
        if epoch < trainer.recipe.epochs and time.monotonic() - saved_at >= place.checkpoint_seconds:
            save_checkpoint(trainer)
            saved_at = time.monotonic()
    return trainer


def measure_run(trainer: Trainer, resolved: dict[str, Any]) -> tuple[dict, dict]:
    """The record and the arrays of a run that has come to its end."""
    with trainer.clock.part("evaluation"):
        distribution, error_scores = collect_opinions(trainer)
        held_out = held_out_accuracy(trainer)
    run_arrays = record.make_arrays(trainer, distribution, error_scores)
    return record.make_record(trainer, resolved, error_scores, held_out), run_arrays


def train_epoch(trainer: Trainer, epoch: int) -> None:
    """One pass in the method's order; nothing in it waits for the device."""
    job = trainer.job
    method = trainer.method
    recipe = trainer.recipe
    streams = (trainer.job.data["name"], job.seed, epoch)
    order = method.order(epoch, torch.Generator().manual_seed(stream_seed("order", *streams)))
    trainer.generator.manual_seed(stream_seed("augment", *streams))
    torch.manual_seed(stream_seed("layers", *streams))
    method.train()
    step_count = trainer.run.steps_per_epoch
    step_runner = trainer.steps or StepRunner(trainer, take_step)
    trainer.steps = step_runner
    step_runner.begin(epoch)
    order = order[: step_count * recipe.batch_size]
    batches = iterate_batches(trainer.images, order, recipe.batch_size, trainer.device)
    for step_number, (index, pixels) in enumerate(batches):
        if len(index) == 1:  # batch statistics of one image do not exist
            continue
        steps_taken = (epoch - 1) * step_count + step_number
        set_rates(trainer.optimiser, recipe.schedule.at(steps_taken, step_count, recipe.epochs))
        step_runner.take(index, pixels)
    step_runner.end()
    survey_images(trainer, epoch)
    curves = method.after_epoch(epoch)
    if not isinstance(curves, dict):
        fix_hint = "return a dictionary of numbers by name, {} for none"
        raise ValueError(f"{method.name}: after_epoch returns {type(curves).__name__}; {fix_hint}")
    curves = curves | compare_with_clean_labels(trainer)
    check_optimised(trainer)
    finish_epoch(trainer, step_runner.sums, step_count, curves)


def take_step(
    trainer: Trainer,
    sums: dict[str, Tensor],
    epoch: int,
    index: Tensor,
    pixels: Tensor | None = None,
    kind: type[Batch] = Batch,
) -> None:
    """One step on the rows `index`, from stored pixels to the epoch's sums; the same with a CUDA graph and without."""
    method = trainer.method
    clock = trainer.clock
    with clock.part("data"):
        batch = make_batch(trainer, index, epoch, trainer.generator, pixels=pixels, kind=kind)
    with clock.part("forward"):
        losses, logits = method.loss(batch)
        total_loss = sum(losses.values())
    with clock.part("backward"):
        trainer.optimiser.zero_grad(set_to_none=True)
        total_loss.backward()
    with clock.part("optimiser"):
        method.after_backward(batch)
        trainer.optimiser.step()
        method.after_step(batch)
    with clock.part("forward"):
        add_to_sums(sums, losses, logits.detach(), trainer, index)
        note_margin(trainer, logits.detach(), index)


def set_rates(optimiser: torch.optim.Optimizer, factor: float) -> None:
    """The rate of each group: on a card in its place there, which a captured step reads."""
    for group in optimiser.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(group["base"] * factor)
        else:
            group["lr"] = group["base"] * factor


@torch.no_grad()
def survey_images(trainer: Trainer, epoch: int) -> None:
    """Show the method every training image once, where it asks for that; from a random stream of its own."""
    method = trainer.method
    kind = trainer.method.survey_after(epoch)
    if kind is None:
        return
    with trainer.clock.part("survey"):
        seed = stream_seed("survey", trainer.job.data["name"], trainer.job.seed, epoch)
        generator = torch.Generator(trainer.device).manual_seed(seed)
        method.eval()
        order = torch.arange(len(trainer.given))
        for index, pixels in iterate_batches(trainer.images, order, EVALUATION_BATCH, trainer.device):
            method.survey_batch(make_batch(trainer, index, epoch, generator, KINDS[kind], pixels))
        method.train()


def make_batch(
    trainer: Trainer,
    index: Tensor,
    epoch: int,
    generator: torch.Generator,
    altered: bool = True,
    pixels: Tensor | None = None,
    kind: type[Batch] = Batch,
) -> Batch:
    """The training images `index`; altered: as the recipe says, else as the test images are seen.

    pixels: theirs, where the stored ones do not lie on the device.
    """
    points = None if trainer.landmarks is None else trainer.landmarks[index]
    side = trainer.run.image_size
    pixels = trainer.images[index] if pixels is None else pixels
    if altered:
        view = augment_images(pixels, trainer.recipe.augment, side, generator, points, trainer.channels)
    else:
        not_flipped = torch.zeros(len(index), dtype=torch.bool, device=trainer.device)
        images = plain_images(pixels, trainer.recipe.augment, side, trainer.channels)
        view = Augmented(images, not_flipped, None if points is None else points * side)
    return kind(
        images=view.images.contiguous(memory_format=torch.channels_last),
        labels=trainer.method.labels[index],
        index=index,
        epoch=epoch,
        generator=generator,
        landmarks=view.landmarks,
        usable=None if trainer.usable is None else trainer.usable[index],
        flipped=view.flipped,
        second=None if view.second is None else view.second.contiguous(memory_format=torch.channels_last),
    )


def add_to_sums(
    sums: dict[str, Tensor], losses: dict[str, Tensor], logits: Tensor, trainer: Trainer, index: Tensor
) -> None:
    """Add a step to the epoch's sums, in their places on the device: losses, and what became of the wrong labels."""
    predicted = logits.argmax(1)
    given_labels = trainer.given[index]
    clean_labels = trainer.clean[index]
    is_wrong = given_labels != clean_labels
    values = {f"loss {name}": value.detach().float() for name, value in losses.items()}
    values["wrong"] = is_wrong.sum()
    values["recovered"] = (is_wrong & (predicted == clean_labels)).sum()
    values["memorised"] = (is_wrong & (predicted == given_labels)).sum()
    for name, value in values.items():
        if name in sums:
            sums[name] += value
        else:
            sums[name] = value.clone()


def note_margin(trainer: Trainer, logits: Tensor, index: Tensor) -> None:
    """Add a step to the given labels' margins: their logit less the largest other one (Pleiss et al., NeurIPS 2020)."""
    given_labels = trainer.given[index][:, None]
    logits = logits.float()
    margin = logits.gather(1, given_labels) - logits.scatter(1, given_labels, -torch.inf).amax(1, keepdim=True)
    trainer.state.margin.index_add_(0, index, torch.cat([margin, torch.ones_like(margin)], 1))


def check_optimised(trainer: Trainer) -> None:
    """Raises ValueError for parameters that would learn and that the optimiser, made before the first epoch, does not have."""
    optimised = {id(p) for group in trainer.optimiser.param_groups for p in group["params"]}
    lost_names = [name for name, p in trainer.method.named_parameters() if p.requires_grad and id(p) not in optimised]
    if lost_names:
        raise ValueError(
            f"{trainer.method.name}: {', '.join(lost_names[:3])} would never learn: the optimiser has the parameters that were "
            "made in build and begin; to start a layer anew, change it in place (reset_parameters())"
        )


def finish_epoch(trainer: Trainer, sums: dict[str, Tensor], step_count: int, further_values: dict[str, Any]) -> None:
    """Write the epoch into the history; the only place where training waits for the device."""
    values = {name: float(value) for name, value in sums.items()}
    wrong_count = max(1.0, values.pop("wrong", 0.0))
    epoch_values = {
        name: value / (wrong_count if name in ("recovered", "memorised") else step_count)
        for name, value in values.items()
    }
    for name, value in further_values.items():
        if name in {*epoch_values, "test_accuracy", "noisy_validation"}:
            raise ValueError(
                f"{trainer.method.name}: after_epoch returns {name!r}, a name of the engine's; choose another"
            )
        try:
            epoch_values[name] = float(value)
        except (TypeError, ValueError, RuntimeError):
            value_text = f"{value!r:.40}"
            raise ValueError(
                f"{trainer.method.name}: after_epoch: {name!r} is {value_text}, expected a number"
            ) from None
    bad_names = [name for name, value in epoch_values.items() if not np.isfinite(value)]
    if bad_names:
        value_text = f"{bad_names[0]} is {epoch_values[bad_names[0]]}"
        raise Diverged(
            f"epoch {trainer.state.epoch + 1}: {value_text}; lower the rate or the loss weight, and take no mean of nothing"
        )
    trainer.state.note(epoch_values)
