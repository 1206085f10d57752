"""The contract between the engine and a method: a method owns its idea, the engine owns everything else.

The engine gives images, labels and random numbers, steps the optimiser, evaluates, keeps checkpoints and writes the
record. A method says which heads it puts on the backbone, which losses it minimises, what it remembers of samples
and how it predicts. What it publishes as numbers (epochs, rates, augmentation) it declares as data.
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from methods.support.average import Frozen
from methods.support.backbones import Backbone, spatial_mean
from methods.support.recipe import (
    BASIC,
    IMAGENET_MEAN,
    IMAGENET_STD,
    RECIPE,
    SGD,
    Adam,
    AdamW,
    Augment,
    Cosine,
    Curve,
    Exponential,
    LinearToZero,
    OneCycle,
    Recipe,
    Steps,
    Strong,
    WarmUp,
    range_of,
    within,
)
from methods.support.search import Choice, LogUniform, Range, Uniform, WholeNumber, settings_chosen

__all__ = [  # what a method's file may take from here
    "BASIC",
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "RECIPE",
    "SGD",
    "Adam",
    "AdamW",
    "Augment",
    "Backbone",
    "Batch",
    "Choice",
    "Cosine",
    "Curve",
    "Exponential",
    "Frozen",
    "LinearToZero",
    "LogUniform",
    "Method",
    "OneCycle",
    "Recipe",
    "Run",
    "Steps",
    "Strong",
    "Uniform",
    "WarmUp",
    "WholeNumber",
    "range_of",
    "scaled",
    "settings_chosen",
    "spatial_mean",
    "within",
]


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
    needs_landmarks: `Batch.landmarks` is filled. backbone_needs: 'features' ([B, width], any network), 'maps'
    (`backbone.maps`) or 'pyramid' (`stem`, `layer1` to `layer4`, each map half as wide as the one before). networks: how
    many backbones `build` is given, each with its start weights. survey: whether `survey_batch` is shown the training set
    after each epoch, 'plain' (as the test images are seen) or 'augmented' (as for training); None: it is not. as_published:
    the recipe of the method's own program where it differs from the comparison recipe. demo: parameters that the demo scale
    replaces, as {name: (value, reason)}. mechanism: one or two curves of the history that show the method's idea at work.
    The engine counts what needs clean labels: 'relabelled_so_far' and 'relabelled_right' from `labels`,
    'estimate_keeps_clean' from an `opinion` that needs no images; declare them here and do nothing else.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str] = ""
    version: ClassVar[int] = 1
    needs_landmarks: ClassVar[bool] = False
    backbone_needs: ClassVar[str] = "features"
    networks: ClassVar[int] = 1
    survey: ClassVar[str | None] = None
    recipe: ClassVar[Recipe]
    as_published: ClassVar[Recipe | None] = None
    demo: ClassVar[dict[str, tuple[Any, str]]] = {}
    mechanism: ClassVar[tuple[Curve, ...]] = ()
    search: ClassVar[dict[str, Range]] = {}  # {parameter, or recipe field as 'recipe.augment.erase': what is tried}
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

    def build(self, backbone: Backbone, classes: int, *others: Backbone) -> None:
        """Put the heads on a backbone that already holds its start weights; others: as many more as `networks` says."""
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
        """[B, classes] in evaluation mode; the prediction is the first maximum. Other weights may predict (an average)."""
        raise NotImplementedError

    def loss(self, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """The losses whose sum is minimised, by name, and the [B, classes] logits of the batch's own images."""
        raise NotImplementedError

    def after_backward(self, batch: Batch) -> None:
        """Called between the backward pass and the optimiser step: gradients may be read and changed."""

    def after_step(self, batch: Batch) -> None:
        """Called after every optimiser step."""

    def survey_after(self, epoch: int) -> str | None:
        """The kind of survey after this epoch (1-based); for a method that does not need one after each."""
        return self.survey

    def survey_batch(self, batch: Batch) -> None:
        """Shown every training image once after the epoch's steps, without gradients, in evaluation mode.

        For what `after_epoch` then makes of it; batch.labels: the method's current ones.
        """
        raise NotImplementedError

    def captured_anew(self, epoch: int) -> Any:
        """On a GPU a step is captured once and replayed: what Python works out in it stays as it was.

        Steps of two epochs (1-based) are one capture only where this is equal in both; None: steps are not captured. A
        method that does not say, and whose step asks for `batch.epoch`, is captured anew in every epoch.
        """
        return True

    def after_epoch(self, epoch: int) -> dict[str, Tensor]:
        """Called after every epoch, and its survey; returns scalars worth a curve in the record."""
        return {}

    def opinion_needs_images(self) -> bool:
        """Whether `opinion` looks at `batch.images`; where not, they are not made, and are [B, 0]."""
        return True

    def opinion(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the method thinks of un-augmented training images: label distributions [B, classes], wrongness [B].

        A larger wrongness means that the given label (`batch.labels`, never relabelled) is more likely wrong.
        """
        distribution = self.logits(batch.images).softmax(1)
        return distribution, 1 - distribution.gather(1, batch.labels[:, None])[:, 0]
