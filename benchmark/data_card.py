"""What a decoded data set is: counts against published ones, copies, near copies, votes; as data and as a page."""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from benchmark.cache import SPLITS, Data, Split, pixel_hash

PUBLISHED = Path(__file__).parent / "datasets" / "published_counts.csv"
DISTANCE = 3  # bits of 64 in which the outlines of near copies may differ
BANDS = 4  # of 16 bits: outlines within 3 bits agree in at least one
ONES = np.array([number.bit_count() for number in range(2**16)], np.uint8)
CHUNK = 4096  # images hashed at once
PAIRS_KEPT = 200  # near copies named in the card


def card(data: Data) -> dict[str, Any]:
    """Everything the page says, as plain data."""
    return {
        "card": data.card,
        "card_hash": data.card_hash,
        "published": published(data),
        "exact": exact_copies(data),
        "near": near_copies(data),
        "votes": {split: confusion(getattr(data, split), len(data.classes)) for split in data.card["votes"]},
    }


def published(data: Data) -> dict[str, dict[str, int]]:
    """{split: {class: published images}}, empty for data sets without published counts."""
    with open(PUBLISHED, encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["dataset"] == data.name and row["class"] in data.classes]
    columns = {"train": ["train", "valid"], "test": ["test"]}
    if data.card["options"].get("train") == "train":
        columns["train"] = ["train"]
    order = sorted(rows, key=lambda row: data.classes.index(row["class"]))
    return {s: {row["class"]: sum(int(row[c] or 0) for c in columns[s]) for row in order} for s in SPLITS if rows}


def exact_copies(data: Data) -> dict[str, Any]:
    """Images whose stored pixels are the same, within and across the splits."""
    hashes = {split: [pixel_hash(image) for image in getattr(data, split).images] for split in SPLITS}
    found: dict[str, Any] = {}
    for split in SPLITS:
        labels: dict[str, list[int]] = {}
        for value, label in zip(hashes[split], getattr(data, split).labels):
            labels.setdefault(value, []).append(int(label))
        groups = [group for group in labels.values() if len(group) > 1]
        found[split] = {
            "groups": len(groups),
            "images": sum(map(len, groups)),
            "groups_with_different_labels": sum(len(set(group)) > 1 for group in groups),
        }
    trained = set(hashes["train"])
    leaked = np.array([value in trained for value in hashes["test"]])
    counts = np.bincount(data.test.labels[leaked], minlength=len(data.classes))
    found["test_images_also_in_train"] = int(leaked.sum())
    found["by_class"] = {name: int(n) for name, n in zip(data.classes, counts) if n}
    return found


def near_copies(data: Data) -> dict[str, Any]:
    """Images whose coarse outlines agree but whose pixels do not, as they are or mirrored."""
    images = [(split, row) for split in SPLITS for row in range(len(getattr(data, split).labels))]
    outlines = np.concatenate([outline(getattr(data, split).images) for split in SPLITS])
    turned = np.concatenate([outline(getattr(data, split).images, mirrored=True) for split in SPLITS])
    n = len(outlines)
    pairs = near_pairs(np.concatenate([outlines, turned]), DISTANCE)
    pairs = pairs[pairs[:, 0] < n]  # the other half are the same pairs, both mirrored
    mirrored = pairs[:, 1] >= n
    pairs = np.stack([pairs[:, 0], pairs[:, 1] % n, mirrored], 1)
    pairs[:, :2].sort(1)
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    plain, flat = [], pixels_equal(data, images)
    for a, b, m in pairs.tolist():
        if m or not flat(a, b):
            plain.append((a, b, bool(m)))
    kinds = {"within train": 0, "within test": 0, "train and test": 0}
    for a, b, _ in plain:
        one, two = images[a][0], images[b][0]
        kinds["train and test" if one != two else f"within {one}"] += 1
    across = [pair for pair in plain if images[pair[0]][0] != images[pair[1]][0]]
    first = [*across, *(pair for pair in plain if pair not in set(across))][:PAIRS_KEPT]
    names = [[*(str(getattr(data, images[i][0]).names[images[i][1]]) for i in pair[:2]), pair[2]] for pair in first]
    rows = [[*(list(images[i]) for i in pair[:2]), pair[2]] for pair in first]
    test = {b for a, b, _ in across}
    mirrored = sum(m for *_, m in plain)
    return {"pairs": kinds, "mirrored": mirrored, "test_images": len(test), "names": names, "rows": rows}


def pixels_equal(data: Data, images: list[tuple[str, int]]) -> Any:
    def equal(a: int, b: int) -> bool:
        one, two = (getattr(data, images[i][0]).images[images[i][1]] for i in (a, b))
        return np.array_equal(one, two)

    return equal


def outline(images: np.ndarray, mirrored: bool = False) -> np.ndarray:
    """[n] uint64: of each image shrunk to 9 x 8 grey values, which of the 64 neighbours to the right are brighter."""
    import cv2

    found = np.empty(len(images), np.uint64)
    for start in range(0, len(images), CHUNK):
        grey = np.asarray(images[start : start + CHUNK]).mean(3).astype(np.float32)
        if mirrored:
            grey = grey[:, :, ::-1]
        small = np.stack([cv2.resize(np.ascontiguousarray(g), (9, 8), interpolation=cv2.INTER_AREA) for g in grey])
        bits = np.packbits((small[:, :, 1:] > small[:, :, :-1]).reshape(len(small), 64), axis=1)
        found[start : start + CHUNK] = bits.view(">u8")[:, 0]
    return found


def near_pairs(hashes: np.ndarray, distance: int) -> np.ndarray:
    """[m, 2] pairs i < j of 64-bit hashes that differ in at most `distance` < 4 bits, each once.

    Such hashes agree in at least one of four bands of 16 bits, so only those that share a band are compared.
    """
    found = [np.empty((0, 2), np.int64)]
    for band in range(BANDS):
        part = (hashes >> np.uint64(16 * band)) & np.uint64(0xFFFF)
        order = np.argsort(part, kind="stable")
        places, ordered = np.arange(len(order)), part[order]
        for step in range(1, len(order)):
            places = places[places + step < len(order)]
            places = places[ordered[places] == ordered[places + step]]
            if not len(places):
                break
            pairs = np.stack([order[places], order[places + step]], 1)
            found.append(pairs[differing_bits(hashes[pairs[:, 0]] ^ hashes[pairs[:, 1]]) <= distance])
    return np.unique(np.sort(np.concatenate(found), axis=1), axis=0)


def differing_bits(different: np.ndarray) -> np.ndarray:
    """How many bits of each uint64 are set."""
    return ONES[np.ascontiguousarray(different).view(np.uint16)].reshape(-1, 4).sum(1)


def confusion(split: Split, classes: int) -> list[list[float]]:
    """[C, C] mean share of the votes that images of each class (row) have for each class."""
    votes = np.asarray(split.votes, np.float64)
    share = votes / np.maximum(votes.sum(1, keepdims=True), 1e-12)
    return [
        share[split.labels == c].mean(0).tolist() if (split.labels == c).any() else [0.0] * classes
        for c in range(classes)
    ]


def page(found: dict[str, Any]) -> str:
    """The card as markdown."""
    card, near, exact = found["card"], found["near"], found["exact"]
    counts = {split: sum(card["counts"][split].values()) for split in SPLITS}
    facts = {
        "fingerprint": card["fingerprint"],
        "landmarks": card["landmark_fingerprint"] or "none",
        "card": found["card_hash"],
        "options": ", ".join(f"{k}={v}" for k, v in card["options"].items()) or "none",
        "label rule": card["label_rule"],
        "stored images": f"{card['size']} x {card['size']}, {'grey' if card['channels'] == 1 else 'RGB'}",
        **{key: value for key, value in card["facts"].items() if key not in ("label_rule", "images used", "dropped")},
    }
    lines = [f"# {card['title']}", ""]
    lines += [f"- {key}: {worded(value)}" for key, value in facts.items()]
    lines += [f"- warning: {line}" for line in card["warnings"]]
    lines += ["", f"## Images: {counts['train']:,} to train on, {counts['test']:,} to test on", ""]
    lines += table(["class", *count_heads(found)], count_rows(found))
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
    pairs = ", ".join(f"{n:,} {where}" for where, n in near["pairs"].items())
    lines.append(
        f"- near copies (outlines within {DISTANCE} of 64 bits; look at them): {pairs} pairs, "
        f"{near['mirrored']:,} of them mirrored; {near['test_images']:,} test images"
    )
    for split, matrix in found["votes"].items():
        lines += ["", f"## People's votes, {split}: mean share of each class (row) for each class", ""]
        names = card["classes"]
        lines += table(["", *names], [[name, *(f"{v:.3f}" for v in row)] for name, row in zip(names, matrix)])
    return "\n".join(lines) + "\n"


def count_heads(found: dict[str, Any]) -> list[str]:
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


def table(heads: list[str], rows: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)]


def worded(value: Any) -> str:
    return (
        ", ".join(f"{k} {v:,}" if isinstance(v, int) else f"{k} {v}" for k, v in value.items())
        if isinstance(value, dict)
        else str(value)
    )
