"""What a noise did: realised rates and transitions."""

import numpy as np


def realised_rates(clean: np.ndarray, noisy: np.ndarray, classes: int) -> dict[str, float | list[float | None]]:
    """Share of wrong labels, over all images (`rate`) and of each true class (`per_class`, None for an empty one)."""
    clean = np.asarray(clean)
    is_wrong = clean != np.asarray(noisy)
    per_class = [float(is_wrong[clean == c].mean()) if (clean == c).any() else None for c in range(classes)]
    return {"rate": float(is_wrong.mean()), "per_class": per_class}


def transition_matrix(clean: np.ndarray, noisy: np.ndarray, classes: int) -> np.ndarray:
    """[classes, classes] share of each true class (row) that is given each label; the row of an empty class is zero."""
    counts = np.zeros((classes, classes))
    np.add.at(counts, (clean, noisy), 1)
    return counts / np.maximum(counts.sum(1, keepdims=True), 1)
