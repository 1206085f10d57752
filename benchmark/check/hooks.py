"""What is asked of the hooks that few methods use: the survey between epochs, and the gradients before a step."""

import torch
from torch import Tensor

from benchmark.check.contract import Skipped, require
from benchmark.train import loop
from benchmark.train.trainer import Trainer
from methods.base import Batch, Method


def copy_weights(method: Method) -> list[Tensor]:
    return [p.detach().clone() for p in method.parameters()]


def has_changed(method: Method, weights_before: list[Tensor]) -> bool:
    return not all(map(torch.equal, method.parameters(), weights_before))


def check_survey(trainer: Trainer) -> None:
    """One epoch: each row is shown once, between the last step and `after_epoch`, and nothing learns from it."""
    method = trainer.method
    surveyed_rows = []
    survey_modes = []
    survey_kind = method.survey_after(1)
    if survey_kind is None:
        raise Skipped("none asked after the first epoch")
    expected = ", ".join(map(repr, loop.KINDS))
    require(survey_kind in loop.KINDS, f"survey is {survey_kind!r}; expected one of {expected}, or None")
    implemented = type(method).survey_batch is not Method.survey_batch
    require(implemented, "a survey is asked for and survey_batch does nothing; write survey_batch(self, batch)")
    survey_batch = method.survey_batch
    end_epoch = method.after_epoch

    def watch_batch(batch: Batch) -> None:
        surveyed_rows.append(batch.index)
        survey_modes.append((method.training, torch.is_grad_enabled()))
        weights_before = copy_weights(method)
        survey_batch(batch)
        require(not has_changed(method, weights_before), "survey_batch changes weights that are learned; only look")
        require(not method.training, "survey_batch leaves the method in training mode; leave the mode alone")

    def watch_end(epoch: int) -> dict[str, Tensor]:
        sorted_rows = torch.cat(surveyed_rows).sort().values if surveyed_rows else torch.empty(0)
        require(torch.equal(sorted_rows, torch.arange(trainer.run.images)), "the survey does not show every row once")
        return end_epoch(epoch)

    method.survey_batch = watch_batch
    method.after_epoch = watch_end
    loop.train_epoch(trainer, 1)
    require(set(survey_modes) == {(False, False)}, "the survey is not in evaluation mode without gradients")


def after_backward(trainer: Trainer) -> None:
    """One epoch: the hook comes once a step, with gradients, before the weights move, and leaves finite gradients."""
    method = trainer.method
    hook_calls = []
    weights_before = []
    real_hook = method.after_backward
    real_loss = method.loss

    def watch_loss(batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        weights_before[:] = copy_weights(method)
        return real_loss(batch)

    def watch_batch(batch: Batch) -> None:
        require(not has_changed(method, weights_before), "after_backward is called after the step")
        require(any(p.grad is not None for p in method.parameters()), "after_backward is called before the gradients")
        real_hook(batch)
        fix_hint = "change their gradients, the optimiser steps"
        require(not has_changed(method, weights_before), f"after_backward moves weights; {fix_hint}")
        bad_names = [n for n, p in method.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
        require(not bad_names, f"after_backward leaves a gradient of {', '.join(bad_names[:3])} that is not finite")
        hook_calls.append(batch)

    method.loss = watch_loss
    method.after_backward = watch_batch
    loop.train_epoch(trainer, 1)
    require(len(hook_calls) == trainer.run.steps_per_epoch, "after_backward is not called once a step")
