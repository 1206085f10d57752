"""What is asked of a method's parameters: whether another value of each changes anything that a run makes."""

import dataclasses
from collections.abc import Iterator
from contextlib import suppress
from itertools import tee
from typing import Any, Literal, get_args, get_origin, get_type_hints

import torch
from torch import Tensor

from benchmark.check.contract import Skipped
from benchmark.check.rehearsal import comparable_state, prepare_rehearsal
from benchmark.train import loop
from benchmark.train.evaluation import collect_opinions, evaluate_epoch
from benchmark.train.trainer import Trainer
from methods.base import Method

LONG = 6  # epochs, because some parameters act late
MOST = 3  # values of a parameter that are tried

Outcome = dict[str, Any]  # what there is after an epoch, by name


def check_parameters_act(cls: type[Method]) -> None:
    """Names the parameters of which no other value changes what a short run makes."""
    names = [field.name for field in dataclasses.fields(cls.Parameters)]
    if not names:
        return
    usual_run = prepare_rehearsal(cls, epochs=LONG)
    usual_outcomes = train_and_look(usual_run)
    idle_names = []
    for name in names:
        usual_outcomes, compared_outcomes = tee(usual_outcomes)  # trained as far as one of them needs
        if is_idle(cls, name, getattr(usual_run.method.settings, name), compared_outcomes):
            idle_names.append(name)
    if idle_names:
        what = f"another value of {', '.join(idle_names)} changes no bit in {LONG} epochs on random images"
        fix_hint = (
            "does the method read it? If not, --set and --sweep change nothing; if it acts later or seldom, all is well"
        )
        raise Skipped(f"{what}; {fix_hint}")


def is_idle(cls: type[Method], name: str, value: Any, usual_outcomes: Iterator[Outcome]) -> bool:
    """Whether every other value of a parameter that the method takes gives the usual run, and it takes one."""
    taken_count = 0
    for other_value in other_values(cls, name, value):
        usual_outcomes, compared_outcomes = tee(usual_outcomes)
        try:
            trainer = prepare_rehearsal(cls, epochs=LONG, settings={name: other_value})
        except Exception:  # refused, in whatever way
            continue
        taken_count += 1
        try:
            if not all(map(is_same, train_and_look(trainer), compared_outcomes)):
                return False
        except Exception:  # it acts: the usual run came to its end
            return False
        if taken_count == MOST:
            break
    return taken_count > 0


def other_values(cls: type[Method], name: str, value: Any) -> Iterator[Any]:
    """Values to try in place of a parameter's own; none where it is neither a number nor one of a few values."""
    candidates: list[Any] = []
    if name in cls.search:
        candidates += [cls.search[name].value(share) for share in (0.05, 0.95)]
    if isinstance(value, bool):
        candidates += [not value]
    elif isinstance(value, int):
        candidates += [2 * value + 1, value // 2, value + 1, value - 1, 0]
    elif isinstance(value, float):
        candidates += [value / 2, 2 * value, 0.5, 0.0, 1.0]
    with suppress(NameError):  # of an annotation in quotes
        declared_type = get_type_hints(cls.Parameters).get(name)
        candidates += get_args(declared_type) if get_origin(declared_type) is Literal else ()
    return (candidate for candidate in dict.fromkeys(candidates) if candidate != value)


def train_and_look(trainer: Trainer) -> Iterator[Outcome]:
    """After each epoch, all of which a record is written: weights, curves, predictions, opinions."""
    for epoch in range(1, trainer.recipe.epochs + 1):
        loop.train_epoch(trainer, epoch)
        evaluate_epoch(trainer)
        trainer.state.end_epoch(epoch)
        distribution, error_scores = collect_opinions(trainer)
        yield {
            **{name: tensor.clone() for name, tensor in comparable_state(trainer.method).items()},
            "confidence of predictions": trainer.state.confidence,
            "distribution of opinions": torch.as_tensor(distribution),
            "scores of opinions": torch.as_tensor(error_scores),
            "curves": {name: list(values) for name, values in trainer.state.history.items()},
            "recipe": trainer.recipe,
        }


def is_same(first_outcome: Outcome, second_outcome: Outcome) -> bool:
    """Whether two runs are the same, bit for bit."""
    if first_outcome.keys() != second_outcome.keys():
        return False
    pairs = [(value, second_outcome[name]) for name, value in first_outcome.items()]
    return all(torch.equal(a, b) if isinstance(a, Tensor) else bool(a == b) for a, b in pairs)
