"""Faces: drawn faces with exact landmarks and simulated annotators, for runs without any data.

Every image shows one expression, blended with a second one that people take it for. Ten annotators vote from a known
distribution, made of the blend and of the confusions of people; the label is that distribution's only mode. Each image
comes from its own generators, so that any of them can be drawn alone.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.datasets.base import DataSet, Rows, Source
from benchmark.datasets.drawing import action_units, model, strokes
from benchmark.datasets.reading.rafdb import COUNTS
from noise.expressions import BY_COUNT, ORDERS

# Classes are as frequent as in RAF-DB's training list; contempt, which it has not, gets CONTEMPT of all images.
RAFDB = dict(zip(ORDERS["rafdb"], COUNTS["train"]))
CONTEMPT = 0.03

# Mean vote shares (column) of ten taggers on images with one majority class (row): FER+ (Barsoum et al., ICMI 2016),
# counted in the official label.csv over the 25,045 training images that the majority rule uses.
VOTED = ORDERS["ferplus"]
SHARES = np.array(
    [
        [0.784, 0.031, 0.018, 0.105, 0.027, 0.008, 0.005, 0.022],
        [0.042, 0.920, 0.021, 0.005, 0.004, 0.002, 0.002, 0.003],
        [0.057, 0.035, 0.790, 0.011, 0.015, 0.003, 0.085, 0.003],
        [0.165, 0.014, 0.010, 0.746, 0.023, 0.013, 0.018, 0.011],
        [0.075, 0.028, 0.061, 0.033, 0.734, 0.035, 0.025, 0.010],
        [0.086, 0.019, 0.023, 0.079, 0.131, 0.609, 0.017, 0.036],
        [0.046, 0.013, 0.173, 0.073, 0.031, 0.016, 0.644, 0.004],
        [0.145, 0.022, 0.013, 0.053, 0.039, 0.062, 0.009, 0.657],
    ]
)
VOTES = 10
HABIT = 0.3  # share of the disagreement that no image explains; the rest comes from blends
LEAD = 0.05  # the mode leads the next class by at least this share
WEAKEST, PLAIN = 0.3, 0.5  # intensities: the lowest one, and the one from which nobody sees a neutral face
VERSION = 2  # raised when a label or a vote changes
EXPRESSION, VOTE, LOOK, GRAIN = range(4)  # what a generator is for


@dataclass(frozen=True)
class Blend:
    """What one image shows. units: [units, 2] amounts; seen: [C] distribution of an annotator's vote."""

    units: np.ndarray
    seen: np.ndarray


class Faces(DataSet):
    name = "faces"
    title = "Faces (rendered)"
    size = 64
    channels = 3
    needs_path = False

    @dataclass(frozen=True)
    class Options:
        """train, test: images. classes: 8, or 7 without contempt. seed: of everything."""

        train: int = 8000
        test: int = 2000
        classes: int = 8
        seed: int = 68

        def __post_init__(self) -> None:
            if self.classes not in (7, 8):
                raise ValueError(f"classes={self.classes}: expected 8, or 7 (without contempt)")
            for split in ("train", "test"):
                if not 100 <= getattr(self, split) <= 1_000_000:
                    raise ValueError(f"{split}={getattr(self, split)}: expected 100 to 1000000 images")
            if self.seed < 0:
                raise ValueError(f"seed={self.seed}: expected a whole number from 0")

    def read(self, path: Path | None, options: Any) -> Source:
        """The rows of both splits; path is not used. Images are drawn when they are asked for."""
        classes = BY_COUNT[options.classes]
        train, test = (make_split(number, classes, options, self.size) for number in (0, 1))
        facts = {
            "label_rule": "label: the mode of ten simulated annotators' distribution",
            "train_set": f"{options.train} drawn faces",
            "licence": "drawn by this program",
            "landmarks": "exact, 68 points",
        }
        return Source(classes, train, test, facts, identity=describe_pixels(options, self.size))

    def stamp(self, path: Path | None, options: Any) -> list[tuple[str, int, int]]:
        return [(describe_pixels(options, self.size), 0, 0)]


def describe_pixels(options: Any, size: int) -> str:
    """What stands for the pixels of all images."""
    versions = f"{VERSION}.{strokes.VERSION}"
    return f"faces {versions} seed {options.seed} size {size} {options.train}/{options.test} classes {options.classes}"


def make_split(number: int, classes: tuple[str, ...], options: Any, size: int) -> Rows:
    """Rows of the training (0) or the test split (1)."""
    image_count = (options.train, options.test)[number]
    labels = draw_labels(image_count, classes, np.random.default_rng([options.seed, number]))
    seeds = [(options.seed, number, row) for row in range(image_count)]
    blends = [draw_blend(label, classes, seed) for label, seed in zip(labels, seeds)]
    votes = [np.random.default_rng([*seed, VOTE]).multinomial(VOTES, blend.seen) for blend, seed in zip(blends, seeds)]
    faces = [sample_look(blend, seed) for blend, seed in zip(blends, seeds)]

    def image(row: int) -> np.ndarray:
        return strokes.draw_face(faces[row], np.random.default_rng([*seeds[row], GRAIN]), size)

    # Rounded, so that the last bit of a product on another processor does not make it another data set.
    points = np.round([model.place_landmarks(face) for face in faces], 4).astype(np.float32)
    names = [f"{('train', 'test')[number]}_{row:05d}" for row in range(image_count)]
    return Rows(names, labels, image, np.array(votes, np.float32), points)


def draw_labels(count: int, classes: tuple[str, ...], rng: np.random.Generator) -> np.ndarray:
    """[count] int64 labels with the class shares above, rounded by largest remainders, in random order."""
    total_images = sum(RAFDB.values())
    class_shares = np.array([CONTEMPT if name == "contempt" else RAFDB[name] / total_images for name in classes])
    if "contempt" in classes:
        class_shares[[name != "contempt" for name in classes]] *= 1 - CONTEMPT
    exact_counts = class_shares * count
    class_counts = exact_counts.astype(int)
    class_counts[np.argsort(class_counts - exact_counts, kind="stable")[: count - class_counts.sum()]] += 1
    return rng.permutation(np.repeat(np.arange(len(classes)), class_counts))


@lru_cache
def vote_shares(classes: tuple[str, ...]) -> np.ndarray:
    """[C, C] vote shares of people: row = majority class, column = vote; rows sum to one."""
    class_order = [VOTED.index(name) for name in classes]
    share_table = SHARES[np.ix_(class_order, class_order)]
    return share_table / share_table.sum(1, keepdims=True)


def draw_blend(label: int, classes: tuple[str, ...], seed: tuple[int, int, int]) -> Blend:
    """Draw the blend of one image; again until its label leads by LEAD, so that the label is the mode.

    The second expression is drawn as people mistake the first one, and its mean weight is the share of their
    disagreement that HABIT leaves to the images. A weak expression is taken for a neutral face in part.
    """
    rng = np.random.default_rng([*seed, EXPRESSION])
    share_table = vote_shares(classes)
    neutral_class = classes.index("neutral")
    wrong_shares = np.where(np.arange(len(classes)) == label, 0, share_table[label]).cumsum()
    while True:
        second_class = int(np.searchsorted(wrong_shares, rng.uniform(0, wrong_shares[-1]), "right"))
        second_weight = rng.exponential((1 - HABIT) * (1 - share_table[label, label]))
        intensity = rng.uniform(WEAKEST, 1)
        class_weights = np.zeros(len(classes))
        class_weights[label] = 1 - second_weight
        class_weights[second_class] = second_weight
        strength = min(intensity / PLAIN, 1)
        blend = strength * class_weights
        blend[neutral_class] += 1 - strength
        seen_shares = (1 - HABIT) * blend + HABIT * blend @ share_table
        second_share, best_share = np.sort(seen_shares)[-2:]
        if second_weight < 1 and seen_shares[label] == best_share > second_share + LEAD:
            break
    mixed_units = sum(class_weights[c] * action_units.choose_form(classes[c], rng) for c in (label, second_class))
    return Blend(intensity * mixed_units, seen_shares)


def sample_look(blend: Blend, seed: tuple[int, int, int]) -> model.Face:
    return model.sample_face(blend.units, np.random.default_rng([*seed, LOOK]))
