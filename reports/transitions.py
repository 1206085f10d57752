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
    class_count = len(classes)
    if kind in ("symmetric", "scn"):
        wrong_share = rate / (class_count - 1)
        return np.full((class_count, class_count), wrong_share) + np.eye(class_count) * (1 - rate - wrong_share)
    target_by_class = asymmetric_map()
    if kind == "asymmetric" and set(classes) <= set(target_by_class):
        target = [classes.index(target_by_class[name][0]) for name in classes]
        return np.eye(class_count) * (1 - rate) + rate * np.eye(class_count)[target]
    if kind == "none":
        return np.eye(class_count)
    return votes if kind == "votes" else None


def mean_votes(cell: Cell, records: Records) -> np.ndarray | None:
    """[C, C] mean shares of people's votes on the training images of each class; None without votes or labels."""
    vote_counts = read_votes(cell.records[0], records, None)
    labelled_record = next((record for record in cell.records if holds_labels(record)), None)
    arrays = records.arrays(labelled_record["id"], ("clean", "train_rows")) if labelled_record else None
    if vote_counts is None or arrays is None:
        return None
    of_image = votes_to_shares(vote_counts[arrays["train_rows"]])
    classes = len(class_names(cell.records[0]))
    votes_by_class = [of_image[arrays["clean"] == c] for c in range(classes)]
    return np.stack(
        [np.nanmean(class_votes, 0) if len(class_votes) else np.full(classes, np.nan) for class_votes in votes_by_class]
    )


def holds_labels(record: dict) -> bool:
    """Whether a record keeps the labels of its training images; those that ship may not."""
    return not {"given", "clean", "train_rows"} & set(record.get("slim", {}).get("without", ()))


def realised_matrix(cell: Cell, records: Records) -> np.ndarray | None:
    """[C, C] shares of each true class that got each label, mean over seeds; NaN where the records do not say.

    Of records without labels the share of wrong ones in each class is known, and where these go if a class has one target.
    """
    classes = class_names(cell.records[0])
    run_matrices = (realised_in_run(record, classes, records) for record in cell.records)
    known_matrices = [matrix for matrix in run_matrices if matrix is not None]
    return np.mean(known_matrices, axis=0) if known_matrices else None


def realised_in_run(record: dict, classes: list[str], records: Records) -> np.ndarray | None:
    class_count = len(classes)
    arrays = records.arrays(record["id"], ("given", "clean")) if holds_labels(record) else None
    if arrays is not None:
        given, clean = arrays["given"], arrays["clean"]
        if given.shape == clean.shape and given.max(initial=0) < class_count:
            counts = confusion_matrices(given[None], clean, class_count)[0]
            return counts / np.maximum(counts.sum(1, keepdims=True), 1)
    wrong_shares = record["noise"].get("per_class") or []
    if len(wrong_shares) != class_count or any(share is None for share in wrong_shares):
        return None
    target = nominal_matrix(record["spec"]["noise"]["kind"], 1.0, classes)
    if target is None or (target.max(1) < 1).any():
        target = np.full((class_count, class_count), np.nan)
    run_matrix = target * np.array(wrong_shares, float)[:, None]
    np.fill_diagonal(run_matrix, 1 - np.array(wrong_shares, float))
    return run_matrix
