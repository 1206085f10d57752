"""The numbers that `--metric` can show, of one run: epoch by epoch, and what each test image adds to them."""

from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np

from results.records import Records
from results.schema import LAST_EPOCHS, class_names


@dataclass(frozen=True)
class Metric:
    title: str  # begins a caption, and stands in place of 'Accuracy' in the title of a table
    axis: str  # of a picture
    explanation: str = ""  # behind the title in a caption

    @property
    def caption(self) -> str:
        return f"{self.title}{self.explanation and f' ({self.explanation})'}"


METRICS = {
    "accuracy": Metric("Accuracy", "accuracy (%)"),
    "balanced": Metric("Balanced accuracy", "balanced accuracy (%)", "mean over classes"),
    "macro-f1": Metric("Macro F1", "macro F1 (%)", "mean over classes"),
    "worst-class": Metric("Accuracy of the worst class", "accuracy of the worst class (%)", "the lowest in each run"),
}


def confusion_matrices(predictions: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """[epochs, classes, classes] counts, row = true class, of predictions [epochs, images]."""
    cells = labels.astype(int) * classes + predictions.astype(int)
    counts = [np.bincount(row, minlength=classes**2).reshape(classes, classes) for row in cells]
    return np.array(counts).reshape(-1, classes, classes)


def metric_of(confusion: np.ndarray, metric: str) -> np.ndarray:
    """[...] shares of 1 from confusion matrices [..., classes, classes]; a class without images counts nowhere."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    of_class = confusion.sum(-1)
    if metric == "accuracy":
        return hits.sum(-1) / of_class.sum(-1)
    has_images = of_class > 0
    by_class = f1_of(confusion) if metric == "macro-f1" else hits / np.maximum(of_class, 1)
    if metric == "worst-class":
        return np.where(has_images, by_class, 1).min(-1)
    return (by_class * has_images).sum(-1) / has_images.sum(-1)


def f1_of(confusion: np.ndarray) -> np.ndarray:
    """[..., classes] F1 of each class."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    return 2 * hits / np.maximum(confusion.sum(-1) + confusion.sum(-2), 1)


def are_classes(arrays: dict[str, np.ndarray], classes: int) -> bool:
    """Whether predictions and labels of a record are classes of its data set."""
    return all(arrays[name].size and arrays[name].max() < classes for name in ("predictions", "test_labels"))


def metric_after_each_epoch(record: dict[str, Any], metric: str, records: Records) -> np.ndarray | None:
    """[epochs] shares of 1; None where the record keeps no predictions of every epoch."""
    history = read_history(record, "test_accuracy")
    if metric == "accuracy":
        return history
    arrays = records.arrays(record["id"], ("predictions", "test_labels"))
    classes = len(class_names(record))
    if arrays is None or history is None or len(arrays["predictions"]) != len(history):
        return None
    if not are_classes(arrays, classes) or arrays["predictions"].shape[1:] != arrays["test_labels"].shape:
        return None
    return metric_of(confusion_matrices(arrays["predictions"], arrays["test_labels"], classes), metric)


def read_history(record: dict[str, Any], name: str) -> np.ndarray | None:
    """A curve of a record, a number an epoch; None where it keeps none, or something else."""
    try:
        values = np.array(record["history"][name], float)
    except (KeyError, TypeError, ValueError):
        return None
    return values if values.ndim == 1 and np.isfinite(values).all() else None


def metric_in_last_epoch(record: dict[str, Any], metric: str) -> float | None:
    """A share of 1 as the record says it; None where it does not."""
    recorded = record["metrics"]
    values = {
        "accuracy": recorded.get("last"),
        "balanced": recorded.get("balanced_accuracy"),
        "macro-f1": recorded.get("macro_f1"),
        "worst-class": min((value for value in recorded.get("per_class") or [] if value is not None), default=None),
    }
    value = values[metric]
    return float(value) if isinstance(value, (int, float)) and isfinite(value) else None


def largest_class(record: dict[str, Any], metric: str) -> float | None:
    """A share of 1: the metric of an answer that always names the largest class; None where the record does not say."""
    share = record["metrics"].get("majority")
    classes = sum(value is not None for value in record["metrics"].get("per_class") or [])
    if share is None or metric == "accuracy":
        return share
    if metric == "worst-class":
        return float(classes == 1)
    if not classes:
        return None
    return (2 * share / (1 + share) if metric == "macro-f1" else 1) / classes


def chosen_epochs(record: dict[str, Any], rule: str, curve: np.ndarray | None) -> slice:
    """The epochs that a rule looks at. curve: [epochs] the metric, None for accuracy."""
    if rule == "last5":
        return slice(-LAST_EPOCHS, None)
    if rule == "last":
        return slice(-1, None)
    if rule == "noisy_val":
        best_epoch = int(np.argmax(record["history"]["noisy_validation"]))
    else:
        best_epoch = record["metrics"]["best_epoch"] - 1 if curve is None else int(curve.argmax())
    return slice(best_epoch, best_epoch + 1)


def metric_by_rule(record: dict[str, Any], rule: str, metric: str, curve: np.ndarray | None) -> float | None:
    """A share of 1; None where the record does not have it. curve: [epochs] the metric, where it is kept."""
    if metric == "accuracy":
        return record["metrics"].get(rule)
    if rule == "last":
        return metric_in_last_epoch(record, metric)
    if curve is None or (rule == "noisy_val" and "noisy_validation" not in record["history"]):
        return None
    return float(curve[chosen_epochs(record, rule, curve)].mean())


def image_values(predictions: np.ndarray, labels: np.ndarray, classes: int, metric: str) -> np.ndarray:
    """[images] what each test image adds to a metric, mean over the epochs of predictions [epochs, images].

    For accuracy their mean is the metric; for the others the mean over classes of the means of each class. Macro F1 is not
    linear in the images: of it the first-order values (delta method).
    """
    correct = (predictions == labels).astype(float)
    if metric in ("accuracy", "balanced"):
        return correct.mean(0)
    counts = confusion_matrices(predictions, labels, classes)
    return np.mean([values_of_epoch(*epoch, labels, metric) for epoch in zip(predictions, correct, counts)], axis=0)


def values_of_epoch(
    predicted: np.ndarray, correct: np.ndarray, confusion: np.ndarray, labels: np.ndarray, metric: str
) -> np.ndarray:
    """[images] the same of one epoch, for the two metrics that depend on which class is which."""
    of_class = confusion.sum(1)
    has_images = of_class > 0
    if metric == "worst-class":
        share = np.where(has_images, np.diag(confusion) / np.maximum(of_class, 1), 1)
        return has_images.sum() * correct * (labels == share.argmin())
    f1 = f1_of(confusion)
    size = np.maximum(of_class + confusion.sum(0), 1)
    pull = has_images * f1 / size  # what an image takes from a class by being of it, or by being taken for it
    slope = 2 * correct * (has_images / size)[labels] - pull[labels] - pull[predicted]
    return metric_of(confusion, metric) + of_class[labels] * slope
