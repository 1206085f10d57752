"""Accuracies by every rule, and what accuracy hides."""

from typing import Any

import numpy as np

from results.schema import LAST_EPOCHS


def compute_metrics(trainer: Any, wrongness: np.ndarray) -> dict[str, Any]:
    """Accuracies by every rule, and what accuracy hides, of the last epoch; fractions of 1."""
    history, data = trainer.state.history, trainer.data
    accuracy = np.array(history["test_accuracy"])
    predicted = trainer.state.predictions[-1].numpy().astype(int)
    wrong, margin = data.given != data.clean, mean_margin(trainer)
    found = {
        "last": accuracy[-1],
        "best": accuracy.max(),
        "best_epoch": int(accuracy.argmax()) + 1,
        "last5": accuracy[-LAST_EPOCHS:].mean(),
        "majority": np.bincount(data.test_labels, minlength=len(data.classes))[np.bincount(data.given).argmax()]
        / len(data.test_labels),
        "calibration_error": calibration_error(
            trainer.state.confidence.double().numpy(), predicted == data.test_labels
        ),
        "wrong_label_auroc": auroc(wrongness, wrong),
        "wrong_label_fnr": missed_rate(wrongness, wrong),
        "margin_auroc": auroc(-margin, wrong),
        "margin_fnr": missed_rate(-margin, wrong),
        **class_metrics(data.test_labels, predicted, len(data.classes)),
    }
    if "noisy_validation" in history:
        found["noisy_val"] = accuracy[int(np.argmax(history["noisy_validation"]))]
    return {name: float(value) if isinstance(value, np.floating) else value for name, value in found.items()}


def mean_margin(trainer: Any) -> np.ndarray:
    """[n] the given label's logit less the largest other one, averaged over the epochs in which an image was seen.

    The area under the margin (Pleiss et al., NeurIPS 2020): the reference detector of wrong labels, the same for every
    method. Zero where an image was never drawn.
    """
    total, seen = trainer.state.margin.double().cpu().numpy().T
    return total / np.maximum(seen, 1)


def missed_rate(score: np.ndarray, positive: np.ndarray) -> float | None:
    """False-negative rate when as many images are flagged, by the largest scores, as are wrong; None where none is.

    Images with the score at which flagging ends are flagged in part, as a random choice among them would on average.
    """
    many = int(positive.sum())
    if not many:
        return None
    last = np.sort(score)[-many]
    above, level = score > last, score == last
    share = (many - above.sum()) / level.sum()
    return float(1 - (positive[above].sum() + share * positive[level].sum()) / many)


def class_metrics(labels: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, Any]:
    """Confusion matrix (row = true class) and what follows from it; a class without images counts nowhere."""
    confusion = np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)
    hits, of_class, as_class = np.diag(confusion), confusion.sum(1), confusion.sum(0)
    seen = of_class > 0
    recall = np.divide(hits, of_class, out=np.zeros(classes), where=seen)
    f1 = 2 * hits / np.maximum(of_class + as_class, 1)
    return {
        "confusion": confusion.tolist(),
        "per_class": [float(r) if s else None for r, s in zip(recall, seen)],
        "balanced_accuracy": recall[seen].mean(),
        "macro_f1": f1[seen].mean(),
    }


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error with equal-width bins (Guo et al., ICML 2017, equation 3)."""
    of_bin = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.bincount(of_bin, confidence, bins) - np.bincount(of_bin, correct, bins)
    return float(np.abs(gap).sum() / len(confidence))


def auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve, ties counted half; None where there is no positive or no negative."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return None
    values, inverse, many = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(many) - (many - 1) / 2)[inverse]
    return float((rank[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
