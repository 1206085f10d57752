"""The contract between the engine and a method: a method owns its idea, the engine owns everything else.

The engine gives images, labels and random numbers, steps the optimiser, evaluates, keeps checkpoints and writes the
record. A method says which heads it puts on the backbone, which losses it minimises, what it remembers of samples
and how it predicts. What it publishes as numbers (epochs, rates, augmentation) it declares as data.
"""

from dataclasses import dataclass, field
from math import cos, inf, pi
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from methods.backbones import Backbone

RESIZE = ("bilinear", "bicubic")
SECOND_VIEWS = (None, "shared", "independent", "fresh")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def within(name: str, value: Any, low: float, high: float = inf) -> None:
    """Raise ValueError where a setting is no number from `low` to `high`, both included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        expected = f"{low:g} or more" if high == inf else f"{low:g} to {high:g}"
        raise ValueError(f"{name}: {value!r}, expected {expected}")


def range_of(name: str, value: Any, low: float, high: float) -> None:
    """Raise ValueError where a setting is no pair of numbers in ascending order."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{name}: {value!r}, expected two numbers, from and to")
    for part in value:
        within(name, part, low, high)
    within(name, value[1], value[0], high)


def check_optimiser(settings: "Adam | SGD") -> None:
    within("lr", settings.lr, 0)
    within("weight_decay", settings.weight_decay, 0)
    if settings.head_lr is not None:
        within("head_lr", settings.head_lr, 0)


@dataclass(frozen=True)
class Adam:
    """Adam with betas (0.9, 0.999), eps 1e-8 and classic L2 decay; `head_lr` is the rate of `Method.heads()`."""

    lr: float
    weight_decay: float = 0.0
    head_lr: float | None = None

    def __post_init__(self) -> None:
        check_optimiser(self)


@dataclass(frozen=True)
class SGD:
    """Stochastic gradient descent with momentum and L2 decay; `head_lr` is the rate of `Method.heads()`."""

    lr: float
    momentum: float = 0.9
    weight_decay: float = 0.0
    head_lr: float | None = None

    def __post_init__(self) -> None:
        check_optimiser(self)
        within("momentum", self.momentum, 0, 1)


@dataclass(frozen=True)
class Exponential:
    """Multiply the rate by `factor` after every epoch."""

    factor: float = 0.9

    def __post_init__(self) -> None:
        within("factor", self.factor, 0, 1)

    def at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        return self.factor ** (step // steps_per_epoch)


@dataclass(frozen=True)
class LinearToZero:
    """Fall linearly, step by step, to zero after the last step."""

    def at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        return 1 - step / (steps_per_epoch * epochs)


@dataclass(frozen=True)
class OneCycle:
    """Rise linearly from `start` to 1 over `warm` of the steps, then fall along a cosine to zero."""

    warm: float = 0.25
    start: float = 0.04

    def __post_init__(self) -> None:
        within("warm", self.warm, 0, 0.99)
        within("start", self.start, 0, 1)

    def at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        done = step / (steps_per_epoch * epochs)
        if done < self.warm:
            return self.start + (1 - self.start) * done / self.warm
        return 0.5 * (1 + cos(pi * (done - self.warm) / (1 - self.warm)))


@dataclass(frozen=True)
class Augment:
    """How training images are altered; every random choice is drawn per image. Lengths are fractions of the image.

    flip: probability of mirroring. pixel_noise: probability of Gaussian noise (variance 30 grey levels squared);
    with `exclusive` an image is never both mirrored and noisy (SCN, RUL: 50 % untouched, 25 % each).
    crop: range of the area kept by a random resized crop (aspect 3/4 to 4/3), None for none. jitter: brightness,
    contrast and saturation factors are uniform in 1 - jitter .. 1 + jitter, in random order. erase: probability of
    random erasing, `erase_area` its range. resize: PIL filter from stored to training size. second_view: None, or
    EAC's mirrored second image: 'shared' is the exact mirror of the finished first one, 'independent' mirrors what the
    first one shows of the raw image and erases on its own, 'fresh' is another draw of the whole pipeline, not mirrored.
    """

    flip: float = 0.0
    pixel_noise: float = 0.0
    exclusive: bool = False
    crop: tuple[float, float] | None = None
    jitter: float = 0.0
    erase: float = 0.0
    erase_area: tuple[float, float] = (0.02, 0.25)
    resize: str = "bilinear"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    second_view: str | None = None

    def __post_init__(self) -> None:
        for name in ("flip", "pixel_noise", "jitter", "erase"):
            within(name, getattr(self, name), 0, 1)
        range_of("erase_area", self.erase_area, 1e-6, 1)
        if self.crop is not None:
            range_of("crop", self.crop, 0.01, 1)
        for name, low in (("mean", -100), ("std", 1e-6)):
            if len(getattr(self, name)) != 3:
                raise ValueError(f"{name}: {getattr(self, name)!r}, expected three numbers")
            for value in getattr(self, name):
                within(name, value, low, 100)
        for name, known in (("resize", RESIZE), ("second_view", SECOND_VIEWS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: {getattr(self, name)!r} is none of {', '.join(map(str, known))}")


@dataclass(frozen=True)
class Recipe:
    """How a method is trained, as published; every field can be overridden with `--set recipe.FIELD=value`.

    backbone: a name of `methods.backbones.BACKBONES`. drop_last: leave out an incomplete last batch.
    """

    epochs: int
    batch_size: int
    optimiser: Adam | SGD
    schedule: Any
    augment: Augment
    drop_last: bool = False
    backbone: str = "resnet18"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            within(name, getattr(self, name), 1, 100_000)


@dataclass(frozen=True)
class Run:
    """The facts of a run that a method may use; noisy: label noise was added."""

    classes: int
    images: int
    epochs: int
    steps_per_epoch: int
    batch_size: int
    image_size: int
    noisy: bool
    seed: int


@dataclass
class Batch:
    """One training step's data, on the device that trains.

    images: [B, channels, S, S] float, augmented and normalised. labels: [B] int64, the method's current labels.
    index: [B] int64, rows of the training set. epoch: 1-based. generator: the step's random numbers, on the device.
    landmarks: [B, 19, 2] float, (x, y) in pixels of `images`, and usable: [B] bool, or None where the method does not
    ask. flipped: [B] bool. second: a second view of the same images where the recipe asks for one.
    """

    images: Tensor
    labels: Tensor
    index: Tensor
    epoch: int = 1
    generator: torch.Generator | None = None
    landmarks: Tensor | None = None
    usable: Tensor | None = None
    flipped: Tensor | None = None
    second: Tensor | None = None


def scaled(default: Any, how: str) -> Any:
    """A parameter that the demo scale translates: `how` is one of the rules of `benchmark.scale`.

    'epoch': an epoch e of E. 'per epoch': a factor applied once an epoch. 'per step': a momentum applied once a step.
    'queue': a number of samples that keeps its share of an epoch. Values are always given in published units.
    """
    return field(default=default, metadata={"scales": how})


class Method(nn.Module):
    """A method of learning from wrong labels. Subclass it in one file; the class is found by its `name`.

    State that must survive an interruption is registered as a buffer (`self.register_buffer`), parameters as modules.
    version: raised when the maths or a default changes, so that old records are not taken for new ones.
    needs_landmarks: `Batch.landmarks` is filled. as_published: the recipe of the method's own program where it differs
    from the comparison recipe. demo: parameters that the demo scale replaces, as {name: (value, reason)}.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str] = ""
    version: ClassVar[int] = 1
    needs_landmarks: ClassVar[bool] = False
    recipe: ClassVar[Recipe]
    as_published: ClassVar[Recipe | None] = None
    demo: ClassVar[dict[str, tuple[Any, str]]] = {}
    backbone: Backbone
    labels: Tensor

    @dataclass(frozen=True)
    class Parameters:
        """The method's options; an unknown one is refused before any work."""

    def __init__(self, parameters: Any = None) -> None:
        super().__init__()
        self.settings = self.Parameters() if parameters is None else parameters  # not `parameters`: torch's own name

    @classmethod
    def adapt(cls, recipe: Recipe, parameters: Any, noisy: bool) -> Recipe:
        """The recipe as these parameters change it (another sampler, a second view)."""
        return recipe

    def build(self, backbone: Backbone, classes: int) -> None:
        """Put the heads on a backbone that already holds its start weights."""
        raise NotImplementedError

    def check(self, run: Run) -> None:
        """Raise ValueError for a run that cannot be; asked after `build`, before anything is trained."""

    def begin(self, labels: Tensor, run: Run) -> None:
        """Remember the training set: `labels` [n] int64 are the given, possibly wrong, labels. Called once."""
        self.register_buffer("labels", labels.clone())

    def heads(self) -> list[nn.Module]:
        """Modules trained at `head_lr`."""
        return []

    def order(self, epoch: int, generator: torch.Generator) -> Tensor:
        """Rows of the training set in the order of this epoch (1-based); `generator` is a CPU generator."""
        return torch.randperm(len(self.labels), generator=generator)

    def logits(self, images: Tensor) -> Tensor:
        """[B, classes] in evaluation mode; the prediction is the first maximum."""
        raise NotImplementedError

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """The losses whose sum is minimised, by name, and the [B, classes] logits of the batch's own images."""
        raise NotImplementedError

    def after_step(self, batch: Batch) -> None:
        """Called after every optimiser step."""

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        """Called after every epoch; returns scalars worth a curve in the record."""
        return {}

    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the method thinks of un-augmented training images: label distributions [B, classes], wrongness [B].

        A larger wrongness means that the given label (`batch.labels`, never relabelled) is more likely wrong.
        """
        distribution = self.logits(batch.images).softmax(1)
        return distribution, 1 - distribution.gather(1, batch.labels[:, None])[:, 0]
