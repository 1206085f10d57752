"""How a method is trained, as data: optimiser, schedule, augmentation, the recipe that holds them, and curves that show
its idea at work. No torch here."""

import dataclasses
from dataclasses import dataclass
from math import cos, inf, pi
from typing import Any

RESIZE = ("bilinear", "bicubic")
SECOND_VIEWS = (None, "shared", "independent", "fresh", "strong")
FILLS = ("zero", "reflect")
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def within(name: str, value: Any, low: float, high: float = inf) -> None:
    """Raise ValueError where a setting is no number from `low` to `high`, both included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        expected = f"{low:g} or more" if high == inf else f"{low:g} to {high:g}"
        raise ValueError(f"{name}: {value!r}, expected {expected}")


def range_of(name: str, value: Any, low: float, high: float) -> None:
    """Raise ValueError where a setting is no pair of numbers in ascending order."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(f"{name}: {value!r}, expected two numbers, from and to")
    for bound in value:
        within(name, bound, low, high)
    within(name, value[1], value[0], high)


def check_optimiser(settings: "Adam | AdamW | SGD") -> None:
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
class AdamW:
    """Adam whose decay is taken from the weights themselves, times the rate (Loshchilov and Hutter, ICLR 2019)."""

    lr: float
    weight_decay: float = 0.01
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
class Steps:
    """Multiply the rate by `factor` whenever one of the numbers of epochs in `after` is done."""

    after: tuple[float, ...] = (10, 20)
    factor: float = 0.1

    def __post_init__(self) -> None:
        if not isinstance(self.after, tuple | list) or not self.after:
            raise ValueError(f"after: {self.after!r}, expected numbers of epochs")
        for epochs in self.after:
            within("after", epochs, 0)
        within("factor", self.factor, 0, 1)

    def at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        return self.factor ** sum(step >= done_epochs * steps_per_epoch for done_epochs in self.after)


@dataclass(frozen=True)
class LinearToZero:
    """Fall linearly, step by step, to zero after the last step."""

    def at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        return 1 - step / (steps_per_epoch * epochs)


@dataclass(frozen=True)
class Cosine:
    """Fall along half a cosine, step by step, to `end` after the last step."""

    end: float = 0.0

    def __post_init__(self) -> None:
        within("end", self.end, 0, 1)

    def at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        done_share = step / (steps_per_epoch * epochs)
        return self.end + (1 - self.end) * 0.5 * (1 + cos(pi * done_share))


@dataclass(frozen=True)
class WarmUp:
    """Rise linearly from `start` to 1 over the first `epochs`; of those that are left, `then` says the rate."""

    then: Any = Cosine()
    epochs: int = 5
    start: float = 0.01

    def __post_init__(self) -> None:
        within("epochs", self.epochs, 0)
        within("start", self.start, 0, 1)
        check_schedule("then", self.then, self.epochs + 1)

    def at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        warm_steps = self.epochs * steps_per_epoch
        if step < warm_steps:
            return self.start + (1 - self.start) * step / warm_steps
        return self.then.at(step - warm_steps, steps_per_epoch, epochs - self.epochs)


@dataclass(frozen=True)
class OneCycle:
    """Rise linearly from `start` to 1 over `warm` of the steps, then fall along a cosine to zero."""

    warm: float = 0.25
    start: float = 0.04

    def __post_init__(self) -> None:
        within("warm", self.warm, 0, 0.99)
        within("start", self.start, 0, 1)

    def at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        done_share = step / (steps_per_epoch * epochs)
        if done_share < self.warm:
            return self.start + (1 - self.start) * done_share / self.warm
        return 0.5 * (1 + cos(pi * (done_share - self.warm) / (1 - self.warm)))


@dataclass(frozen=True)
class Strong:
    """What a strong view is altered by on top: `operations` drawn from a table of 14, then a grey square.

    Each operation is applied with `probability`, at `level` 0 .. 10 (10: the table in benchmark/train/strong.py).
    cutout: side of the square, as a fraction of the image's.
    """

    operations: int = 2
    level: float = 10
    probability: float = 0.5
    cutout: float = 16 / 224

    def __post_init__(self) -> None:
        for name, highest in (("operations", 100), ("level", 10), ("probability", 1), ("cutout", 1)):
            within(name, getattr(self, name), 0, highest)


@dataclass(frozen=True)
class Augment:
    """How training images are altered; every random choice is drawn per image. Lengths are fractions of the image.

    flip: probability of mirroring. pixel_noise: probability of Gaussian noise (variance 30 grey levels squared);
    with `exclusive` an image is never both mirrored and noisy (SCN, RUL: 50 % untouched, 25 % each).
    crop: range of the area kept by a random resized crop (aspect 3/4 to 4/3), None for none. jitter: brightness,
    contrast and saturation factors are uniform in 1 - jitter .. 1 + jitter, in random order. erase: probability of
    random erasing, `erase_area` its range. shift: with `shift_probability` an image is moved by up to this much in both
    directions, by a padded crop; `shift_fill` says what comes in, 'zero' or the 'reflect'ed image. resize: PIL filter
    from stored to training size. second_view: None, or EAC's mirrored second image: 'shared' is the exact mirror of the
    finished first one, 'independent' mirrors what the first one shows of the raw image and erases on its own; 'fresh'
    is another draw of the whole pipeline, not mirrored, 'strong' another draw, altered further as `strong` says.
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
    shift: float = 0.0
    shift_probability: float = 1.0
    shift_fill: str = "zero"
    strong: Strong = Strong()

    def __post_init__(self) -> None:
        for name in ("flip", "pixel_noise", "jitter", "erase", "shift_probability"):
            within(name, getattr(self, name), 0, 1)
        within("shift", self.shift, 0, 0.5)
        range_of("erase_area", self.erase_area, 1e-6, 1)
        if self.crop is not None:
            range_of("crop", self.crop, 0.01, 1)
        for name, lowest in (("mean", -100), ("std", 1e-6)):
            if len(getattr(self, name)) != 3:
                raise ValueError(f"{name}: {getattr(self, name)!r}, expected three numbers")
            for value in getattr(self, name):
                within(name, value, lowest, 100)
        for name, allowed_values in (("resize", RESIZE), ("second_view", SECOND_VIEWS), ("shift_fill", FILLS)):
            if getattr(self, name) not in allowed_values:
                raise ValueError(f"{name}: {getattr(self, name)!r} is none of {', '.join(map(str, allowed_values))}")


@dataclass(frozen=True)
class Recipe:
    """How a method is trained, as published; every field can be overridden with `--set recipe.FIELD=value`.

    backbone: a name of `methods.support.backbones.BACKBONES`. drop_last: leave out an incomplete last batch. optimiser and
    schedule may be dataclasses of one's own: with `lr` and `make(groups, on_gpu)`, which returns a torch optimiser, and with
    `at(step, steps_per_epoch, epochs)`, which returns what the rate is multiplied by.
    """

    epochs: int
    batch_size: int
    optimiser: Any
    schedule: Any
    augment: Augment
    drop_last: bool = False
    backbone: str = "resnet18"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            within(name, getattr(self, name), 1, 100_000)
        check_kind("optimiser", self.optimiser, "make(groups, on_gpu)", OPTIMISERS)
        within("optimiser: lr", getattr(self.optimiser, "lr", None), 0)
        check_schedule("schedule", self.schedule, self.epochs)


OPTIMISERS = (Adam, AdamW, SGD)
SCHEDULES = (Exponential, Steps, LinearToZero, Cosine, WarmUp, OneCycle)


def check_kind(name: str, value: Any, method: str, known_kinds: tuple[type, ...]) -> None:
    """Raise ValueError where a part of a recipe is none of `known_kinds` and no dataclass with `method`."""
    if type(value) in known_kinds:
        return
    names = ", ".join(kind.__name__ for kind in known_kinds)
    own_name = type(value).__name__
    if isinstance(value, type) or not dataclasses.is_dataclass(value):
        raise ValueError(
            f"{name}: {value!r}, expected one of {names} of methods.base, or a dataclass of your own with {method}"
        )
    if own_name in names.split(", "):
        raise ValueError(
            f"{name}: {own_name} is another class than that of methods.base; import that one, or rename yours"
        )
    if not callable(getattr(value, method.partition("(")[0], None)):
        raise ValueError(f"{name}: {own_name} has no {method}; write it, or take one of {names}")


def check_schedule(name: str, schedule: Any, epochs: int) -> None:
    """Raise ValueError where a schedule gives no number for the first and the last step of a run."""
    check_kind(name, schedule, "at(step, steps_per_epoch, epochs)", SCHEDULES)
    for step in (0, epochs - 1):
        try:
            within("its value", schedule.at(step, 1, epochs), 0)
        except Exception as error:  # whatever an author's own raises
            raise ValueError(f"{name}: {type(schedule).__name__} fails in step {step}: {error}") from error


BASIC = Augment(flip=0.25, pixel_noise=0.25, exclusive=True, erase=0.5)  # the data pipeline of SCN and RUL
RECIPE = Recipe(
    epochs=60,
    batch_size=64,
    optimiser=Adam(lr=2e-4, weight_decay=1e-4, head_lr=2e-3),
    schedule=Exponential(0.9),
    augment=BASIC,
)


@dataclass(frozen=True)
class Curve:
    """A number an epoch that shows a method's idea at work, and the values of it at which the idea does nothing."""

    name: str  # of the record's history: what `after_epoch` returns, 'loss NAME', or one that the engine counts
    title: str  # beside the axis; with '(%)' at its end the number is a share, which is drawn in per cent
    idle: tuple[float, float] | None = None  # from and to, both included
    idle_text: str = ""  # what follows where it idles, in plain words: 'its contrastive loss had no classes'

    def __post_init__(self) -> None:
        for name in ("name", "title"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise ValueError(f"mechanism: {name} is {getattr(self, name)!r}, expected a text")
        if self.idle is not None:
            range_of(f"mechanism {self.name}: idle", self.idle, -1e9, 1e9)
        if (self.idle is None) is not (self.idle_text == ""):
            raise ValueError(f"mechanism {self.name}: give both or neither of idle and idle_text")


def recipe_to_dict(value: Any) -> Any:
    """A recipe as nested dictionaries; each remembers the name of its class under 'kind'."""
    if dataclasses.is_dataclass(value):
        fields = {f.name: recipe_to_dict(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": type(value).__name__, **fields}
    return list(value) if isinstance(value, tuple) else value


def list_kinds(value: Any) -> dict[str, type]:
    """{name: class} of a recipe and of all that it holds."""
    if not dataclasses.is_dataclass(value):
        return {}
    kinds = {type(value).__name__: type(value)}
    for part_field in dataclasses.fields(value):
        kinds |= list_kinds(getattr(value, part_field.name))
    return kinds


def recipe_from_dict(value: Any, own_kinds: dict[str, type] | None = None) -> Any:
    """The recipe that `recipe_to_dict` took apart; own_kinds: classes that are not of this file, by name."""
    if isinstance(value, dict):
        fields = {key: recipe_from_dict(field_value, own_kinds) for key, field_value in value.items() if key != "kind"}
        kind = (own_kinds or {}).get(value["kind"]) or globals().get(value["kind"])
        if kind is None:
            raise ValueError(f"recipe: {value['kind']} is a class of another method's file")
        return kind(**fields)
    return tuple(value) if isinstance(value, list) else value
