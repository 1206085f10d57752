"""What `python -m benchmark check` asks of a kind of label noise, on 4,000 random labels."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmark import plugins
from benchmark.check.contract import Wrong, check_name, global_generators, require
from noise.base import Noise, NoiseError, Training
from noise.expressions import EIGHT, SEVEN

IMAGES = 4000
KNOWN = ("names", "votes", "images", "earlier_labels")
RATE = 0.3
NEAR = 0.03  # four standard deviations of a realised rate


def make_training_set(classes: tuple[str, ...] = EIGHT) -> Training:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, len(classes), IMAGES)
    names = np.array([f"train_{row:05d}.jpg" for row in range(IMAGES)])
    votes = generator.multinomial(10, np.full(len(classes), 1 / len(classes)), IMAGES)
    votes[np.arange(IMAGES), labels] += 20
    images = generator.integers(0, 256, (IMAGES, 8, 8, 1), np.uint8)
    earlier_labels = np.where(np.arange(IMAGES) % 3, labels, np.arange(IMAGES) % len(classes))
    earlier_labels[::50] = -1
    return Training(labels, classes, names, votes.astype(np.float32), images, earlier_labels=earlier_labels)


def flip_labels(cls: type[Noise], data: Training, rate: float = RATE, seed: int = 0) -> np.ndarray:
    """The labels that the noise gives; one that reads a list gets one with every third label moved on."""
    if not cls.takes:
        return cls().labels(data, rate if cls.rated else 0.0, seed)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as list_file:
        moved_labels = (data.labels + (np.arange(len(data.labels)) % 3 == 0)) % len(data.classes)
        list_file.writelines(f"{name} {data.classes[label]}\n" for name, label in zip(data.names, moved_labels))
        list_file.flush()
        return cls(list_file.name).labels(data, rate if cls.rated else 0.0, seed)


def check_noise_name(cls: type[Noise]) -> None:
    check_name(cls, "noise", plugins.find_noises())
    require(set(cls.needs) <= set(KNOWN), f"needs {cls.needs}: known are {', '.join(KNOWN)}")


def check_labels(cls: type[Noise], classes: tuple[str, ...]) -> None:
    noisy_labels = flip_labels(cls, make_training_set(classes))
    is_array = isinstance(noisy_labels, np.ndarray) and noisy_labels.dtype == np.int64
    require(is_array and noisy_labels.shape == (IMAGES,), f"labels gives no int64 array of shape [{IMAGES}]")
    require(noisy_labels.min() >= 0 and noisy_labels.max() < len(classes), f"labels outside 0..{len(classes) - 1}")


def same_labels(cls: type[Noise]) -> None:
    data = make_training_set()
    is_same = (flip_labels(cls, data) == flip_labels(cls, data)).all()
    require(is_same, "labels differ for one seed; draw from random.Random(seed)")
    if cls.rated:
        require((flip_labels(cls, data) != flip_labels(cls, data, seed=1)).any(), "another seed gives the same labels")


def check_rate(cls: type[Noise]) -> None:
    data = make_training_set()
    if not cls.rated:
        return
    for nominal in (0.1, RATE):
        flipped_share = float((flip_labels(cls, data, nominal) != data.labels).mean())
        tolerance = NEAR + (0.03 if nominal < 0.2 else 0)  # rates drawn per image and cut at zero are higher on average
        is_near = abs(flipped_share - nominal) < tolerance
        require(is_near, f"at rate {nominal} a share of {flipped_share:.3f} is flipped")


def check_generators(cls: type[Noise]) -> None:
    data = make_training_set()
    states_before = global_generators()
    flip_labels(cls, data)
    is_unchanged = states_before == global_generators()
    require(is_unchanged, "a global generator is used; draw from random.Random(seed) or np.random.default_rng(seed)")


def check_labels_unchanged(cls: type[Noise]) -> None:
    data = make_training_set()
    labels_before = data.labels.copy()
    flip_labels(cls, data)
    require((labels_before == data.labels).all(), "data.labels is changed in place; work on a copy")


def check_missing_input(cls: type[Noise]) -> None:
    full_data = make_training_set()
    for need in cls.needs:
        other_needs = {name: getattr(full_data, name) for name in cls.needs if name != need}
        lacking_data = Training(full_data.labels, full_data.classes, **other_needs)
        try:
            (cls("list.txt") if cls.takes else cls()).labels(lacking_data, RATE, 0)
            found = "is not refused"
        except NoiseError:
            continue
        except Exception as error:  # whatever an author's code raises
            found = f"is refused by {type(error).__name__}"
        raise Wrong(f"data without {need} {found}; if data.{need} is None, raise NoiseError and name a kind that works")


def check_identity(cls: type[Noise]) -> None:
    if cls.takes:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("train_00001.jpg anger\n")
            file.flush()
            identity = cls(file.name).identity()
            require(Path(file.name).name not in identity, "identity holds a path; use a hash of what is read")
    else:
        identity = cls().identity()
    require(identity.partition(":")[0] == cls.name, f"identity {identity!r} does not start with the name")


# The parts of the contract in `noise/base.py`.
CHECKS: dict[str, Callable[[type[Noise]], None]] = {
    "name": check_noise_name,
    "labels for 8 classes": partial(check_labels, classes=EIGHT),
    "labels for 7 classes": partial(check_labels, classes=SEVEN),
    "the same seed gives the same labels": same_labels,
    "the realised rate": check_rate,
    "random numbers": check_generators,
    "training labels stay as they are": check_labels_unchanged,
    "data without what it needs is refused": check_missing_input,
    "identity": check_identity,
}
