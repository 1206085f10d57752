"""What `python -m benchmark check` asks of a backbone: built for grey and colour images, then trained by the engine."""

import inspect
import io
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from benchmark import plugins
from benchmark.check.contract import Check, Skipped, Wrong, check_name, global_generators, of_class, require
from benchmark.check.methods import on_a_card
from benchmark.check.rehearsal import difference, prepared, trained
from benchmark.scale import DEMO
from methods.base import Method
from methods.support.backbones import GIVES, Backbone
from methods.support.weights import load_backbone

IMAGES = 4


def checks(cls: type[Backbone], data: Path | None = None) -> list[Check]:
    """The parts of the contract in `methods/support/backbones.py`, in the order in which a mistake shows best."""
    named = {
        "name": name,
        "grey images of 48 px": lambda cls: made(cls, 1, 48) and None,
        "colour images of 64 px": lambda cls: made(cls, 3, 64) and None,
        "what it gives": gives,
        "an image alone and among others": alone,
        "images stay as they are": unchanged,
        "a gradient reaches every weight": gradient,
        "random numbers": random_numbers,
        "saved and loaded": saved,
        "bf16": bf16,
        "trained twice, the same bits": same_bits,
        "methods that take it": each_method,
        "on a pretended GPU": lambda cls: on_a_card(plugins.find_method("baseline"), partial(prepared, backbone=cls)),
    }
    return of_class(cls, named)


def made(cls: type[Backbone], channels: int = DEMO.channels, side: int = DEMO.side) -> Backbone:
    """The network as the engine makes it, from the same random numbers each time."""
    torch.manual_seed(0)
    try:
        return plugins.make_backbone(cls.name, channels, side, [Path(inspect.getfile(cls)).parent])
    except ValueError as error:
        raise Wrong(str(error)) from error


def images() -> Tensor:
    return torch.rand(IMAGES, DEMO.channels, DEMO.side, DEMO.side, generator=torch.Generator().manual_seed(1))


def name(cls: type[Backbone]) -> None:
    check_name(cls.name)
    taken = plugins.find_backbones().get(cls.name)
    same = taken is None or taken.__module__ == cls.__module__
    require(same, f"the name {cls.name!r} belongs to a backbone of this project; choose another")


def gives(cls: type[Backbone]) -> None:
    network = made(cls)
    text = f"{network.gives}, {network.width} features"
    text += (
        f", maps of {network.map_side} x {network.map_side} at {DEMO.side} px" if network.gives != "features" else ""
    )
    lacking = [method.title for method in plugins.find_methods().values() if not suits(method, network)]
    raise Skipped(text + (f"; not for {', '.join(lacking)}" if lacking else "; for every method"))


def suits(method: type[Method], network: Backbone) -> bool:
    """Whether a network gives what a method needs."""
    return GIVES.index(method.backbone_needs) <= GIVES.index(network.gives)


def alone(cls: type[Backbone]) -> None:
    network = made(cls).eval()
    with torch.inference_mode():
        together, one = network(images()), network(images()[:1])
    require(bool(torch.isfinite(together).all()), "features are not finite")
    apart = float((together[:1] - one).abs().max())
    require(apart < 1e-3, f"in evaluation an image's features change by {apart:.2g} with the images beside it")


def unchanged(cls: type[Backbone]) -> None:
    given = images()
    made(cls)(given)
    require(torch.equal(given, images()), "encode changes the images in place; work on a copy")


def gradient(cls: type[Backbone]) -> None:
    network = made(cls)
    network(images()).square().mean().backward()
    without = [key for key, p in network.named_parameters() if p.requires_grad and p.grad is None]
    require(len(without) < len(list(network.parameters())), "no gradient reaches its weights; is something detached?")
    if without:
        raise Skipped(
            f"none reaches {', '.join(without[:3])}; leave out what is not used, or set requires_grad = False"
        )


def random_numbers(cls: type[Backbone]) -> None:
    before = global_generators()
    one, two = made(cls), made(cls)
    one(images())
    require(before == global_generators(), "Python's or numpy's global generator is used; draw from torch's")
    same = all(torch.equal(a, b) for a, b in zip(one.published().parameters(), two.published().parameters()))
    require(same, "two networks made from one seed start from other weights; draw from torch's global generator only")


def saved(cls: type[Backbone]) -> None:
    """All that it has learned is in its file of weights."""
    network, file = made(cls), io.BytesIO()
    network(images())  # running statistics
    torch.save(network.published().state_dict(), file)
    file.seek(0)
    torch.manual_seed(9)
    again = plugins.build_backbone(cls.name, DEMO.channels, DEMO.side, [Path(inspect.getfile(cls)).parent])
    try:
        load_backbone(again, torch.load(file, weights_only=True))
    except ValueError as error:
        raise Wrong(f"its own weights do not load: {error}") from None
    with torch.inference_mode():
        same = torch.equal(network.eval()(images()), again.eval()(images()))
    require(same, "loaded from its own weights it gives other features; make what it keeps a buffer or a parameter")


def bf16(cls: type[Backbone]) -> None:
    network = made(cls)
    network.precision = torch.bfloat16
    found = network(images())
    require(found.dtype == torch.float32, f"features are {found.dtype} with bf16 inside; leave `forward` to Backbone")
    require(bool(torch.isfinite(found).all()), "features are not finite in bf16")


def same_bits(cls: type[Backbone]) -> None:
    method = plugins.find_method("baseline")
    one, two = (trained(prepared(method, backbone=cls)) for _ in range(2))
    names = difference(one.method, two.method)
    require(not names, f"{names} differ between two runs of one seed; draw from torch's global generator only")


def each_method(cls: type[Backbone]) -> None:
    """Two epochs of one method for each of the things that a network can give."""
    network, methods = made(cls), plugins.find_methods()
    for method in (methods["baseline"], methods["rul"], methods["lanet"]):
        if suits(method, network):
            try:
                trained(prepared(method, backbone=cls))
            except ValueError as error:  # of a size that a method refuses
                raise Skipped(str(error)) from None
