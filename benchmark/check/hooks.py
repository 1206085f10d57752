"""What is asked of the hooks that few methods use: the survey between epochs, and the gradients before a step."""

import torch
from torch import Tensor

from benchmark.check.contract import Skipped, require
from benchmark.train import loop
from benchmark.train.trainer import Trainer
from methods.base import Batch, Method


def copy_weights(method: Method) -> list[Tensor]:
    return [p.detach().clone() for p in method.parameters()]


def has_changed(method: Method, before: list[Tensor]) -> bool:
    return any(not torch.equal(p, old) for p, old in zip(method.parameters(), before, strict=True))


def check_survey(made: Trainer) -> None:
    """One epoch: each row is shown once, between the last step and `after_epoch`, and nothing learns from it."""
    method, rows, heard = made.method, [], []
    kind = method.survey_after(1)
    if kind is None:
        raise Skipped("none asked after the first epoch")
    require(kind in loop.KINDS, f"survey is {kind!r}; expected one of {', '.join(map(repr, loop.KINDS))}, or None")
    implemented = type(method).survey_batch is not Method.survey_batch
    require(implemented, "a survey is asked for and survey_batch does nothing; write survey_batch(self, batch)")
    look, end = method.survey_batch, method.after_epoch

    def watched(batch: Batch) -> None:
        rows.append(batch.index)
        heard.append((method.training, torch.is_grad_enabled()))
        before = copy_weights(method)
        look(batch)
        require(not has_changed(method, before), "survey_batch changes weights that are learned; only look")
        require(not method.training, "survey_batch leaves the method in training mode; leave the mode alone")

    def ended(epoch: int) -> dict[str, Tensor]:
        seen = torch.cat(rows).sort().values if rows else torch.empty(0)
        require(torch.equal(seen, torch.arange(made.run.images)), "the survey does not show every row once")
        return end(epoch)

    method.survey_batch, method.after_epoch = watched, ended
    loop.train_epoch(made, 1)
    require(heard and set(heard) == {(False, False)}, "the survey is not in evaluation mode without gradients")


def after_backward(made: Trainer) -> None:
    """One epoch: the hook comes once a step, with gradients, before the weights move, and leaves finite gradients."""
    method, calls, before = made.method, [], []
    look, lose = method.after_backward, method.loss

    def losing(batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        before[:] = copy_weights(method)
        return lose(batch)

    def watched(batch: Batch) -> None:
        require(not has_changed(method, before), "after_backward is called after the step")
        require(any(p.grad is not None for p in method.parameters()), "after_backward is called before the gradients")
        look(batch)
        require(
            not has_changed(method, before), "after_backward moves weights; change their gradients, the optimiser steps"
        )
        bad = [n for n, p in method.named_parameters() if p.grad is not None and not torch.isfinite(p.grad).all()]
        require(not bad, f"after_backward leaves a gradient of {', '.join(bad[:3])} that is not finite")
        calls.append(batch)

    method.loss, method.after_backward = losing, watched
    loop.train_epoch(made, 1)
    require(len(calls) == made.run.steps_per_epoch, "after_backward is not called once a step")
