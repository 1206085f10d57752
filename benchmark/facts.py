"""The record of a finished run: what was measured, on what, and what it stands on."""

import importlib.metadata
import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.source import code
from methods.recipe import plain
from results.files import write_bytes
from results.job import digest
from results.schema import SCHEMA
from results.store import Store

LAST = 5  # epochs in 'mean of the last five'


def record(trainer: Any, resolved: dict[str, Any], distribution: np.ndarray, wrongness: np.ndarray) -> dict[str, Any]:
    """The record of a run (docs/architecture.md), from a trainer that has run to its end."""
    import torch

    job, data, times = trainer.job, trainer.data, trainer.clock.parts
    seconds = {name: round(value, 4) for name, value in times.items()}
    evaluated = len(data.test_images) * len(trainer.state.predictions) + len(data.given)
    on_gpu = trainer.device.type == "cuda"
    return {
        "schema": SCHEMA,
        "id": job.id,
        "status": "ok",
        "spec": job.spec,
        "code": code(type(trainer.method)),
        "resolved": resolved
        | {"recipe": plain(trainer.recipe), "method_title": type(trainer.method).title}
        | {"data": resolved["data"] | {"class_names": list(data.classes), **counts(data)}},
        "noise": data.noise,
        "metrics": metrics(trainer, wrongness),
        "history": trainer.state.history,
        "times": seconds | {"total": round(sum(times.values()), 4)},
        "peak_memory": torch.cuda.max_memory_allocated() if on_gpu else peak_memory(),
        "jobs_on_card": trainer.place.jobs_on_card,
        "cost": {
            "parameters": sum(p.numel() for p in trainer.method.parameters() if p.requires_grad),
            "inference_images_per_second": round(evaluated / max(times["evaluation"], 1e-9), 1),
        },
        "provenance": provenance(trainer.place),
    }


def counts(data: Any) -> dict[str, Any]:
    return {
        "train_images": len(data.given),
        "test_images": len(data.test_labels),
        "train_per_class": np.bincount(data.clean, minlength=len(data.classes)).tolist(),
        "test_per_class": np.bincount(data.test_labels, minlength=len(data.classes)).tolist(),
    }


def arrays(trainer: Any, distribution: np.ndarray, wrongness: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays beside the record (docs/architecture.md)."""
    data = trainer.data
    return {
        "predictions": np.stack([part.numpy() for part in trainer.state.predictions]),
        "test_labels": data.test_labels.astype(np.uint8),
        "given": data.given.astype(np.uint8),
        "clean": data.clean.astype(np.uint8),
        "distribution": distribution.astype(np.float16),
        "wrongness": wrongness.astype(np.float32),
        "train_rows": data.rows.astype(np.int32),
        "test_rows": data.test_rows.astype(np.int32),
    }


def metrics(trainer: Any, wrongness: np.ndarray) -> dict[str, Any]:
    """Accuracies by every rule, and what accuracy hides, of the last epoch; fractions of 1."""
    history, data = trainer.state.history, trainer.data
    accuracy = np.array(history["test_accuracy"])
    predicted = trainer.state.predictions[-1].numpy().astype(int)
    found = {
        "last": accuracy[-1],
        "best": accuracy.max(),
        "best_epoch": int(accuracy.argmax()) + 1,
        "last5": accuracy[-LAST:].mean(),
        "majority": np.bincount(data.test_labels, minlength=len(data.classes))[np.bincount(data.given).argmax()]
        / len(data.test_labels),
        "calibration_error": calibration_error(
            trainer.state.confidence.double().numpy(), predicted == data.test_labels
        ),
        "wrong_label_auroc": auroc(wrongness, data.given != data.clean),
        **by_class(data.test_labels, predicted, len(data.classes)),
    }
    if "noisy_validation" in history:
        found["noisy_val"] = accuracy[int(np.argmax(history["noisy_validation"]))]
    return {name: float(value) if isinstance(value, np.floating) else value for name, value in found.items()}


def by_class(labels: np.ndarray, predicted: np.ndarray, classes: int) -> dict[str, Any]:
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


def peak_memory() -> int:
    """Bytes of main memory that this process has held at most."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def provenance(place: Any) -> dict[str, Any]:
    """Versions, hardware and settings of this process."""
    import torch

    cuda = place.device == "cuda"
    return {
        **versions(),
        "hardware": torch.cuda.get_device_name() if cuda else processor(),
        "device": place.device,
        "threads": torch.get_num_threads(),
        "deterministic": not place.fast,
    }


@lru_cache
def packages() -> str:
    """Every installed package with its version, a line each."""
    found = {(d.metadata["Name"] or "").lower(): d.version for d in importlib.metadata.distributions()}
    return "".join(f"{name} {version}\n" for name, version in sorted(found.items()))


def keep_packages(store: Store) -> None:
    """Write what is installed to env/<hash>.txt, once for all records that name this hash."""
    path = store.root / "env" / f"{digest(packages())}.txt"
    if not path.exists():
        write_bytes(path, packages().encode())


@lru_cache
def versions() -> dict[str, Any]:
    import torch

    folder = Path(__file__).resolve().parent.parent
    git = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
    described = subprocess.run(git, capture_output=True, text=True, check=False)
    return {
        "python": sys.version.split()[0],
        "torch": torch.__version__,
        "numpy": np.__version__,
        "git": described.stdout.strip() or None,
        "packages": digest(packages()),
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
