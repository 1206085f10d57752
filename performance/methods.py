"""LA-Net's fast forms against the literal ones, interleaved in one run: `python -m performance.methods [--batch 32]`.

Prints for each piece the ratio of the medians (forward and backward), the largest error relative to the largest entry,
and the memory that each side needs on top of its inputs at its peak. Only ratios carry over to another machine.
"""

import argparse
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from statistics import median

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from methods.base import Batch, Run
from methods.lanet.losses import adaptive_wing, contrastive_loss
from methods.lanet.method import LANet
from methods.lanet.parts import PairScore, aggregate_predictions, find_neighbours
from methods.lanet.targets import brush_for, landmark_targets, map_points
from methods.support.backbones import BACKBONES
from performance import literal
from performance.turns import time_in_turn

CLASSES, POINTS, TURNS = 7, 19, 5


@dataclass(frozen=True)
class Contest:
    """Two ways to the same tensors (values, then gradients), and what is hoped of the first one."""

    name: str
    fast: Callable[[], list[Tensor]]
    slow: Callable[[], list[Tensor]]
    goal: str


def with_gradients(value: Callable[..., Tensor], *inputs: Tensor, leaves: list[Tensor] | None = None) -> Callable:
    """A run of `value`, then of its backward pass: [value, gradient of each leaf (the first input by default)]."""
    leaves = leaves or [inputs[0].requires_grad_()]

    def run() -> list[Tensor]:
        result = value(*inputs)
        return [result.detach(), *torch.autograd.grad(result, leaves)]

    return run


def contrastive_contest(images: int, size: int) -> Contest:
    unit = [torch.nn.functional.normalize(torch.randn(images, 64), dim=1) for _ in range(2)]
    queue = torch.nn.functional.normalize(torch.randn(64, size), dim=0)
    labels, queue_labels = torch.randint(-3, CLASSES, (images,)).float(), torch.randint(0, CLASSES, (size,)).float()
    inputs = (*unit, queue, labels, queue_labels, 0.1)
    goal = ">= 15x, error <= 1e-5, memory <= 5 %"
    return Contest(
        f"contrastive loss, N={images}, M={size}",
        with_gradients(contrastive_loss, *inputs),
        with_gradients(literal.contrastive_loss, *inputs),
        goal,
    )


def label_distribution(images: int, k: int = 8) -> Contest:
    features, soft = (
        torch.randn(images, 512).double().requires_grad_(),
        torch.randn(images, CLASSES).double().softmax(1),
    )
    net = PairScore(512).double()
    itself = torch.eye(images, dtype=torch.bool)

    def fast(features: Tensor) -> Tensor:
        near = find_neighbours(features, k, itself)
        return aggregate_predictions(net(features, near), near, soft).square().sum()

    def slow(features: Tensor) -> Tensor:
        return literal.weigh_predictions(net, features, soft, k).square().sum()

    leaves = [features, *net.parameters()][:-1]  # the last bias shifts both scores alike
    runs = (with_gradients(form, features, leaves=leaves) for form in (fast, slow))
    return Contest(f"label distribution, N={images}, float64", *runs, ">= 8x, error <= 1e-10")


def wing_contest(images: int) -> Contest:
    prediction, target = torch.randn(images, POINTS, 56, 56), torch.rand(images, POINTS, 56, 56).pow(8)
    forms = (lambda p, form=form: form(p, target).mean() for form in (adaptive_wing, literal.adaptive_wing))
    return Contest(f"adaptive wing loss, N={images}", *(with_gradients(form, prediction) for form in forms), ">= 3x")


def maps_contest(images: int) -> Contest:
    landmarks = torch.randint(-20, 244, (images, POINTS, 2)).float()

    def slow() -> list[Tensor]:
        return [torch.from_numpy(found) for found in literal.landmark_targets(map_points(landmarks, 4).numpy(), 56)]

    fast = lambda: list(landmark_targets(landmarks, 224, 56, brush_for(56)))  # noqa: E731
    return Contest(f"heat and weight maps, N={images}", fast, slow, ">= 8x, error <= 1e-6")


def step_contest(images: int, side: int, precision: torch.dtype | None) -> Contest:
    """Forward, key encoder and backward on ResNet-18; the literal side as published: fp32, channels first."""
    method = LANet(LANet.Parameters(queue=8192 // images * images))
    method.build(BACKBONES["resnet18"](3), CLASSES)
    labels = torch.arange(1024) % CLASSES
    method.begin(labels, Run(CLASSES, 1024, 80, 1024 // images, images, side, noisy=True, seed=0))
    method.train()
    method.queue_labels.copy_(torch.randint(0, CLASSES, method.queue_labels.shape))
    index = torch.randperm(1024)[:images]
    pixels, points = torch.randn(images, 3, side, side), side * torch.rand(images, POINTS, 2)
    batch = Batch(pixels, labels[index], index, landmarks=points, usable=torch.ones(images, dtype=torch.bool))
    rival, bank = deepcopy(method), method.bank.clone()
    method.to(memory_format=torch.channels_last)
    fast_batch = replace(batch, images=pixels.to(memory_format=torch.channels_last))
    method.backbone.precision = method.key[0].precision = precision
    method.brush = rival.brush = brush_for(56)

    def fast() -> list[Tensor]:
        method.bank.copy_(bank)
        return losses_and_gradients(method, method.loss(fast_batch)[0])

    def slow() -> list[Tensor]:
        return losses_and_gradients(rival, literal.literal_losses(rival, batch))

    name, goal = ("fp32", ">= 1.15x") if precision is None else ("bf16", ">= 2.3x at N=128")
    return Contest(f"whole step, N={images}, {side} px, {name}", fast, slow, goal)


def losses_and_gradients(method: LANet, losses: dict[str, Tensor]) -> list[Tensor]:
    """The losses, and the gradients of the classifier and of the stem."""
    method.zero_grad()
    sum(losses.values()).backward()
    values = [loss.detach() for loss in losses.values()]
    return [*values, method.classifier.weight.grad, method.backbone.conv1.weight.grad]


def relative_error(found: list[Tensor], expected: list[Tensor]) -> float:
    """The largest difference relative to the largest entry of its tensor."""
    pairs = zip(found, expected, strict=True)
    return max(float((a - b).abs().max() / b.abs().max().clamp(min=1e-30)) for a, b in pairs)


def peak_memory(run: Callable[[], list[Tensor]]) -> int:
    """Bytes that torch's allocator holds at the peak of a run, beyond those it held before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        kept = run()
    del kept
    events = [event for event in seen.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def run_contest(contest: Contest) -> str:
    """A line of results."""
    wrong = relative_error(contest.fast(), contest.slow())
    ways = {"fast": contest.fast, "slow": contest.slow}
    fast, slow = (median(seconds) for seconds in time_in_turn(ways, TURNS).values())
    memory = [peak_memory(run) / 2**20 for run in ways.values()]
    return (
        f"{contest.name:38} {slow * 1e3:9.1f} {fast * 1e3:9.1f} {slow / fast:7.1f}x {wrong:9.1e} "
        f"{memory[0]:8.1f} / {memory[1]:<8.1f} {contest.goal}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=32, help="images of a whole step")
    parser.add_argument("--image", type=int, default=64, help="image side of a whole step, a multiple of 32")
    parser.add_argument("--bf16", action="store_true", help="the whole step in bf16 too; needs a CPU that has it")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, one thread, median of {TURNS}, interleaved")
    print(f"{'':38} literal ms   fast ms    ratio     error  fast / literal MiB  goal")
    contests = [
        lambda: contrastive_contest(128, 8192),
        lambda: label_distribution(128),
        lambda: wing_contest(32),
        lambda: maps_contest(128),
        lambda: step_contest(arguments.batch, arguments.image, None),
    ]
    if arguments.bf16:
        contests.append(lambda: step_contest(arguments.batch, arguments.image, torch.bfloat16))
    for make in contests:
        print(run_contest(make()), flush=True)


if __name__ == "__main__":
    main()
