"""What `python -m benchmark check` asks of a backbone: built for grey and colour images, then trained by the engine."""

import inspect
import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmark import plugins
from benchmark.check.contract import Skipped, Wrong, check_alone, check_name, global_generators, require
from benchmark.check.methods import check_same_bits, on_a_card
from benchmark.check.rehearsal import first_three, prepare_rehearsal, train_to_last_epoch
from benchmark.scale import DEMO
from methods.base import Method
from methods.support.backbones import GIVES, Backbone
from methods.support.weights import load_backbone

IMAGES = 4


def build_network(cls: type[Backbone], channels: int = DEMO.channels, side: int = DEMO.side) -> Backbone:
    """The network as the engine makes it, from the same random numbers each time."""
    torch.manual_seed(0)
    try:
        return plugins.make_backbone(cls.name, channels, side, [Path(inspect.getfile(cls)).parent])
    except ValueError as error:
        raise Wrong(str(error)) from error


def random_images() -> Tensor:
    return torch.rand(IMAGES, DEMO.channels, DEMO.side, DEMO.side, generator=torch.Generator().manual_seed(1))


def check_features(cls: type[Backbone]) -> None:
    network = build_network(cls)
    features_text = f"{network.gives}, {network.width} features"
    if network.gives != "features":
        features_text += f", maps of {network.map_side} x {network.map_side} at {DEMO.side} px"
    unsuited_methods = [method.title for method in plugins.find_methods().values() if not suits_method(method, network)]
    fitness = f"not for {', '.join(unsuited_methods)}" if unsuited_methods else "for every method"
    raise Skipped(f"{features_text}; {fitness}")


def suits_method(method: type[Method], network: Backbone) -> bool:
    """Whether a network gives what a method needs."""
    return GIVES.index(method.backbone_needs) <= GIVES.index(network.gives)


def check_image_alone(cls: type[Backbone]) -> None:
    network = build_network(cls).eval()
    with torch.inference_mode():
        joint_features = network(random_images())
        lone_features = network(random_images()[:1])
    check_alone(joint_features, lone_features, "features")


def check_images_unchanged(cls: type[Backbone]) -> None:
    images = random_images()
    build_network(cls)(images)
    require(torch.equal(images, random_images()), "encode changes the images in place; work on a copy")


def check_gradient(cls: type[Backbone]) -> None:
    network = build_network(cls)
    network(random_images()).square().mean().backward()
    has_gradient = any(p.grad is not None for p in network.parameters())
    require(has_gradient, "no gradient reaches its weights; is something detached?")
    idle_names = [key for key, p in network.named_parameters() if p.requires_grad and p.grad is None]
    if idle_names:
        fix_hint = "leave out what is not used, or set requires_grad = False"
        raise Skipped(f"none reaches {first_three(idle_names)}; {fix_hint}")


def check_initial_weights(cls: type[Backbone]) -> None:
    states_before = global_generators()
    first_network = build_network(cls)
    second_network = build_network(cls)
    first_network(random_images())
    require(states_before == global_generators(), "Python's or numpy's global generator is used; draw from torch's")
    weight_pairs = zip(first_network.published().parameters(), second_network.published().parameters())
    is_same = all(torch.equal(first_weight, second_weight) for first_weight, second_weight in weight_pairs)
    fix_hint = "draw from torch's global generator only"
    require(is_same, f"two networks made from one seed start from other weights; {fix_hint}")


def check_saved(cls: type[Backbone]) -> None:
    """All that it has learned is in its file of weights."""
    network = build_network(cls)
    weights_file = io.BytesIO()
    network(random_images())  # running statistics
    torch.save(network.published().state_dict(), weights_file)
    weights_file.seek(0)
    torch.manual_seed(9)
    loaded_network = plugins.build_backbone(cls.name, DEMO.channels, DEMO.side, [Path(inspect.getfile(cls)).parent])
    try:
        load_backbone(loaded_network, torch.load(weights_file, weights_only=True))
    except ValueError as error:
        raise Wrong(f"its own weights do not load: {error}") from None
    with torch.inference_mode():
        same_features = torch.equal(network.eval()(random_images()), loaded_network.eval()(random_images()))
    fix_hint = "make what it keeps a buffer or a parameter"
    require(same_features, f"loaded from its own weights it gives other features; {fix_hint}")


def check_bf16_features(cls: type[Backbone]) -> None:
    network = build_network(cls)
    network.precision = torch.bfloat16
    features = network(random_images())
    is_float32 = features.dtype == torch.float32
    require(is_float32, f"features are {features.dtype} with bf16 inside; leave `forward` to Backbone")
    require(bool(torch.isfinite(features).all()), "features are not finite in bf16")


def each_method(cls: type[Backbone]) -> None:
    """Two epochs of one method for each of the things that a network can give."""
    network = build_network(cls)
    methods = plugins.find_methods()
    for method in (methods["baseline"], methods["rul"], methods["lanet"]):
        if suits_method(method, network):
            try:
                train_to_last_epoch(prepare_rehearsal(method, backbone=cls))
            except ValueError as error:  # of a size that a method refuses
                raise Skipped(str(error)) from None


# The contract in `methods/support/backbones.py`, in the order in which a mistake shows best.
CHECKS: dict[str, Callable[[type[Backbone]], object]] = {
    "name": lambda cls: check_name(cls, "backbone", plugins.find_backbones()),
    "grey images of 48 px": partial(build_network, channels=1, side=48),
    "colour images of 64 px": partial(build_network, channels=3, side=64),
    "what it gives": check_features,
    "an image alone and among others": check_image_alone,
    "images stay as they are": check_images_unchanged,
    "a gradient reaches every weight": check_gradient,
    "random numbers": check_initial_weights,
    "saved and loaded": check_saved,
    "bf16": check_bf16_features,
    "trained twice, the same bits": lambda cls: check_same_bits(
        plugins.find_method("baseline"), "torch's global generator", backbone=cls
    ),
    "methods that take it": each_method,
    "on a pretended GPU": lambda cls: on_a_card(
        plugins.find_method("baseline"), partial(prepare_rehearsal, backbone=cls)
    ),
}
