"""What `python -m benchmark check` asks of a method: trained for a few short epochs by the engine itself, on 37 random images."""

import inspect
import io
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark import plugins
from benchmark.check import hooks
from benchmark.check.contract import Skipped, Wrong, check_alone, check_frozen, check_name, global_generators, require
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
from benchmark.check.settings import check_parameters_act
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


def name_and_title(cls: type[Method]) -> None:
    check_name(cls, "method", plugins.find_methods())
    require(isinstance(getattr(cls, "title", None), str), "no title; give the name that stands in tables")
    require(isinstance(cls.version, int) and cls.version > 0, f"version is {cls.version!r}; expected 1, 2, ...")


def check_recipe(cls: type[Method]) -> None:
    recipe = getattr(cls, "recipe", None)
    require(isinstance(recipe, Recipe), "no recipe; write recipe = Recipe(epochs=..., batch_size=..., ...)")
    require(recipe.epochs >= 1 and recipe.batch_size >= 2, "recipe: epochs must be at least 1, batch_size 2")
    backbone = recipe.backbone
    is_known = "/" in backbone or backbone in plugins.find_backbone_files([Path(inspect.getfile(cls)).parent])
    require(is_known, f"recipe: no backbone {backbone!r}; known: {', '.join(BACKBONES)}")
    is_known = cls.backbone_needs in GIVES
    require(is_known, f"backbone_needs is {cls.backbone_needs!r}; known: {', '.join(GIVES)}")
    method_json = json.loads(json.dumps(method_info(cls)))
    is_same = recipe_from_dict(method_json["recipe"], list_kinds(recipe)) == recipe
    require(is_same, "recipe: does not survive JSON; keep its fields to numbers, texts and tuples of them")
    own_names = [name for name in sorted(method_json["demo"]) if not name.startswith("recipe.")]
    unknown_names = [name for name in own_names if name not in method_json["parameters"]]
    require(not unknown_names, f"demo names {', '.join(unknown_names)}, which is no parameter")


def unknown_parameter(cls: type[Method]) -> None:
    check_frozen(cls.Parameters, "Parameters")
    try:
        parameters = cls.Parameters()
    except TypeError as error:
        raise Wrong(f"a parameter has no default ({error}); give every parameter its published value") from None
    try:
        inspect.signature(cls).bind(parameters)
    except TypeError as error:
        raise Wrong(f"__init__ is called with the Parameters alone ({error}); leave it out and use build") from None
    try:
        cls.Parameters(no_such_parameter=1)
    except TypeError:
        return
    raise Wrong("an unknown parameter is accepted; let the dataclass make __init__")


def check_logits(cls: type[Method], classes: int) -> None:
    """Of the right shape and type, and of each image by itself."""
    trainer = prepare_rehearsal(cls, classes)
    trainer.method.eval()
    with torch.inference_mode():
        images = plain_batch(trainer, trainer.data.test_images)
        joint_logits = trainer.method.logits(images)
        lone_logits = trainer.method.logits(images[:1])
    shape = tuple(joint_logits.shape)
    require(shape == (TEST, classes), f"logits of shape {shape}, expected {(TEST, classes)}")
    require(joint_logits.dtype == torch.float32, f"logits are {joint_logits.dtype}, expected float32")
    check_alone(joint_logits, lone_logits, "logits")
    sums = joint_logits.sum(1)
    are_probabilities = bool((joint_logits >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-4)
    fix_hint = "the engine takes the softmax: return what goes into it, or the logarithm"
    require(not are_probabilities, f"logits are probabilities, of which each row sums to 1; {fix_hint}")


def check_order(cls: type[Method]) -> None:
    trainer = prepare_rehearsal(cls)
    rows = trainer.method.order(1, torch.Generator().manual_seed(3))
    is_sound = isinstance(rows, Tensor) and rows.dtype == torch.int64 and tuple(rows.shape) == (IMAGES,)
    require(is_sound, f"order gives no int64 tensor of {IMAGES} rows, one epoch of the training set")
    require(bool(((rows >= 0) & (rows < IMAGES)).all()), f"order gives rows outside 0..{IMAGES - 1}")
    is_same = torch.equal(rows, trainer.method.order(1, torch.Generator().manual_seed(3)))
    require(is_same, "order differs for the same epoch and generator; draw from the given generator")


def check_loss(cls: type[Method]) -> None:
    trainer = prepare_rehearsal(cls)
    losses, _, _ = rehearse_step(trainer, list(range(BATCH)), backward=False)
    total_loss = sum(losses.values())
    for name, value in losses.items():
        others = [other for other_name, other in losses.items() if other_name != name and bool(other)]
        # Two equal losses are no sum: two networks may begin alike.
        is_sum = len(others) > 1 and torch.allclose(value, torch.stack(others).sum(), rtol=1e-5, atol=0)
        require(not is_sum, f"loss {name!r} is the sum of the others; the engine adds them up, so leave it out")
    require(total_loss.requires_grad, NOTHING_LEARNED)
    total_loss.backward()
    parameters = list(trainer.method.named_parameters())
    bad_names = [n for n, p in parameters if p.grad is not None and not torch.isfinite(p.grad).all()]
    require(not bad_names, f"the gradient of {first_three(bad_names)} is not finite")
    has_backbone = hasattr(trainer.method, "backbone")
    require(has_backbone, "build keeps no self.backbone; the engine looks there for its channels")
    learning_names = [name for name, p in parameters if p.grad is not None and p.grad.any()]
    require(bool(learning_names), NOTHING_LEARNED)
    reaches_backbone = any(name.startswith("backbone.") for name in learning_names)
    require(reaches_backbone, "no gradient reaches the backbone; is something detached?")


def unchanged_inputs(cls: type[Method]) -> None:
    trainer = prepare_rehearsal(cls)
    batch = loop.make_batch(trainer, torch.arange(BATCH), 1, torch.Generator().manual_seed(1))
    tensors_before = {name: value.clone() for name, value in vars(batch).items() if isinstance(value, Tensor)}
    trainer.method.train()
    networks = (trainer.method, trainer.method.backbone)
    modes_before = [network.training for network in networks]
    trainer.method.loss(batch)
    is_same = modes_before == [network.training for network in networks]
    require(is_same, "loss leaves the network in evaluation mode; after self.eval() call self.train()")
    for name, value in tensors_before.items():
        require(torch.equal(value, getattr(batch, name)), f"loss changes batch.{name} in place; work on a copy")


def check_random_numbers(cls: type[Method]) -> None:
    states_before = global_generators()
    trainer = prepare_rehearsal(cls)
    first_seed = torch.initial_seed()
    torch_state = torch.random.get_rng_state()
    rehearse_step(trainer, list(range(BATCH)))
    trainer.method.after_epoch(1)
    is_unchanged = states_before == global_generators()
    fix_hint = "a resumed run would differ: draw from batch.generator"
    require(is_unchanged, f"Python's or numpy's global generator is used; {fix_hint}")
    is_unseeded = first_seed == torch.initial_seed()
    prepare_rehearsal(cls, seed=1)
    is_unseeded = is_unseeded and first_seed != torch.initial_seed()
    require(is_unseeded, "torch's global generator is seeded, so that runs of all seeds draw the same; leave that out")
    if not torch.equal(torch_state, torch.random.get_rng_state()):
        raise Skipped("torch's global generator is used (nn.Dropout?); sound, for the engine seeds it every epoch")


def whole_epoch(cls: type[Method]) -> None:
    loop.train_epoch(prepare_rehearsal(cls), 1)


def check_mechanism(cls: type[Method]) -> None:
    """Each declared curve is in the history after an epoch, and what is declared is no share by name alone."""
    curves = cls.mechanism
    is_curve_tuple = isinstance(curves, tuple) and all(isinstance(curve, Curve) for curve in curves)
    require(is_curve_tuple, "mechanism is no tuple of curves; write mechanism = (Curve(name, title, idle, idle_text),)")
    if not curves:
        raise Skipped("none declared; docs/new-method.md says what one tells your readers")
    trainer = prepare_rehearsal(cls)
    loop.train_epoch(trainer, 1)
    history = trainer.state.history
    missing_names = ", ".join(curve.name for curve in curves if curve.name not in history)
    fix_hint = f"return it from after_epoch, or name one of: {', '.join(sorted(history))}"
    require(not missing_names, f"mechanism: {missing_names} is never written; {fix_hint}")
    for curve in curves:
        value = history[curve.name][0]
        share = not curve.title.endswith("(%)") or 0 <= value <= 1
        require(share, f"mechanism: {curve.name} is {value:g}, which is no share of 1; leave '(%)' out of its title")


def last_batch(cls: type[Method], size: int) -> None:
    """An epoch that ends so is trained, or refused in begin with a reason."""
    try:
        trainer = prepare_rehearsal(cls, images=2 * BATCH + size)
    except ValueError as error:
        raise Skipped(f"refused before training: {error}") from None
    loop.train_epoch(trainer, 1)


def one_class(cls: type[Method]) -> None:
    trainer = prepare_rehearsal(cls, one_class=True)
    rehearse_step(trainer, list(range(BATCH)))
    rehearse_step(trainer, list(range(BATCH, 2 * BATCH)))


def check_same_bits(cls: type[Method], source: str = "batch.generator", **rehearsal: Any) -> None:
    first_run, second_run = (train_to_last_epoch(prepare_rehearsal(cls, **rehearsal)) for _ in range(2))
    differing_names = name_differences(first_run.method, second_run.method)
    require(
        not differing_names,
        f"{differing_names} differ between two runs of one seed; draw from {source} only, and keep nothing in globals",
    )


def check_resumed(cls: type[Method]) -> None:
    """A run that is interrupted after any of its epochs, and goes on in a new method, ends as one that was not."""
    whole_run = prepare_rehearsal(cls, epochs=LONG)
    checkpoints = []
    for epoch in range(1, LONG + 1):
        loop.train_epoch(whole_run, epoch)
        whole_run.state.end_epoch(epoch)
        state_file = io.BytesIO()
        torch.save(collect_state(whole_run), state_file)
        checkpoints.append(state_file.getvalue())
    for epoch, content in enumerate(checkpoints[:-1], start=1):
        resumed_run = train_to_last_epoch(resume_from(cls, content, epoch))
        where = f"differ after an interruption in epoch {epoch + 1} of {LONG}"
        differing_names = name_differences(whole_run.method, resumed_run.method)
        fix_hint = "what outlives an epoch must be a buffer (self.register_buffer)"
        require(not differing_names, f"{differing_names} {where}: {fix_hint}")
        resumed_history = resumed_run.state.history
        curves = [name for name, values in whole_run.state.history.items() if values != resumed_history.get(name)]
        require(not curves, f"after_epoch: the curves {first_three(curves)} {where}; keep what they count in a buffer")


def resume_from(cls: type[Method], content: bytes, epoch: int) -> Trainer:
    """A new job that goes on from a checkpoint made after `epoch`."""
    try:
        state = torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:
        raise Wrong(f"the state holds more than tensors and numbers ({type(error).__name__}); use buffers") from None
    trainer = prepare_rehearsal(cls, epochs=LONG)
    try:
        restore_state(trainer, state)
    except RuntimeError as error:
        error_text = str(error).strip().splitlines()[-1].strip()
        fix_hint = "register every buffer, and make every module, in build or begin"
        raise Wrong(f"the state after epoch {epoch} of {LONG} cannot be loaded ({error_text}); {fix_hint}") from None
    return trainer


def check_bf16(cls: type[Method]) -> None:
    trainer = prepare_rehearsal(cls, precision="bf16")
    rehearse_step(trainer, list(range(BATCH)))
    trainer.method.eval()
    with torch.inference_mode():
        logits = trainer.method.logits(plain_batch(trainer, trainer.data.test_images))
    require(logits.dtype == torch.float32, f"logits are {logits.dtype} with a bf16 backbone; heads work in float32")


def check_opinion(cls: type[Method]) -> None:
    trainer = prepare_rehearsal(cls)
    rehearse_step(trainer, list(range(BATCH)))
    trainer.method.eval()
    rows = torch.arange(TEST)
    batch = Batch(images=plain_batch(trainer, trainer.data.images[:TEST]), labels=trainer.given[rows], index=rows)
    with torch.inference_mode():
        opinion: Any = trainer.method.opinion(batch)
    require(isinstance(opinion, tuple) and len(opinion) == 2, "opinion returns no pair (distribution, wrongness)")
    given_shapes = tuple(tuple(array.shape) for array in opinion)
    expected_shapes = ((TEST, trainer.run.classes), (TEST,))
    require(given_shapes == expected_shapes, f"opinion gives shapes {given_shapes}, expected {expected_shapes}")
    distribution, wrongness = opinion
    sums = distribution.sum(1)
    is_sound = bool((distribution >= 0).all()) and torch.allclose(sums, torch.ones_like(sums), atol=1e-3)
    require(is_sound, "opinion: a row of the distribution is negative somewhere or does not sum to 1")
    require(bool(torch.isfinite(wrongness).all()), "opinion: wrongness is not finite")


def on_a_card(cls: type[Method], prepare: Callable[..., Trainer] = prepare_rehearsal) -> None:
    """Two epochs, an evaluation and the opinions on a pretended CUDA device; the same bits with a CUDA graph."""
    from benchmark.check.pretended import Card, CardError, clock_of

    card = Card()
    was_deterministic = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with card.there():
            trainer, captured_trainer = (prepare(cls, device="cuda") for _ in range(2))
            trainer.clock = clock_of(card)
            trainer.steps = StepRunner(trainer, loop.take_step, allowed=False)
            captured_trainer.steps = StepRunner(captured_trainer, loop.take_step, eager=1)
            train_to_last_epoch(trainer)
            with trainer.clock.part("evaluation"):
                evaluate_epoch(trainer)
                collect_opinions(trainer)
            waits = card.seen.in_steps()
            differing_names = name_differences(trainer.method, train_to_last_epoch(captured_trainer).method)
    except CardError as error:
        raise Wrong(f"on a GPU this raises: {error}; make tensors on the device of the batch") from None
    finally:
        torch.use_deterministic_algorithms(was_deterministic)
    if waits:
        what = f"{waits[0].what} ({waits[0].where}), {len(waits)} times in {EPOCHS} epochs"
        fix_hint = "no .item(), no if on a tensor, no mask as an index, no upload in loss and after_step"
        raise Wrong(f"a step waits for the GPU: {what}; {fix_hint}")
    where = "end otherwise where steps are replayed from a CUDA graph"
    reason = "what Python works out in a step changes from epoch to epoch; say so in captured_anew"
    require(not differing_names, f"{differing_names} {where}: {reason}")


# The parts of the contract in `methods/base.py`, in the order in which a mistake shows best.
CHECKS: dict[str, Callable[[type[Method]], object]] = {
    "name and title": name_and_title,
    "recipe": check_recipe,
    "parameters: an unknown one is refused": unknown_parameter,
    "logits for 8 classes": partial(check_logits, classes=8),
    "logits for 7 classes": partial(check_logits, classes=7),
    "order of an epoch": check_order,
    "loss is finite and reaches the backbone": check_loss,
    "loss for 7 classes": lambda cls: rehearse_step(prepare_rehearsal(cls, classes=7), list(range(BATCH))),
    "loss leaves the batch and the mode as they are": unchanged_inputs,
    "random numbers": check_random_numbers,
    "a whole epoch, last batch incomplete": whole_epoch,
    "curves of its mechanism": check_mechanism,
    "a last batch of two images": partial(last_batch, size=2),
    "a last batch of one image, which is skipped": partial(last_batch, size=1),
    "a batch of one class": one_class,
    "the same seed gives the same bits": check_same_bits,
    "saved and resumed, the same bits": check_resumed,
    "survey of the training set": lambda cls: hooks.check_survey(prepare_rehearsal(cls)),
    "gradients before the step": lambda cls: hooks.after_backward(prepare_rehearsal(cls)),
    "bf16 backbone": check_bf16,
    "opinion of training images": check_opinion,
    "parameters: another value changes something": check_parameters_act,
    "on a pretended GPU": on_a_card,
}
