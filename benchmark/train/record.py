"""The record of a finished run: what was measured, on what, and what it stands on."""

from typing import Any

import numpy as np

from benchmark.source_code import hash_code
from benchmark.train.metrics import compute_metrics, mean_margin
from benchmark.train.provenance import collect_provenance, peak_memory
from methods.support.recipe import recipe_to_dict
from results.schema import SCHEMA


def make_record(
    trainer: Any, resolved: dict[str, Any], wrongness: np.ndarray, held_out: float | None = None
) -> dict[str, Any]:
    """The record of a run (docs/architecture.md), from a trainer that has run to its end.

    held_out: accuracy on noisy labels of held-out images.
    """
    import torch

    job = trainer.job
    data = trainer.data
    part_seconds = trainer.clock.parts
    seconds = {name: round(value, 4) for name, value in part_seconds.items()}
    evaluated_images = len(data.test_images) * len(trainer.state.predictions) + len(data.given)
    on_gpu = trainer.device.type == "cuda"
    return {
        "schema": SCHEMA,
        "id": job.id,
        "status": "ok",
        "spec": job.spec,
        "code": hash_code(type(trainer.method)),
        "resolved": resolved
        | {"recipe": recipe_to_dict(trainer.recipe), "method_title": type(trainer.method).title}
        | {"data": resolved["data"] | {"class_names": list(data.classes), **count_images(data)}},
        "noise": data.noise,
        "metrics": compute_metrics(trainer, wrongness) | ({} if held_out is None else {"held_out": held_out}),
        "history": trainer.state.history,
        "times": seconds | {"total": round(sum(part_seconds.values()), 4)},
        "peak_memory": torch.cuda.max_memory_allocated() if on_gpu else peak_memory(),
        "jobs_on_card": trainer.place.jobs_on_gpu,
        "cost": {
            "parameters": sum(p.numel() for p in trainer.method.parameters() if p.requires_grad),
            "inference_images_per_second": round(evaluated_images / max(part_seconds["evaluation"], 1e-9), 1),
        },
        "provenance": collect_provenance(trainer.place) | ({"graphs": trainer.steps.used} if on_gpu else {}),
    }


def count_images(data: Any) -> dict[str, Any]:
    return {
        "train_images": len(data.given),
        "test_images": len(data.test_labels),
        "train_per_class": np.bincount(data.clean, minlength=len(data.classes)).tolist(),
        "test_per_class": np.bincount(data.test_labels, minlength=len(data.classes)).tolist(),
    }


def make_arrays(trainer: Any, distribution: np.ndarray, wrongness: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays beside the record (docs/architecture.md)."""
    data = trainer.data
    return {
        "predictions": np.stack([epoch_predictions.numpy() for epoch_predictions in trainer.state.predictions]),
        "test_labels": data.test_labels.astype(np.uint8),
        "given": data.given.astype(np.uint8),
        "clean": data.clean.astype(np.uint8),
        "distribution": distribution.astype(np.float16),
        "wrongness": wrongness.astype(np.float32),
        "margin": mean_margin(trainer).astype(np.float16),
        "train_rows": data.rows.astype(np.int32),
        "test_rows": data.test_rows.astype(np.int32),
    }
