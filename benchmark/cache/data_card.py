"""What a decoded data set is: counts against published ones, copies, near copies, votes; as data and as a page."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cache.copies import ALIKE, DISTANCE, Copies, find_copies, shrink_image
from benchmark.cache.decoded import SPLITS, Data, Split
from benchmark.terminal import said_once

PAIRS_KEPT = 200  # near copies named in the card
PUBLISHED = Path(__file__).parents[1] / "datasets" / "published_counts.csv"


def make_data_card(data: Data) -> dict[str, Any]:
    """Everything the page says, as plain data."""
    images_by_split = data.train.images, data.test.images
    small_images = [np.stack([shrink_image(image) for image in split_images]) for split_images in images_by_split]
    copies = find_copies(images_by_split, (small_images[0], small_images[1]))
    return {
        "card": data.info,
        "card_hash": data.info_hash,
        "published": read_published_counts(data),
        "exact": describe_exact_copies(data, copies),
        "near": describe_near_copies(data, copies),
        "votes": {split: mean_vote_shares(getattr(data, split), len(data.classes)) for split in data.info["votes"]},
    }


def describe_exact_copies(data: Data, copies: Copies) -> dict[str, Any]:
    """Groups of images with the same pixels in each split, and test images that are trained on, by class."""
    training_images = copies.training_images
    groups_by_split = {
        "train": [[row for row in group if row < training_images] for group in copies.exact],
        "test": [[row - training_images for row in group if row >= training_images] for group in copies.exact],
    }
    copy_facts: dict[str, Any] = {}
    for split, groups in groups_by_split.items():
        groups = [group for group in groups if len(group) > 1]
        split_labels = getattr(data, split).labels
        copy_facts[split] = {
            "groups": len(groups),
            "images": sum(map(len, groups)),
            "groups_with_different_labels": sum(len(set(split_labels[group].tolist())) > 1 for group in groups),
        }
    leaked_rows: list[int] = []
    for training_rows, test_rows in zip(groups_by_split["train"], groups_by_split["test"]):
        if training_rows:
            leaked_rows += test_rows
    leaks_by_class = np.bincount(data.test.labels[leaked_rows], minlength=len(data.classes))
    copy_facts["test_images_also_in_train"] = len(leaked_rows)
    copy_facts["by_class"] = {
        name: int(image_count) for name, image_count in zip(data.classes, leaks_by_class) if image_count
    }
    return copy_facts


def describe_near_copies(data: Data, copies: Copies) -> dict[str, Any]:
    """Pairs of images that are nearly the same, those across the splits first; a test image that has an exact copy in the
    training images is not counted once more."""
    training_images = copies.training_images
    near_pairs = copies.near.tolist()
    pairs_across = [pair for pair in near_pairs if copies.is_across(pair[0], pair[1])]
    exact_rows = {row for group in copies.exact if group[0] < training_images for row in group}
    named_pairs = sorted(near_pairs, key=lambda pair: not copies.is_across(pair[0], pair[1]))[:PAIRS_KEPT]

    def locate_image(row: int) -> tuple[str, int]:
        return ("train", row) if row < training_images else ("test", row - training_images)

    image_pairs = [[locate_image(row) for row in pair[:2]] for pair in named_pairs]
    is_mirrored = [bool(pair[2]) for pair in named_pairs]
    return {
        "train and test": len(pairs_across),
        "within train": sum(second_row < training_images for _, second_row, _ in near_pairs),
        "within test": sum(first_row >= training_images for first_row, _, _ in near_pairs),
        "mirrored": sum(pair[2] for pair in near_pairs),
        "test_images": len({second_row for _, second_row, _ in pairs_across} - exact_rows),
        "rows": [
            [*first_image, *second_image, turned]
            for (first_image, second_image), turned in zip(image_pairs, is_mirrored)
        ],
        "names": [
            [*(str(getattr(data, split).names[row]) for split, row in pair), turned]
            for pair, turned in zip(image_pairs, is_mirrored)
        ],
    }


def read_published_counts(data: Data) -> dict[str, dict[str, int]]:
    """{split: {class: published images}}, empty for data sets without published counts."""
    if data.info["options"].get("rule", "majority") != "majority":
        return {}
    with open(PUBLISHED, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == data.name and row["class"] in data.classes]
    split_columns = {"train": ["train", "valid"], "test": ["test"]}
    if data.info["options"].get("train") == "train":
        split_columns["train"] = ["train"]
    ordered_rows = sorted(rows, key=lambda row: data.classes.index(row["class"]))
    if not rows:
        return {}
    return {split: {row["class"]: sum_columns(row, split_columns[split]) for row in ordered_rows} for split in SPLITS}


def sum_columns(row: dict[str, str], columns: list[str]) -> int:
    return sum(int(row[column] or 0) for column in columns)


def mean_vote_shares(split: Split, classes: int) -> list[list[float]]:
    """[C, C] mean share of the votes that images of each class (row) have for each class; 0 for an empty class."""
    votes = np.asarray(split.votes, np.float64)
    vote_shares = votes / np.maximum(votes.sum(1, keepdims=True), 1e-12)
    share_sums = np.eye(classes)[split.labels].T @ vote_shares
    return (share_sums / np.maximum(np.bincount(split.labels, minlength=classes), 1)[:, None]).tolist()


def format_page(data_card: dict[str, Any]) -> str:
    """The card as markdown."""
    dataset_info = data_card["card"]
    near_facts = data_card["near"]
    exact_facts = data_card["exact"]
    image_counts = {split: sum(dataset_info["counts"][split].values()) for split in SPLITS}
    usable_landmarks = dataset_info.get("landmarks usable")
    shown_facts = {
        "fingerprint": dataset_info["fingerprint"],
        "landmarks": dataset_info["landmark_fingerprint"] or "none",
        **({"usable landmarks": format_value(usable_landmarks)} if usable_landmarks else {}),
        "card": data_card["card_hash"],
        "options": ", ".join(f"{option}={value}" for option, value in dataset_info["options"].items()) or "none",
        "label rule": dataset_info["label_rule"],
        "stored images": f"{dataset_info['size']} x {dataset_info['size']}, {'grey' if dataset_info['channels'] == 1 else 'RGB'}",
        **{
            key: value
            for key, value in dataset_info["facts"].items()
            if key not in ("label_rule", "images used", "dropped")
        },
    }
    lines = [f"# {dataset_info['title']}", ""]
    lines += [f"- {key}: {format_value(value)}" for key, value in shown_facts.items()]
    lines += [f"- {said_once('warning', said_once(dataset_info['name'], line))}" for line in dataset_info["warnings"]]
    lines += ["", f"## Images: {image_counts['train']:,} to train on, {image_counts['test']:,} to test on", ""]
    lines += format_table(["class", *count_headings(data_card)], count_rows(data_card))
    lines += ["", "## Left out", ""]
    dropped_lines = [f"- {reason}: {images['count']:,}" for reason, images in dataset_info["dropped"].items()]
    lines += dropped_lines or ["- nothing"]
    lines += ["", "## Copies", ""]
    for split in SPLITS:
        split_copies = exact_facts[split]
        lines.append(
            f"- {split}: {split_copies['images']:,} images in {split_copies['groups']:,} groups of exact copies, "
            f"{split_copies['groups_with_different_labels']:,} of them with different labels"
        )
    leaks_text = ", ".join(f"{name} {image_count}" for name, image_count in exact_facts["by_class"].items())
    leaks_bracket = f" ({leaks_text})" if leaks_text else ""
    lines.append(
        f"- {exact_facts['test_images_also_in_train']:,} of the {image_counts['test']:,} test images have an exact copy "
        f"among the training images{leaks_bracket}"
    )
    pair_kinds = ("train and test", "within train", "within test")
    pairs_text = ", ".join(f"{near_facts[pair_kind]:,} {pair_kind}" for pair_kind in pair_kinds)
    lines.append(
        f"- near copies (outlines within {DISTANCE} of 64 bits, small images that correlate by {ALIKE}): {pairs_text} pairs, "
        f"{near_facts['mirrored']:,} of them mirrored; {near_facts['test_images']:,} test images that have no exact one"
    )
    for split, matrix in data_card["votes"].items():
        lines += ["", f"## People's votes, {split}: mean share of each class (row) for each class", ""]
        class_names = dataset_info["classes"]
        vote_rows = [[name, *(f"{share:.3f}" for share in shares)] for name, shares in zip(class_names, matrix)]
        lines += format_table(["", *class_names], vote_rows)
    return "\n".join(lines) + "\n"


def count_headings(data_card: dict[str, Any]) -> list[str]:
    return [heading for split in SPLITS for heading in ([split, "published"] if data_card["published"] else [split])]


def count_rows(data_card: dict[str, Any]) -> list[list[str]]:
    """One row a class and one of sums; a published count that differs carries the difference."""
    dataset_info = data_card["card"]
    table_rows = []
    for class_name in [*dataset_info["classes"], "all"]:
        cells = [class_name]
        for split in SPLITS:
            class_counts = dataset_info["counts"][split]
            image_count = sum(class_counts.values()) if class_name == "all" else class_counts[class_name]
            cells.append(f"{image_count:,}")
            if data_card["published"]:
                published_counts = data_card["published"][split]
                published_count = (
                    sum(published_counts.values()) if class_name == "all" else published_counts.get(class_name, 0)
                )
                difference = f" ({image_count - published_count:+,})" if image_count != published_count else ""
                cells.append(f"{published_count:,}{difference}")
        table_rows.append(cells)
    return table_rows


def format_table(headings: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (headings, ["---"] * len(headings), *rows)]


def format_value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {entry:,}" if isinstance(entry, int) else f"{key} {entry}" for key, entry in value.items()
        )
    return str(value)
