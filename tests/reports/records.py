"""Records for tests: one helper that writes a small but whole one."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.plan.experiments import find_experiment
from reports.asked import Asked, AskedCell

EIGHT = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "contempt", "neutral")
FINGERPRINT = "ab" * 20


def digest(spec: dict[str, Any]) -> str:
    text = json.dumps(spec, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def write_record(folder: Path, **changes: Any) -> str:
    """Write a record with its arrays; returns its id.

    changes: method, dataset, fingerprint, noise, rate, seed, scale, subset, weights, overrides (of the spec); accuracy
    (fraction, the last epoch); title, hardware, code; metrics, resolved, history (merged into the record's own); arrays (merged).
    """
    method, seed = changes.get("method", "baseline"), changes.get("seed", 0)
    dataset, rate = changes.get("dataset", "rafdb"), changes.get("rate", "0.1")
    accuracy = changes.get("accuracy", 0.8)
    spec = {
        "protocol": 1,
        "method": method,
        "method_version": 1,
        "data": {"name": dataset, "fingerprint": changes.get("fingerprint", FINGERPRINT), "landmarks": None},
        "noise": {"kind": changes.get("noise", "asymmetric"), "rate": rate, "version": 1, "file": None},
        "seed": seed,
        "precision": "fp32",
        "preset": "comparison",
        "scale": {"name": changes.get("scale", "demo"), "version": 1}
        | ({"subset": changes["subset"]} if "subset" in changes else {}),
        "weights": changes.get("weights", "random"),
        "overrides": changes.get("overrides", {}),
        "holdout": changes.get("holdout", False),
        "part": changes.get("part", "all"),
    }
    names = list(changes.get("class_names", EIGHT))
    arrays = small_arrays(seed, accuracy, len(names)) | changes.get("arrays", {})
    content = io.BytesIO()
    np.savez(content, **arrays)
    record = {
        "schema": 1,
        "id": digest(spec),
        "status": "ok",
        "spec": spec,
        "resolved": {
            "recipe": {"backbone": "resnet10_w16", "epochs": 6},
            "parameters": {},
            "method_title": method,
            "scale_notes": ["demo scale: small images"],
            "weights": {"text": "random weights"},
            "data": {
                "title": changes.get("title", {"rafdb": "RAF-DB", "ferplus": "FERPlus"}.get(dataset, dataset)),
                "class_names": names,
                "label_rule": "majority rule",
                "train_set": "Train+Valid",
                "train_images": len(arrays["given"]),
                "test_images": len(arrays["test_labels"]),
            },
        }
        | changes.get("resolved", {}),
        "noise": {
            "nominal": rate and float(rate),
            "realised": changes.get("realised", 0.098),
            "per_class": changes.get("noise_per_class", []),
            "hash": "0",
        },
        "metrics": {
            "last": accuracy,
            "best": min(1.0, accuracy + 0.02),
            "best_epoch": 4,
            "last5": max(0.0, accuracy - 0.01),
            "balanced_accuracy": accuracy - 0.1,
            "macro_f1": accuracy - 0.12,
            "calibration_error": 0.05,
            "per_class": [accuracy] * len(names),
            "confusion": np.eye(len(names), dtype=int).tolist(),
            "wrong_label_auroc": 0.75,
            "majority": 0.38,
        }
        | changes.get("metrics", {}),
        "history": {"test_accuracy": [0.3, 0.5, accuracy], "recovered": [0.1, 0.3, 0.5], "memorised": [0.0, 0.1, 0.3]}
        | changes.get("history", {}),
        "times": {"total": 12.5},
        "peak_memory": 500_000_000,
        "cost": {"parameters": 310_000, "inference_images_per_second": 900.0},
        "provenance": {"hardware": changes.get("hardware", "one CPU"), "python": "3.11", "torch": "2.11"},
        "arrays": hashlib.sha256(content.getvalue()).hexdigest(),
    }
    record |= {"code": changes["code"]} if "code" in changes else {}
    record["hash"] = digest(record)
    path = Path(folder) / record["id"][:2] / f"{record['id']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    path.with_suffix(".npz").write_bytes(content.getvalue())
    return record["id"]


def rewrite(folder: Path, record_id: str, edit: Any, rehash: bool = True) -> None:
    """Change a record on disk by `edit(record)`."""
    path = Path(folder) / record_id[:2] / f"{record_id}.json"
    record = json.loads(path.read_text())
    edit(record)
    if rehash:
        record.pop("hash", None)
        record["hash"] = digest(record)
    path.write_text(json.dumps(record))


def small_arrays(seed: int, accuracy: float, classes: int, test: int = 200, train: int = 60) -> dict[str, np.ndarray]:
    """Predictions of which exactly round(accuracy * test) are right in the last epoch, always of the same first images."""
    labels = np.arange(test) % classes
    predicted = np.where(np.arange(test) < round(accuracy * test), labels, (labels + 1) % classes)
    given = np.arange(train) % classes
    distribution = np.full((train, classes), 0.4 / (classes - 1))
    distribution[np.arange(train), given] = 0.6
    return {
        "predictions": np.stack([np.roll(predicted, seed), predicted]).astype(np.uint8),
        "test_labels": labels.astype(np.uint8),
        "given": given.astype(np.uint8),
        "clean": given.astype(np.uint8),
        "distribution": distribution.astype(np.float16),
        "wrongness": np.zeros(train, np.float16),
        "train_rows": np.arange(train, dtype=np.int32),
        "test_rows": np.arange(test, dtype=np.int32),
    }


def cell(row: str, method: str, dataset: str, rate: str | None, ids: Sequence[str], **more: Any) -> AskedCell:
    asked = {"title": more.get("label", row), "noise": "", "ids": tuple(ids)} | more
    return AskedCell(method=method, dataset=dataset, rate=rate, **asked)


def request(kind: str, name: str, cells: Sequence[AskedCell], **more: Any) -> Asked:
    """What the engine asks for that table or figure, with these cells."""
    experiment = find_experiment(kind, name)
    assert experiment is not None
    told = {key: getattr(experiment, key) for key in ("title", "drawing", "published", "any_rule", "note")}
    told |= {"noises": tuple(experiment.noise)}
    told |= {
        "columns": tuple(dict.fromkeys(c.dataset for c in cells)),
        "methods": tuple(dict.fromkeys(row.method for row in experiment.rows)),
    }
    return with_cells(Asked(kind, name, cells=(), **(told | more)), *cells)


def with_runs(asked: Asked, ids: Sequence[str], **which: Any) -> Asked:
    """The same, where the cells with these fields stand on other runs."""
    chosen = [all(getattr(c, key) == value for key, value in which.items()) for c in asked.cells]
    assert any(chosen)
    return replace(
        asked, cells=tuple(replace(c, ids=tuple(ids)) if here else c for c, here in zip(asked.cells, chosen))
    )


def with_cells(asked: Asked, *cells: AskedCell) -> Asked:
    """The same with more cells; of those that name no noise it is the first of the table."""
    return replace(asked, cells=(*asked.cells, *(replace(c, noise=c.noise or asked.noises[0]) for c in cells)))


def table1(
    folder: Path, dataset: str = "rafdb", seeds: int = 3, rates: tuple = ("0.1", "0.2", "0.3"), step=0.01
) -> Asked:
    """A whole Table 1 of one data set: LA-Net first, one point (`step`) between neighbours, half a point between seeds."""
    titles = {"baseline": "Baseline", "scn": "SCN", "rul": "RUL", "eac": "EAC", "lanet": "LA-Net"}
    cells = []
    for rate in rates:
        for place, (method, title) in enumerate(titles.items()):
            level = 0.8 - float(rate) + step * place
            runs = {"method": method, "dataset": dataset, "rate": rate}
            ids = [write_record(folder, seed=s, accuracy=level + 0.005 * s, **runs) for s in range(seeds)]
            cells.append(cell(title, method, dataset, rate, ids))
    return request("table", "1", cells)
