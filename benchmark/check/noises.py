"""What `python -m benchmark check` asks of a kind of label noise, on 4,000 random labels."""

import tempfile
from pathlib import Path

import numpy as np

from benchmark.check.contract import Check, check_name, global_generators, of_class, require
from noise.base import Noise, NoiseError, Training
from noise.expressions import EIGHT, SEVEN

IMAGES = 4000
KNOWN = ("names", "votes", "images", "earlier_labels")
RATE = 0.3
NEAR = 0.03  # four standard deviations of a realised rate


def noise_checks(cls: type[Noise], data: Path | None = None) -> list[Check]:
    """The parts of the contract in `noise/base.py`."""
    named = {
        "name": check_noise_name,
        "labels for 8 classes": lambda cls: check_labels(cls, EIGHT),
        "labels for 7 classes": lambda cls: check_labels(cls, SEVEN),
        "the same seed gives the same labels": same_labels,
        "the realised rate": check_rate,
        "random numbers": check_generators,
        "training labels stay as they are": check_labels_unchanged,
        "data without what it needs is refused": check_missing_input,
        "identity": check_identity,
    }
    return of_class(cls, named)


def make_training_set(classes: tuple[str, ...] = EIGHT) -> Training:
    draw = np.random.default_rng(0)
    given = draw.integers(0, len(classes), IMAGES)
    names = np.array([f"train_{row:05d}.jpg" for row in range(IMAGES)])
    votes = draw.multinomial(10, np.full(len(classes), 1 / len(classes)), IMAGES)
    votes[np.arange(IMAGES), given] += 20
    images = draw.integers(0, 256, (IMAGES, 8, 8, 1), np.uint8)
    earlier = np.where(np.arange(IMAGES) % 3, given, np.arange(IMAGES) % len(classes))
    earlier[::50] = -1
    return Training(given, classes, names, votes.astype(np.float32), images, earlier_labels=earlier)


def add_noise(cls: type[Noise], data: Training, rate: float = RATE, seed: int = 0) -> np.ndarray:
    """The labels that the noise gives; one that reads a list gets one with every third label moved on."""
    if not cls.takes:
        return cls().labels(data, rate if cls.rated else 0.0, seed)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        moved = (data.labels + (np.arange(len(data.labels)) % 3 == 0)) % len(data.classes)
        file.writelines(f"{n} {data.classes[c]}\n" for n, c in zip(data.names, moved))
        file.flush()
        return cls(file.name).labels(data, rate if cls.rated else 0.0, seed)


def check_noise_name(cls: type[Noise]) -> None:
    check_name(cls.name)
    require(set(cls.needs) <= set(KNOWN), f"needs {cls.needs}: known are {', '.join(KNOWN)}")


def check_labels(cls: type[Noise], classes: tuple[str, ...]) -> None:
    found = add_noise(cls, make_training_set(classes))
    good = isinstance(found, np.ndarray) and found.shape == (IMAGES,) and found.dtype == np.int64
    require(good, f"labels gives no int64 array of shape [{IMAGES}]")
    require(found.min() >= 0 and found.max() < len(classes), f"labels outside 0..{len(classes) - 1}")


def same_labels(cls: type[Noise]) -> None:
    data = make_training_set()
    require(
        (add_noise(cls, data) == add_noise(cls, data)).all(),
        "labels differ for one seed; draw from random.Random(seed)",
    )
    if cls.rated:
        require((add_noise(cls, data) != add_noise(cls, data, seed=1)).any(), "another seed gives the same labels")


def check_rate(cls: type[Noise]) -> None:
    data = make_training_set()
    if not cls.rated:
        return
    for nominal in (0.1, RATE):
        found = float((add_noise(cls, data, nominal) != data.labels).mean())
        near = NEAR + (0.03 if nominal < 0.2 else 0)  # rates drawn per image and cut at zero are higher on average
        require(abs(found - nominal) < near, f"at rate {nominal} a share of {found:.3f} is flipped")


def check_generators(cls: type[Noise]) -> None:
    data = make_training_set()
    before = global_generators()
    add_noise(cls, data)
    same = before == global_generators()
    require(same, "a global generator is used; draw from random.Random(seed) or np.random.default_rng(seed)")


def check_labels_unchanged(cls: type[Noise]) -> None:
    data = make_training_set()
    before = data.labels.copy()
    add_noise(cls, data)
    require((before == data.labels).all(), "data.labels is changed in place; work on a copy")


def check_missing_input(cls: type[Noise]) -> None:
    whole = make_training_set()
    for need in cls.needs:
        poor = Training(whole.labels, whole.classes, **{n: getattr(whole, n) for n in cls.needs if n != need})
        try:
            (cls("list.txt") if cls.takes else cls()).labels(poor, RATE, 0)
        except NoiseError:
            continue
        require(False, f"data without {need} is not refused; raise NoiseError and name a kind that works")


def check_identity(cls: type[Noise]) -> None:
    if cls.takes:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write("train_00001.jpg anger\n")
            file.flush()
            found = cls(file.name).identity()
            require(Path(file.name).name not in found, "identity holds a path; use a hash of what is read")
    else:
        found = cls().identity()
    require(found.partition(":")[0] == cls.name, f"identity {found!r} does not start with the name")
