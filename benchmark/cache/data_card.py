"""What a decoded data set is: counts against published ones, copies, near copies, votes; as data and as a page."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cache.copies import ALIKE, DISTANCE, Copies, find_copies, shrink_image
from benchmark.cache.decoded import SPLITS, Data, Split
from benchmark.cache.leaks import Leaks, list_leaks
from benchmark.terminal import count_things, said_once

PAIRS_KEPT = 200  # near copies named in the card
PUBLISHED = Path(__file__).parents[1] / "datasets" / "published_counts.csv"


def make_data_card(data: Data) -> dict[str, Any]:
    """Everything the page says, as plain data."""
    images_by_split = data.train.images, data.test.images
    small_images = [np.stack([shrink_image(image) for image in split_images]) for split_images in images_by_split]
    copies = find_copies(images_by_split, (small_images[0], small_images[1]))
    leaks = list_leaks(copies, (data.train.labels, data.test.labels))
    return {
        "card": data.info,
        "card_hash": data.info_hash,
        "published": read_published_counts(data),
        "exact": describe_exact_copies(data, copies, leaks),
        "near": describe_near_copies(data, copies, leaks),
        "votes": {split: mean_vote_shares(getattr(data, split), len(data.classes)) for split in data.info["votes"]},
    }


def describe_exact_copies(data: Data, copies: Copies, leaks: Leaks) -> dict[str, Any]:
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
    leaks_by_class = np.bincount(data.test.labels[list(leaks.exact)], minlength=len(data.classes))
    copy_facts["test_images_also_in_train"] = len(leaks.exact)
    copy_facts["by_class"] = {
        name: int(image_count) for name, image_count in zip(data.classes, leaks_by_class) if image_count
    }
    return copy_facts


def describe_near_copies(data: Data, copies: Copies, leaks: Leaks) -> dict[str, Any]:
    """Pairs of images that are nearly the same, those across the splits first."""
    training_images = copies.training_images
    near_pairs = copies.near.tolist()
    pairs_across = [pair for pair in near_pairs if copies.is_across(pair[0], pair[1])]
    named_pairs = sorted(near_pairs, key=lambda pair: not copies.is_across(pair[0], pair[1]))[:PAIRS_KEPT]
    all_names = np.concatenate([data.train.names, data.test.names]).tolist()

    def locate_image(row: int) -> tuple[str, int]:
        return ("train", row) if row < training_images else ("test", row - training_images)

    return {
        "train and test": len(pairs_across),
        "within train": sum(second_row < training_images for _, second_row, _ in near_pairs),
        "within test": sum(first_row >= training_images for first_row, _, _ in near_pairs),
        "mirrored": sum(pair[2] for pair in near_pairs),
        "test_images": len(leaks.near),
        "rows": [
            [*locate_image(first_row), *locate_image(second_row), bool(is_mirrored)]
            for first_row, second_row, is_mirrored in named_pairs
        ],
        "names": [
            [all_names[first_row], all_names[second_row], bool(is_mirrored)]
            for first_row, second_row, is_mirrored in named_pairs
        ],
    }


def read_published_counts(data: Data) -> dict[str, dict[str, int]]:
    """{split: {class: published images}}, empty for data sets without published counts."""
    if data.info["options"].get("rule", "majority") != "majority":
        return {}
    with open(PUBLISHED, encoding="utf-8", newline="") as file:
        rows = {row["class"]: row for row in csv.DictReader(file) if row["dataset"] == data.name}
    known_names = [name for name in data.classes if name in rows]
    trains_on_valid = data.info["options"].get("train") != "train"
    columns = {"train": ["train", "valid"] if trains_on_valid else ["train"], "test": ["test"]}
    if not known_names:
        return {}
    return {
        split: {name: sum(int(rows[name][column] or 0) for column in columns[split]) for name in known_names}
        for split in SPLITS
    }


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
            f"- {split}: {split_copies['images']:,} images in {count_things(split_copies['groups'], 'group')} of exact copies, "
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
    image_counts = {split: add_sum(dataset_info["counts"][split]) for split in SPLITS}
    published_counts = {split: add_sum(class_counts) for split, class_counts in data_card["published"].items()}
    for class_name in [*dataset_info["classes"], "all"]:
        cells = [class_name]
        for split in SPLITS:
            image_count = image_counts[split][class_name]
            cells.append(f"{image_count:,}")
            if published_counts:
                published_count = published_counts[split].get(class_name, 0)
                difference = f" ({image_count - published_count:+,})" if image_count != published_count else ""
                cells.append(f"{published_count:,}{difference}")
        table_rows.append(cells)
    return table_rows


def add_sum(class_counts: dict[str, int]) -> dict[str, int]:
    return class_counts | {"all": sum(class_counts.values())}


def format_table(headings: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (headings, ["---"] * len(headings), *rows)]


def format_value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(
            f"{key} {entry:,}" if isinstance(entry, int) else f"{key} {entry}" for key, entry in value.items()
        )
    return str(value)
