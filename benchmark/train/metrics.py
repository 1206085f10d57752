"""Accuracies by every rule, and what accuracy hides."""

from typing import Any

import numpy as np

from results.schema import LAST_EPOCHS


def compute_metrics(trainer: Any, wrongness: np.ndarray) -> dict[str, Any]:
    """Accuracies by every rule, and what accuracy hides, of the last epoch; fractions of 1."""
    history = trainer.state.history
    data = trainer.data
    accuracy = np.array(history["test_accuracy"])
    predicted = trainer.state.predictions[-1].numpy().astype(int)
    is_wrong = data.given != data.clean
    margins = mean_margin(trainer)
    test_confidence = trainer.state.confidence.double().numpy()
    metrics = {
        "last": accuracy[-1],
        "best": accuracy.max(),
        "best_epoch": int(accuracy.argmax()) + 1,
        "last5": accuracy[-LAST_EPOCHS:].mean(),
        "majority": (data.test_labels == np.bincount(data.given).argmax()).mean(),
        "calibration_error": calibration_error(test_confidence, predicted == data.test_labels),
        "wrong_label_auroc": auroc(wrongness, is_wrong),
        "wrong_label_fnr": missed_rate(wrongness, is_wrong),
        "margin_auroc": auroc(-margins, is_wrong),
        "margin_fnr": missed_rate(-margins, is_wrong),
        **class_metrics(data.test_labels, predicted, len(data.classes)),
    }
    if "noisy_validation" in history:
        metrics["noisy_val"] = accuracy[int(np.argmax(history["noisy_validation"]))]
    return {name: float(value) if isinstance(value, np.floating) else value for name, value in metrics.items()}


def mean_margin(trainer: Any) -> np.ndarray:
    """[n] the given label's logit less the largest other one, averaged over the epochs in which an image was seen.

    The area under the margin (Pleiss et al., NeurIPS 2020): the reference detector of wrong labels, the same for every
    method. Zero where an image was never drawn.
    """
    margin_sums, look_counts = trainer.state.margin.double().cpu().numpy().T
    return margin_sums / np.maximum(look_counts, 1)


def missed_rate(score: np.ndarray, positive: np.ndarray) -> float | None:
    """False-negative rate when as many images are flagged, by the largest scores, as are wrong; None where none is.

    Images with the score at which flagging ends are flagged in part, as a random choice among them would on average.
    """
    wrong_count = int(positive.sum())
    if not wrong_count:
        return None
    last_score = np.sort(score)[-wrong_count]
    is_above = score > last_score
    is_level = score == last_score
    level_share = (wrong_count - is_above.sum()) / is_level.sum()
    return float(1 - (positive[is_above].sum() + level_share * positive[is_level].sum()) / wrong_count)


def class_metrics(labels: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, Any]:
    """Confusion matrix (row = true class) and what follows from it; a class without images counts nowhere."""
    confusion = np.bincount(labels * classes + predicted, minlength=classes * classes).reshape(classes, classes)
    hits = np.diag(confusion)
    class_sizes = confusion.sum(1)
    predicted_sizes = confusion.sum(0)
    has_images = class_sizes > 0
    recall = np.divide(hits, class_sizes, out=np.zeros(classes), where=has_images)
    f1 = 2 * hits / np.maximum(class_sizes + predicted_sizes, 1)
    return {
        "confusion": confusion.tolist(),
        "per_class": [float(share) if is_counted else None for share, is_counted in zip(recall, has_images)],
        "balanced_accuracy": recall[has_images].mean(),
        "macro_f1": f1[has_images].mean(),
    }


def calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error with equal-width bins (Guo et al., ICML 2017, equation 3)."""
    bin_numbers = np.minimum((confidence * bins).astype(int), bins - 1)
    bin_gaps = np.bincount(bin_numbers, confidence, bins) - np.bincount(bin_numbers, correct, bins)
    return float(np.abs(bin_gaps).sum() / len(confidence))


def auroc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve, ties counted half; None where there is no positive or no negative."""
    positives = int(positive.sum())
    negatives = int((~positive).sum())
    if not positives or not negatives:
        return None
    # As scipy.stats.rankdata, whose import every job would wait for.
    _, value_numbers, tie_counts = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(tie_counts) - (tie_counts - 1) / 2)[value_numbers]  # ties share their mean rank
    return float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives))
