"""What `python -m benchmark check` asks of a method: trained for a few short epochs by the engine itself, on 37 random images."""

import dataclasses
import inspect
import io
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark import plugins
from benchmark.check import hooks
from benchmark.check.contract import Check, Skipped, Wrong, check_name, global_generators, of_class, require
from benchmark.check.rehearsal import (
    BATCH,
    EPOCHS,
    IMAGES,
    TEST,
    first_three,
    name_differences,
    prepare_rehearsal,
    rehearse_step,
    train_to_last_epoch,
)
from benchmark.plan.catalogue import method_info
from benchmark.train import loop
from benchmark.train.checkpoint import collect_state, restore_state
from benchmark.train.evaluation import collect_opinions, evaluate_epoch, plain_batch
from benchmark.train.graph import StepRunner
from benchmark.train.trainer import Trainer
from methods.base import Batch, Curve, Method
from methods.support.backbones import BACKBONES, GIVES
from methods.support.recipe import Recipe, list_kinds, recipe_from_dict

LONG = 6  # epochs of the run that is interrupted after each of them
NOTHING_LEARNED = "no gradient reaches any parameter, so nothing is learned; is the loss detached, or multiplied by 0?"


def method_checks(cls: type[Method], data: Path | None = None) -> list[Check]:
    """The parts of the contract in `methods/base.py`, in the order in which a mistake shows best."""
    named = {
        "name and title": name_and_title,
        "recipe": check_recipe,
        "parameters: an unknown one is refused": unknown_parameter,
        "logits for 8 classes": lambda cls: check_logits(cls, 8),
        "logits for 7 classes": lambda cls: check_logits(cls, 7),
        "order of an epoch": check_order,
        "loss is finite and reaches the backbone": check_loss,
        "loss leaves the batch as it is": unchanged_batch,
        "random numbers": check_random_numbers,
        "a whole epoch, last batch incomplete": whole_epoch,
        "curves of its mechanism": check_mechanism,
        "a last batch of two images": lambda cls: last_batch(cls, 2),
        "a last batch of one image, which is skipped": lambda cls: last_batch(cls, 1),
        "a batch of one class": one_class,
        "the same seed gives the same bits": check_same_bits,
        "saved and resumed, the same bits": check_resumed,
        "survey of the training set": lambda cls: hooks.check_survey(prepare_rehearsal(cls)),
        "gradients before the step": lambda cls: hooks.after_backward(prepare_rehearsal(cls)),
        "bf16 backbone": check_bf16,
        "opinion of training images": check_opinion,
        "on a pretended GPU": on_a_card,
    }
    return of_class(cls, named)


def name_and_title(cls: type[Method]) -> None:
    check_name(cls.name)
    require(isinstance(getattr(cls, "title", None), str), "no title; give the name that stands in tables")
    taken = plugins.find_methods().get(cls.name)
    same = taken is None or taken.__module__ == cls.__module__
    require(same, f"the name {cls.name!r} belongs to a method of this project; choose another")
    require(isinstance(cls.version, int) and cls.version > 0, f"version is {cls.version!r}; expected 1, 2, ...")


def check_recipe(cls: type[Method]) -> None:
    declared = getattr(cls, "recipe", None)
    require(isinstance(declared, Recipe), "no recipe; write recipe = Recipe(epochs=..., batch_size=..., ...)")
    require(declared.epochs >= 1 and declared.batch_size >= 2, "recipe: epochs must be at least 1, batch_size 2")
    require(
        declared.backbone in BACKBONES or "/" in declared.backbone or known_beside(cls, declared.backbone),
        f"recipe: no backbone {declared.backbone!r}; known: {', '.join(BACKBONES)}",
    )
    require(
        cls.backbone_needs in GIVES, f"backbone_needs is {cls.backbone_needs!r}; expected one of {', '.join(GIVES)}"
    )
    rate = [declared.schedule.at(s, 10, declared.epochs) for s in range(10 * declared.epochs)]
    require(all(math.isfinite(r) and r >= 0 for r in rate), "recipe: the schedule gives a rate that is no number >= 0")
    kept = json.loads(json.dumps(method_info(cls)))
    again = recipe_from_dict(kept["recipe"], list_kinds(declared))
    require(again == declared, "recipe: does not survive JSON; keep its fields to numbers, texts and tuples of them")
    known = sorted(name for name in kept["demo"] if name not in kept["parameters"] and not name.startswith("recipe."))
    require(not known, f"demo names {', '.join(known)}, which is no parameter")


def known_beside(cls: type[Method], backbone: str) -> bool:
    """Whether a file beside a method defines the backbone that its recipe names."""
    return plugins.find_backbone_file(backbone, [Path(inspect.getfile(cls)).parent]) is not None


def unknown_parameter(cls: type[Method]) -> None:
    frozen = dataclasses.is_dataclass(cls.Parameters) and cls.Parameters.__dataclass_params__.frozen
    require(frozen, "Parameters is no frozen dataclass; write @dataclass(frozen=True) above it")
    try:
        cls.Parameters()
    except TypeError as error:
        raise Wrong(f"a parameter has no default ({error}); give every parameter its published value") from None
    try:
        cls.Parameters(no_such_parameter=1)
    except TypeError:
        return
    raise Wrong("an unknown parameter is accepted; let the dataclass make __init__")


def check_logits(cls: type[Method], classes: int) -> None:
    """Of the right shape and type, and of each image by itself."""
    made = prepare_rehearsal(cls, classes)
    made.method.eval()
    with torch.inference_mode():
        images = plain_batch(made, made.data.test_images)
        together, alone = made.method.logits(images), made.method.logits(images[:1])
    expected = (TEST, classes)
    require(tuple(together.shape) == expected, f"logits of shape {tuple(together.shape)}, expected {expected}")
    require(together.dtype == torch.float32, f"logits are {together.dtype}, expected float32")
    require(bool(torch.isfinite(together).all()), "logits are not finite")
    apart = float((together[:1] - alone).abs().max())
    require(apart < 1e-3, f"in evaluation an image's logits change by {apart:.2g} with the images beside it")


def check_order(cls: type[Method]) -> None:
    made = prepare_rehearsal(cls)
    rows = made.method.order(1, torch.Generator().manual_seed(3))
    good = isinstance(rows, Tensor) and rows.dtype == torch.int64 and tuple(rows.shape) == (IMAGES,)
    require(good, f"order gives no int64 tensor of {IMAGES} rows, one epoch of the training set")
    require(bool(((rows >= 0) & (rows < IMAGES)).all()), f"order gives rows outside 0..{IMAGES - 1}")
    again = made.method.order(1, torch.Generator().manual_seed(3))
    require(torch.equal(rows, again), "order differs for the same epoch and generator; draw from the given generator")


def check_loss(cls: type[Method]) -> None:
    made = prepare_rehearsal(cls)
    losses, _, _ = rehearse_step(made, list(range(BATCH)), backward=False)
    total = sum(losses.values())
    require(total.requires_grad, NOTHING_LEARNED)
    total.backward()
    parameters = list(made.method.named_parameters())
    bad = [n for n, p in parameters if p.grad is not None and not torch.isfinite(p.grad).all()]
    require(not bad, f"the gradient of {', '.join(bad[:3])} is not finite")
    require(hasattr(made.method, "backbone"), "build keeps no self.backbone; the engine looks there for its channels")
    gradients = {name: p.grad for name, p in parameters if p.grad is not None and p.grad.any()}
    require(bool(gradients), NOTHING_LEARNED)
    reached = any(name.startswith("backbone.") for name in gradients)
    require(reached, "no gradient reaches the backbone; is something detached?")


def unchanged_batch(cls: type[Method]) -> None:
    made = prepare_rehearsal(cls)
    batch = loop.make_batch(made, torch.arange(BATCH), 1, torch.Generator().manual_seed(1))
    before = {
        f.name: value.clone() for f in dataclasses.fields(batch) if isinstance(value := getattr(batch, f.name), Tensor)
    }
    made.method.train()
    made.method.loss(batch)
    changed = [name for name, value in before.items() if not torch.equal(value, getattr(batch, name))]
    require(not changed, f"loss changes batch.{changed[0] if changed else ''} in place; work on a copy")


def check_random_numbers(cls: type[Method]) -> None:
    made = prepare_rehearsal(cls)
    before, torchs = global_generators(), torch.random.get_rng_state()
    rehearse_step(made, list(range(BATCH)))
    made.method.after_epoch(1)
    same = before == global_generators()
    require(same, "Python's or numpy's global generator is used; a resumed run would differ: draw from batch.generator")
    if not torch.equal(torchs, torch.random.get_rng_state()):
        raise Skipped("torch's global generator is used (nn.Dropout?); sound, for the engine seeds it every epoch")


def whole_epoch(cls: type[Method]) -> None:
    made = prepare_rehearsal(cls)
    loop.train_epoch(made, 1)
    named = [name for name, values in made.state.history.items() if len(values) != 1]
    require(not named, f"{', '.join(named)}: after_epoch gives a name that a loss has already")


def check_mechanism(cls: type[Method]) -> None:
    """Each declared curve is in the history after an epoch, and what is declared is no share by name alone."""
    curves = cls.mechanism
    whole = isinstance(curves, tuple) and all(isinstance(curve, Curve) for curve in curves)
    require(whole, "mechanism is no tuple of curves; write mechanism = (Curve(name, title, idle, idle_text),)")
    if not curves:
        raise Skipped("none declared; docs/new-method.md says what one tells your readers")
    made = prepare_rehearsal(cls)
    loop.train_epoch(made, 1)
    history = made.state.history
    missing = [curve.name for curve in curves if curve.name not in history]
    known = ", ".join(sorted(history))
    require(
        not missing,
        f"mechanism: {', '.join(missing)} is never written; return it from after_epoch, or name one of: {known}",
    )
    for curve in curves:
        value = history[curve.name][0]
        share = not curve.title.endswith("(%)") or 0 <= value <= 1
        require(share, f"mechanism: {curve.name} is {value:g}, which is no share of 1; leave '(%)' out of its title")


def last_batch(cls: type[Method], size: int) -> None:
    """An epoch that ends so is trained, or refused in begin with a reason."""
    try:
        made = prepare_rehearsal(cls, images=2 * BATCH + size)
    except ValueError as error:
        raise Skipped(f"refused before training: {error}") from None
    loop.train_epoch(made, 1)


def one_class(cls: type[Method]) -> None:
    made = prepare_rehearsal(cls, one_class=True)
    rehearse_step(made, list(range(BATCH)))
    rehearse_step(made, list(range(BATCH, 2 * BATCH)))


def check_same_bits(cls: type[Method]) -> None:
    one, two = train_to_last_epoch(prepare_rehearsal(cls)), train_to_last_epoch(prepare_rehearsal(cls))
    names = name_differences(one.method, two.method)
    require(not names, f"{names} differ between two runs of one seed; draw from batch.generator only")


def check_resumed(cls: type[Method]) -> None:
    """A run that is interrupted after any of its epochs, and goes on in a new method, ends as one that was not."""
    whole = prepare_rehearsal(cls, epochs=LONG)
    checkpoints = []
    for epoch in range(1, LONG + 1):
        loop.train_epoch(whole, epoch)
        whole.state.epoch = epoch
        file = io.BytesIO()
        torch.save(collect_state(whole), file)
        checkpoints.append(file.getvalue())
    for epoch, content in enumerate(checkpoints[:-1], start=1):
        again = train_to_last_epoch(resume_from(cls, content, epoch))
        names = name_differences(whole.method, again.method)
        require(
            not names,
            f"{names} differ after an interruption in epoch {epoch + 1} of {LONG}: what outlives an epoch must be a buffer "
            "(self.register_buffer)",
        )
        curves = [name for name, values in whole.state.history.items() if values != again.state.history.get(name)]
        require(
            not curves,
            f"after_epoch: the curves {first_three(curves)} differ after an interruption in epoch {epoch + 1} of {LONG}; keep "
            "what they count in a buffer",
        )


def resume_from(cls: type[Method], content: bytes, epoch: int) -> Trainer:
    """A new job that goes on from a checkpoint made after `epoch`."""
    try:
        state = torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:
        raise Wrong(f"the state holds more than tensors and numbers ({type(error).__name__}); use buffers") from None
    made = prepare_rehearsal(cls, epochs=LONG)
    try:
        restore_state(made, state)
    except RuntimeError as error:
        text = str(error).strip().splitlines()[-1].strip()
        raise Wrong(
            f"the state after epoch {epoch} of {LONG} cannot be loaded ({text}); register every buffer, and make every "
            "module, in build or begin"
        ) from None
    return made


def check_bf16(cls: type[Method]) -> None:
    made = prepare_rehearsal(cls, precision="bf16")
    rehearse_step(made, list(range(BATCH)))
    made.method.eval()
    with torch.inference_mode():
        found = made.method.logits(plain_batch(made, made.data.test_images))
    require(found.dtype == torch.float32, f"logits are {found.dtype} with a bf16 backbone; heads work in float32")


def check_opinion(cls: type[Method]) -> None:
    made = prepare_rehearsal(cls)
    rehearse_step(made, list(range(BATCH)))
    made.method.eval()
    rows = torch.arange(TEST)
    batch = Batch(images=plain_batch(made, made.data.images[:TEST]), labels=made.given[rows], index=rows)
    with torch.inference_mode():
        found: Any = made.method.opinion(batch)
    require(isinstance(found, tuple) and len(found) == 2, "opinion returns no pair (distribution, wrongness)")
    shapes, expected = tuple(tuple(part.shape) for part in found), ((TEST, made.run.classes), (TEST,))
    require(shapes == expected, f"opinion gives shapes {shapes}, expected {expected}")
    distribution, wrongness = found
    sums = distribution.sum(1)
    good = bool((distribution >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
    require(good, "opinion: a row of the distribution is negative somewhere or does not sum to 1")
    require(bool(torch.isfinite(wrongness).all()), "opinion: wrongness is not finite")


def on_a_card(cls: type[Method], prepare: Callable[..., Trainer] = prepare_rehearsal) -> None:
    """Two epochs, an evaluation and the opinions on a pretended CUDA device; the same bits with a CUDA graph."""
    from benchmark.check.pretended import Card, CardError, clock_of

    card, exact = Card(), torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with card.there():
            made, captured = (prepare(cls, device="cuda") for _ in range(2))
            made.clock = clock_of(card)
            made.steps = StepRunner(made, loop.take_step, allowed=False)
            captured.steps = StepRunner(captured, loop.take_step, eager=1)
            train_to_last_epoch(made)
            with made.clock.part("evaluation"):
                evaluate_epoch(made)
                collect_opinions(made)
            waits, names = card.seen.in_steps(), name_differences(made.method, train_to_last_epoch(captured).method)
    except CardError as error:
        raise Wrong(f"on a GPU this raises: {error}; make tensors on the device of the batch") from None
    finally:
        torch.use_deterministic_algorithms(exact)
    if waits:
        first = waits[0]
        raise Wrong(
            f"a step waits for the GPU: {first.what} ({first.where}), {len(waits)} times in {EPOCHS} epochs; "
            "no .item(), no if on a tensor, no mask as an index, no upload in loss and after_step"
        )
    require(
        not names,
        f"{names} end otherwise where steps are replayed from a CUDA graph: what Python works out in a step changes "
        "from epoch to epoch; say so in captured_anew",
    )
