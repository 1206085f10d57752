"""Which label each class gets: the shares that a kind of noise aims at, and those that it made."""

import numpy as np

from reports.cells import Cell
from reports.metrics import confusion_matrices
from reports.votes import read_votes, votes_to_shares
from results.published import asymmetric_map
from results.records import Records
from results.schema import class_names


def nominal_matrix(kind: str, rate: float, classes: list[str], votes: np.ndarray | None = None) -> np.ndarray | None:
    """[C, C] shares of each true class (row) that should get each label, None for a kind that names none.

    votes: [C, C] mean shares of people's votes on the images of each class, for labels that are drawn from them.
    """
    many = len(classes)
    if kind in ("symmetric", "scn"):
        return np.full((many, many), rate / (many - 1)) + np.eye(many) * (1 - rate - rate / (many - 1))
    known = asymmetric_map()
    if kind == "asymmetric" and set(classes) <= set(known):
        target = [classes.index(known[name][0]) for name in classes]
        return np.eye(many) * (1 - rate) + rate * np.eye(many)[target]
    if kind == "none":
        return np.eye(many)
    return votes if kind == "votes" else None


def mean_votes(cell: Cell, records: Records) -> np.ndarray | None:
    """[C, C] mean shares of people's votes on the training images of each class; None without votes or labels."""
    found = read_votes(cell.records[0], records, None)
    labelled = next((record for record in cell.records if holds_labels(record)), None)
    arrays = records.arrays(labelled["id"], ("clean", "train_rows")) if labelled else None
    if found is None or arrays is None:
        return None
    of_image, classes = votes_to_shares(found[arrays["train_rows"]]), len(class_names(cell.records[0]))
    means = [of_image[arrays["clean"] == c] for c in range(classes)]
    return np.stack([np.nanmean(part, 0) if len(part) else np.full(classes, np.nan) for part in means])


def holds_labels(record: dict) -> bool:
    """Whether a record keeps the labels of its training images; those that ship may not."""
    return not {"given", "clean", "train_rows"} & set(record.get("slim", {}).get("without", ()))


def realised_matrix(cell: Cell, records: Records) -> np.ndarray | None:
    """[C, C] shares of each true class that got each label, mean over seeds; NaN where the records do not say.

    Of records without labels the share of wrong ones in each class is known, and where these go if a class has one target.
    """
    classes = class_names(cell.records[0])
    found = [of_run(record, classes, records) for record in cell.records]
    kept = [matrix for matrix in found if matrix is not None]
    return np.mean(kept, axis=0) if kept else None


def of_run(record: dict, classes: list[str], records: Records) -> np.ndarray | None:
    many = len(classes)
    arrays = records.arrays(record["id"], ("given", "clean")) if holds_labels(record) else None
    if arrays is not None and arrays["given"].shape == arrays["clean"].shape and arrays["given"].max(initial=0) < many:
        counts = confusion_matrices(arrays["given"][None], arrays["clean"], many)[0]
        return counts / np.maximum(counts.sum(1, keepdims=True), 1)
    wrong = record["noise"].get("per_class") or []
    if len(wrong) != many or any(share is None for share in wrong):
        return None
    target = nominal_matrix(record["spec"]["noise"]["kind"], 1.0, classes)
    one_target = target is not None and (target.max(1) == 1).all()
    made = target * np.array(wrong, float)[:, None] if one_target else np.full((many, many), np.nan)
    np.fill_diagonal(made, 1 - np.array(wrong, float))
    return made
