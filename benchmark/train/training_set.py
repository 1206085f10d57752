"""What a job trains on: the images of its scale, and the labels after its noise."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmark import plugins
from benchmark.cache.decoded import Data
from benchmark.cache.resized import load_resized
from benchmark.datasets.points import reduce_to_19_points
from benchmark.scale import HELD_OUT, restore_scale
from benchmark.source_code import hash_own_code
from noise.statistics import realised_rates
from results.job import Job, json_digest, stream_seed


@dataclass(frozen=True)
class TrainingSet:
    """One job's data. clean is for the record only and never reaches a method.

    images, held_images, test_images: uint8 [n, S, S, channels]. given, clean: [n] int64. landmarks: [n, 19, 2] float32
    as fractions of the image, zero where not usable; usable: [n] bool; both None where the data set has none.
    held_images, held_labels: a part of the scale's training images, left out of training to choose an epoch.
    unused_images, unused_labels: others of the training split with noisy labels, looked at once, to choose settings.
    rows: rows of the data cache. noise: what the record says of the labels; noise_labels: all of them, as hashed.
    """

    classes: tuple[str, ...]
    images: np.ndarray
    given: np.ndarray
    clean: np.ndarray
    landmarks: np.ndarray | None
    usable: np.ndarray | None
    rows: np.ndarray
    held_images: np.ndarray
    held_labels: np.ndarray
    test_images: np.ndarray
    test_labels: np.ndarray
    test_rows: np.ndarray
    noise: dict[str, Any]
    noise_labels: np.ndarray
    unused_images: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 1), np.uint8))
    unused_labels: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


def training_set(data: Data, job: Job, argument: str = "", folders: tuple[str, ...] = ()) -> TrainingSet:
    """The training and test images of a job's scale, with the labels that its noise gives.

    argument: what follows the colon of the noise (`file:PATH`). folders: where noises of one's own lie.
    """
    class_count = len(data.classes)
    scale = restore_scale(job.scale)
    train = data.train
    test = data.test
    rows = scale.train_rows(train.labels, class_count)
    test_rows = scale.test_rows(test.labels, class_count)
    clean_labels = np.asarray(train.labels)[rows]
    given_labels = noisy_labels(data, job, rows, argument, folders, job.seed)
    kept_rows = np.arange(len(rows))
    held_rows = np.arange(0)
    if job.holdout:
        holdout_generator = np.random.Generator(np.random.PCG64(stream_seed("holdout", data.name, job.seed)))
        mixed_rows = holdout_generator.permutation(len(rows))
        held_count = int(len(rows) * HELD_OUT)
        held_rows = np.sort(mixed_rows[:held_count])
        kept_rows = np.sort(mixed_rows[held_count:])
    if job.part == "correct":
        kept_rows = kept_rows[given_labels[kept_rows] == clean_labels[kept_rows]]
    landmarks = usable = None
    if train.landmarks is not None:
        points = np.asarray(train.landmarks)[rows[kept_rows]]
        points = reduce_to_19_points(points) if points.shape[1] == 68 else points
        usable = np.isfinite(points).all((1, 2))
        landmarks = np.where(usable[:, None, None], points, 0).astype(np.float32)
    unused_rows = np.arange(0) if job.holdout else scale.held_out_rows(train.labels, class_count)
    noise_rates = realised_rates(clean_labels, given_labels, class_count)
    return TrainingSet(
        classes=tuple(data.classes),
        images=load_resized(data, "train", rows[kept_rows], scale),
        given=given_labels[kept_rows],
        clean=clean_labels[kept_rows],
        landmarks=landmarks,
        usable=usable,
        rows=rows[kept_rows],
        held_images=load_resized(data, "train", rows[held_rows], scale),
        held_labels=given_labels[held_rows],
        unused_images=load_resized(data, "train", unused_rows, scale),
        unused_labels=noisy_labels(data, job, unused_rows, argument, folders, stream_seed("held out", job.seed)),
        test_images=load_resized(data, "test", test_rows, scale),
        test_labels=np.asarray(test.labels)[test_rows],
        test_rows=test_rows,
        noise={
            "nominal": None if job.noise["rate"] is None else float(job.noise["rate"]),
            "realised": noise_rates["rate"],
            "per_class": noise_rates["per_class"],
            "hash": json_digest(given_labels.tolist()),
        },
        noise_labels=given_labels,
    )


def noisy_labels(
    data: Data, job: Job, rows: np.ndarray, argument: str, folders: tuple[str, ...], seed: int
) -> np.ndarray:
    """The given labels of the images `rows` of the training split: the same for every method."""
    if not len(rows):
        return np.zeros(0, np.int64)
    name = job.noise["kind"].partition(":")[0]
    noise = plugins.make_noise(f"{name}:{argument}" if argument else name, folders)
    if noise.identity() != job.noise["kind"] or hash_own_code(type(noise)) != job.noise.get("code"):
        changed_thing = argument or "its file"
        raise ValueError(
            f"--noise {name}: {changed_thing} was changed since this job was planned; run the command again"
        )
    earlier_hash = data.info.get("earlier_labels", "")[:20] if "earlier_labels" in noise.needs else None
    if earlier_hash != job.noise.get("earlier_labels"):
        raise ValueError(
            f"--noise {name}: the earlier labels of {data.name} were changed since this job was planned; run the command again"
        )
    noise_input = data.noise_input(noise, rows)
    for need in noise.needs:
        if getattr(noise_input, need) is None:
            raise ValueError(f"--noise {noise.name}: the data set {data.name} has no {need}; choose another noise")
    return noise.labels(noise_input, float(job.noise["rate"] or 0), seed)
