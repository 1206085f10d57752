"""All runs of a folder as one pandas DataFrame, and the predictions of a run as another (docs/notebook.md).

pandas is imported when a frame is made, so that planning and drawing start without it.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from results.records import Records
from results.schema import Refused, changed_settings, class_names, data_title

if TYPE_CHECKING:
    import pandas

# What each column of `load_runs` holds. Shares are from 0 to 1, as in the records.
COLUMNS = {
    "id": "name of the record, 20 hexadecimal digits",
    "method": "as typed after `--methods`",
    "title": "the method's name in tables",
    "dataset": "as typed after `--datasets`",
    "dataset_title": "the data set's name in tables",
    "noise": "kind of label noise",
    "rate": "its rate; NaN for a kind without one",
    "realised": "share of the training labels that are wrong",
    "seed": "of the run",
    "scale": "`demo`, `small`, `paper` or your own",
    "scale_version": "a number that grows when the scale's recipe changes; compare runs of one version only",
    "part": "`all`, or `correct` where only rightly labelled images were trained on",
    "holdout": "True where a tenth of the training images was left out",
    "last": "test accuracy, last epoch",
    "best": "test accuracy, best epoch on the test set",
    "best_epoch": "that epoch, from 1",
    "last5": "test accuracy, mean of the last five epochs",
    "noisy_val": "test accuracy of the epoch that held-out noisy labels choose",
    "held_out": "accuracy on noisy labels of held-out images",
    "balanced_accuracy": "mean over classes, last epoch",
    "macro_f1": "mean over classes, last epoch",
    "worst_class": "accuracy of the worst class, last epoch",
    "calibration_error": "15 bins, last epoch",
    "majority": "share of the largest class among the test images",
    "wrong_label_auroc": "how well the method's own score finds wrong labels, area under the curve",
    "wrong_label_fnr": "share of the wrong labels that this score misses",
    "margin_auroc": "the same by the margin averaged over epochs",
    "margin_fnr": "share of the wrong labels that the margin misses",
    "per_class": "list: accuracy of each class, last epoch",
    "classes": "list: names of the classes",
    "history": "dict of lists, one number an epoch: `test_accuracy`, `memorised`, `recovered`, losses, curves",
    "changed": "what was set beyond the method's own settings, such as `lanet.sampler=balanced`, or `scale.subset=1`; else empty",
    "settings": "dict: the method's own settings",
    "recipe": "dict: batch size, optimiser, schedule and so on",
    "preset": "`comparison` (one recipe for all) or `as_published`",
    "backbone": "the network",
    "weights": "start weights, in words",
    "precision": "`fp32`, `bf16` or another",
    "parameters": "how many numbers are trained",
    "seconds": "of training",
    "peak_memory": "bytes",
    "hardware": "the machine's GPU or processor",
    "torch": "its version",
    "code": "hash of the code that made the run",
}


def load_runs(folder: str | Path) -> pandas.DataFrame:
    """One row a run, sorted by data set, noise, rate, method and seed; `COLUMNS` says what the columns hold.

    folder: what `--results` names. Any further number among a record's metrics is one more column. Warns of each file that is
    refused, with the reason. Raises FileNotFoundError where there is no such folder.
    """
    import pandas

    records = open_records(folder)
    rows = [describe_run(record) for record in records.records()]
    warn_of(records)
    frame = pandas.DataFrame(rows, columns=list(dict.fromkeys([*COLUMNS, *(name for row in rows for name in row)])))
    frame["rate"] = frame["rate"].astype(float)
    return frame.sort_values(["dataset", "noise", "rate", "method", "seed"], ignore_index=True)


def load_predictions(folder: str | Path, run: str, epoch: int | None = None) -> pandas.DataFrame:
    """One row a test image: its row in the test split, its name where the decoded data set is there, label, predicted.

    run: an id of `load_runs`. epoch: from 1; None for the last one. Labels are categories in the order of the classes. Raises
    FileNotFoundError where there is no such run, ValueError where it is not sound or has no such epoch.
    """
    import pandas

    records = open_records(folder)
    record = read_run(records, run)
    arrays = records.arrays(run, ("predictions", "test_labels", "test_rows"))
    if arrays is None:
        raise ValueError(records.refused[run])
    epochs = len(arrays["predictions"])
    if epoch is not None and not 1 <= epoch <= epochs:
        raise ValueError(f"epoch {epoch}: run {run} has epochs 1 to {epochs}")
    predicted = arrays["predictions"][-1 if epoch is None else epoch - 1]
    names = pandas.Index(class_names(record))
    return pandas.DataFrame(
        {
            "image": arrays["test_rows"],
            "name": image_names(records, record, arrays["test_rows"]),
            "label": pandas.Categorical.from_codes(arrays["test_labels"].astype(int), names),
            "predicted": pandas.Categorical.from_codes(predicted.astype(int), names),
        }
    )


def open_records(folder: str | Path) -> Records:
    if not Path(folder).is_dir():
        raise FileNotFoundError(f"{folder}: there is no such folder; give the one that --results names")
    return Records(Path(folder))


def read_run(records: Records, run: str) -> dict[str, Any]:
    """A sound record; raises FileNotFoundError or ValueError."""
    try:
        record = records.read(run)
    except Refused as error:
        raise ValueError(str(error)) from None
    if record is None:
        raise FileNotFoundError(f"{records.path(run)}: there is no such run; `load_runs` lists the ids")
    return record


def warn_of(records: Records) -> None:
    for line in sorted(records.refused.values()):
        warnings.warn(f"left out: {line}", stacklevel=3)


def describe_run(record: dict[str, Any]) -> dict[str, Any]:
    """The row of a run."""
    spec = record["spec"]
    resolved = record["resolved"]
    provenance = record["provenance"]
    noise = spec["noise"]
    scale = spec["scale"]
    per_class = record["metrics"].get("per_class")
    subset = {"scale.subset": str(scale["subset"])} if "subset" in scale else {}  # other training images than usual
    return {
        "id": record["id"],
        "method": spec["method"],
        "title": str(resolved.get("method_title") or spec["method"]),
        "dataset": spec["data"]["name"],
        "dataset_title": data_title(record),
        "noise": noise["kind"],
        "rate": None if noise["rate"] is None else float(noise["rate"]),
        "realised": record["noise"]["realised"],
        "seed": spec["seed"],
        "scale": scale.get("name"),
        "scale_version": scale.get("version"),
        "part": spec["part"],
        "holdout": spec["holdout"],
        **{name: value for name, value in record["metrics"].items() if isinstance(value, int | float)},
        "worst_class": min(per_class) if per_class else None,
        "per_class": per_class,
        "classes": class_names(record),
        "history": record["history"],
        "changed": " ".join(f"{name}={value}" for name, value in sorted((changed_settings(record) | subset).items())),
        "settings": resolved.get("parameters"),
        "recipe": resolved["recipe"],
        "preset": spec["preset"],
        "backbone": resolved["recipe"].get("backbone"),
        "weights": resolved["weights"].get("text"),
        "precision": spec["precision"],
        "parameters": record["cost"].get("parameters"),
        "seconds": record["times"]["total"],
        "peak_memory": record["peak_memory"],
        "hardware": provenance.get("hardware"),
        "torch": provenance.get("torch"),
        "code": record.get("code"),
    }


def image_names(records: Records, record: dict[str, Any], rows: Any) -> Any:
    """Names of the test images; None where the decoded data set is not kept in the folder."""
    import numpy as np

    folder = records.data_folder(record)
    try:
        names = np.load(folder / "test_names.npy", allow_pickle=False)[rows] if folder else None
    except (OSError, ValueError, IndexError):
        return None
    return None if names is None else np.char.decode(names, "utf-8") if names.dtype.kind == "S" else names
