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
    images = data.train.images, data.test.images
    small = [np.stack([shrink_image(image) for image in part]) for part in images]
    copies = find_copies(images, (small[0], small[1]))
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
    count = copies.training_images
    in_split = {
        "train": [[row for row in group if row < count] for group in copies.exact],
        "test": [[row - count for row in group if row >= count] for group in copies.exact],
    }
    described: dict[str, Any] = {}
    for split, groups in in_split.items():
        groups = [group for group in groups if len(group) > 1]
        labels = getattr(data, split).labels
        described[split] = {
            "groups": len(groups),
            "images": sum(map(len, groups)),
            "groups_with_different_labels": sum(len(set(labels[group].tolist())) > 1 for group in groups),
        }
    leaked = [row for trained, tested in zip(in_split["train"], in_split["test"]) if trained for row in tested]
    by_class = np.bincount(data.test.labels[leaked], minlength=len(data.classes))
    described["test_images_also_in_train"] = len(leaked)
    described["by_class"] = {name: int(n) for name, n in zip(data.classes, by_class) if n}
    return described


def describe_near_copies(data: Data, copies: Copies) -> dict[str, Any]:
    """Pairs of images that are nearly the same, those across the splits first; a test image that has an exact copy in the
    training images is not counted once more."""
    count = copies.training_images
    pairs = copies.near.tolist()
    across = [pair for pair in pairs if copies.is_across(pair[0], pair[1])]
    exact = {row for group in copies.exact if group[0] < count for row in group}
    kept = sorted(pairs, key=lambda pair: not copies.is_across(pair[0], pair[1]))[:PAIRS_KEPT]
    images = [[("train", row) if row < count else ("test", row - count) for row in pair[:2]] for pair in kept]
    mirrored = [bool(pair[2]) for pair in kept]
    return {
        "train and test": len(across),
        "within train": sum(two < count for _, two, _ in pairs),
        "within test": sum(one >= count for one, _, _ in pairs),
        "mirrored": sum(mirrored for *_, mirrored in pairs),
        "test_images": len({two for _, two, _ in across} - exact),
        "rows": [[*one, *two, turned] for (one, two), turned in zip(images, mirrored)],
        "names": [
            [*(str(getattr(data, split).names[row]) for split, row in pair), turned]
            for pair, turned in zip(images, mirrored)
        ],
    }


def read_published_counts(data: Data) -> dict[str, dict[str, int]]:
    """{split: {class: published images}}, empty for data sets without published counts."""
    if data.info["options"].get("rule", "majority") != "majority":
        return {}
    with open(PUBLISHED, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == data.name and row["class"] in data.classes]
    columns = {"train": ["train", "valid"], "test": ["test"]}
    if data.info["options"].get("train") == "train":
        columns["train"] = ["train"]
    order = sorted(rows, key=lambda row: data.classes.index(row["class"]))
    return {s: {row["class"]: sum(int(row[c] or 0) for c in columns[s]) for row in order} for s in SPLITS if rows}


def mean_vote_shares(split: Split, classes: int) -> list[list[float]]:
    """[C, C] mean share of the votes that images of each class (row) have for each class; 0 for an empty class."""
    votes = np.asarray(split.votes, np.float64)
    shares = votes / np.maximum(votes.sum(1, keepdims=True), 1e-12)
    summed = np.eye(classes)[split.labels].T @ shares
    return (summed / np.maximum(np.bincount(split.labels, minlength=classes), 1)[:, None]).tolist()


def format_page(found: dict[str, Any]) -> str:
    """The card as markdown."""
    card, near, exact = found["card"], found["near"], found["exact"]
    counts = {split: sum(card["counts"][split].values()) for split in SPLITS}
    facts = {
        "fingerprint": card["fingerprint"],
        "landmarks": card["landmark_fingerprint"] or "none",
        **({"usable landmarks": format_value(n)} if (n := card.get("landmarks usable")) else {}),
        "card": found["card_hash"],
        "options": ", ".join(f"{k}={v}" for k, v in card["options"].items()) or "none",
        "label rule": card["label_rule"],
        "stored images": f"{card['size']} x {card['size']}, {'grey' if card['channels'] == 1 else 'RGB'}",
        **{key: value for key, value in card["facts"].items() if key not in ("label_rule", "images used", "dropped")},
    }
    lines = [f"# {card['title']}", ""]
    lines += [f"- {key}: {format_value(value)}" for key, value in facts.items()]
    lines += [f"- {said_once('warning', said_once(card['name'], line))}" for line in card["warnings"]]
    lines += ["", f"## Images: {counts['train']:,} to train on, {counts['test']:,} to test on", ""]
    lines += format_table(["class", *count_headings(found)], count_rows(found))
    lines += ["", "## Left out", ""]
    lines += [f"- {reason}: {held['count']:,}" for reason, held in card["dropped"].items()] or ["- nothing"]
    lines += ["", "## Copies", ""]
    for split in SPLITS:
        e = exact[split]
        lines.append(
            f"- {split}: {e['images']:,} images in {e['groups']:,} groups of exact copies, "
            f"{e['groups_with_different_labels']:,} of them with different labels"
        )
    leak = ", ".join(f"{name} {n}" for name, n in exact["by_class"].items())
    lines.append(
        f"- {exact['test_images_also_in_train']:,} of the {counts['test']:,} test images have an exact copy among the "
        f"training images{f' ({leak})' if leak else ''}"
    )
    pairs = ", ".join(f"{near[where]:,} {where}" for where in ("train and test", "within train", "within test"))
    lines.append(
        f"- near copies (outlines within {DISTANCE} of 64 bits, small images that correlate by {ALIKE}): {pairs} pairs, "
        f"{near['mirrored']:,} of them mirrored; {near['test_images']:,} test images that have no exact one"
    )
    for split, matrix in found["votes"].items():
        lines += ["", f"## People's votes, {split}: mean share of each class (row) for each class", ""]
        names = card["classes"]
        lines += format_table(["", *names], [[name, *(f"{v:.3f}" for v in row)] for name, row in zip(names, matrix)])
    return "\n".join(lines) + "\n"


def count_headings(found: dict[str, Any]) -> list[str]:
    return [head for split in SPLITS for head in ([split, "published"] if found["published"] else [split])]


def count_rows(found: dict[str, Any]) -> list[list[str]]:
    """One row a class and one of sums; a published count that differs carries the difference."""
    card, rows = found["card"], []
    for name in [*card["classes"], "all"]:
        row = [name]
        for split in SPLITS:
            held = card["counts"][split]
            have = sum(held.values()) if name == "all" else held[name]
            row.append(f"{have:,}")
            if found["published"]:
                known = found["published"][split]
                want = sum(known.values()) if name == "all" else known.get(name, 0)
                row.append(f"{want:,}" + (f" ({have - want:+,})" if have != want else ""))
        rows.append(row)
    return rows


def format_table(heads: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def format_value(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}" for k, v in value.items())
    return str(value)
