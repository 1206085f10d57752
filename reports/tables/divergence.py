"""Table 2 as rows: labels and label distributions against people."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from reports.asked import Asked, Options, ReportError, output_stem
from reports.captions import (
    UNMEASURED,
    dataset_title,
    describe_foundation,
    noise_text,
    scale_text,
    seeds_text,
    unique_texts,
)
from reports.cells import Cell, read_cells
from reports.divergence import Group, Measured, compare_distance, group_divergences
from reports.mechanisms import idle_notes
from reports.notes import AGAINST, against_note, failure_notes, list_gaps
from reports.paired import COUNTED
from reports.statistics import Interval, crossed_interval, is_sure, paired_t
from reports.table import Block, Entry, Table
from reports.votes import (
    KINDS,
    ONE_ANNOTATOR,
    four_decimals,
    one_hot_divergence,
    people_text,
    random_annotator_divergence,
    read_study,
)
from results.published import supplement_facts
from results.records import Records
from results.schema import ENOUGH_SEEDS

COLUMNS = "row method dataset noise rate n asked images_of images mean low high base root people ids"


def divergence_table(asked: Asked, records: Records, options: Options) -> Table:
    """Table 2; raises ReportError."""
    cells = read_cells(asked, records, asked.rule(options))
    blocks = []
    rows_of_csv = []
    with_votes = set()
    for group in group_divergences(cells, records, options):
        with_votes.add(group.dataset)
        intervals = {row.title: crossed_interval(row.over_seeds_and_images()) for row in group.measured}
        blocks += [overall_block(group, cells, intervals), class_block(group, cells)]
        rows_of_csv += [
            fact for row in group.measured for fact in divergence_rows(group, row, intervals[row.title], options)
        ]
    without_runs = votes_alone(asked.data, records.root, options)
    rows_of_csv = [fact | csv_spelling(options) for of_votes in without_runs for fact in of_votes.facts] + rows_of_csv
    if options.study and not (with_votes or without_runs) and (asked.data or any(cell.records for cell in cells)):
        raise ReportError(f"{options.study}: none of its images is a training image of {', '.join(asked.columns)}")
    without_votes = dict.fromkeys(cell.dataset for cell in cells if cell.records and cell.dataset not in with_votes)
    notes = [f"{dataset_title(cells, name)}: no people's votes, so nothing to compare with." for name in without_votes]
    return Table(
        name=output_stem(asked),
        title=asked.heading,
        caption=divergence_caption([c for c in cells if c.dataset in with_votes and c.records], options),
        blocks=[*(of_votes.block for of_votes in without_runs), *blocks, published_block()],
        notes=[*notes, *against_note(cells), *failure_notes(cells), *idle_notes(cells)],
        stands_on=[
            *explain_divergence(options, cells),
            *describe_foundation([c for c in cells if c.dataset in with_votes]),
        ],
        header=tuple(COLUMNS.split()),
        facts=rows_of_csv,
        gaps=list_gaps(cells),
    )


def base_text(options: Options) -> str:
    return "e" if options.log_base == np.e else f"{options.log_base:g}"


def measure_name(options: Options) -> str:
    name = "Jensen-Shannon distance (root of the divergence)" if options.root else "Jensen-Shannon divergence"
    return f"{name} to base {base_text(options)}"


def divergence_caption(cells: list[Cell], options: Options) -> str:
    """One sentence; cells: those with runs."""
    measured_text = f"{measure_name(options)} from people's votes, lower is closer"
    if not cells:
        return f"{measured_text}. {UNMEASURED}"
    return (
        f"{measured_text}; last epoch; mean with 95 % interval over seeds and images; {seeds_text(cells)}; "
        f"{scale_text(cells)}."
    )


def explain_divergence(options: Options, cells: list[Cell]) -> list[str]:
    annotators = "the image's annotators" if options.study else "the annotators (5 of ten)"
    drawn_titles = unique_texts(dataset_title(cells, c.dataset) for c in cells if c.records and c.dataset == "faces")
    simulated_note = f" ({drawn_titles[0]}: simulated annotators)" if drawn_titles and not options.study else ""
    return [
        f"{measure_name(options)} between the shares of people's votes and the labels that a method was "
        "given (one-hot), or its label distribution of the un-augmented training image after the last epoch; lower is "
        "closer to people.",
        f"People: {people_text(options.study)}{simulated_note}.",
        "Brackets: 95 % interval over seeds and images. The baseline's softmax is the control: what "
        "any trained network reaches without a model of labels.",
        f"Bold: no other row is shown to be nearer (paired differences over seeds and images, closed form, 5 %; {COUNTED}), "
        "where rows share five seeds or more. Counts of images by kind are means over seeds.",
        f"Wrong: another class has more votes than the given label, whatever else holds; ambiguous: at most half of "
        f"{annotators} agree on one class; clear: the rest. Classes are those of the labels before noise.",
        "Published: LA-Net supplement (ICCV 2023), Table 2, 50 images of AffectNet and a study of its own; it does not say "
        "to which base, or whether a root, so the values are not comparable digit by digit.",
    ]


def overall_block(group: Group, cells: list[Cell], intervals: dict[str, Interval]) -> Block:
    counts = [group.measured[0].of_kind(kind)[1] for kind in range(3)]
    columns = ["Labels", f"all ({len(group.measured[0].rows):,})"]
    columns += [f"{name} ({image_count:,})" for name, image_count in zip(KINDS, counts)]
    nearest = nearest_rows(group)
    rows = []
    for row in group.measured:
        interval = intervals[row.title]
        text = f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"
        seed_count = len(row.values)
        asked_count = len(row.cell.ids) if row.cell else len(row.values)
        if seed_count < asked_count:
            text += f" ({seed_count}/{asked_count})"
        if row.cell and row.cell.against:
            text += f" {AGAINST}"
        ids = "" if row.cell is None else "; records " + " ".join(record["id"] for record in row.cell.records)
        first_entry = Entry(
            text, row.title in nearest, sort=interval.mean, detail=f"n = {seed_count} of {asked_count}{ids}"
        )
        of_kinds = [row.of_kind(kind)[0] for kind in range(3)]
        rows.append(
            [
                Entry(row.title),
                first_entry,
                *(Entry(four_decimals(v), sort=None if np.isnan(v) else v) for v in of_kinds),
            ]
        )
    expected = float(group.annotator.mean())
    one_person = [Entry(ONE_ANNOTATOR), Entry(f"{expected:.4f}", sort=expected), *[Entry("")] * 3]
    heading = f"{dataset_title(cells, group.dataset)}, {noise_text(group.noise, group.rate)}"
    return Block(heading, columns, [rows[0], one_person, *rows[1:]])


def nearest_rows(group: Group) -> set[str]:
    """The rows than which none of the others is nearer to people; none where rows share fewer than five seeds."""
    rows = group.measured[1:]
    nearest = set()
    for row in rows:
        comparisons = [compare_distance(other, row) for other in rows if other is not row]
        if not comparisons or any(comparison is None or comparison[1] < ENOUGH_SEEDS for comparison in comparisons):
            return set()
        if not any(
            comparison is not None and comparison[0].mean > 0 and is_sure(comparison[0]) for comparison in comparisons
        ):
            nearest.add(row.title)
    return nearest


def class_block(group: Group, cells: list[Cell]) -> Block:
    rows = []
    for row in group.measured:
        values = [row.of_class(c) for c in range(len(group.classes))]
        rows.append([Entry(row.title), *(Entry(four_decimals(v), sort=None if np.isnan(v) else v) for v in values)])
    heading = f"{dataset_title(cells, group.dataset)}, {noise_text(group.noise, group.rate)}, by class"
    return Block(heading, ["Labels", *group.classes], rows)


def published_block() -> Block:
    printed = supplement_facts()
    rows = [("One-hot label", "js_onehot_vs_user_study"), ("LA-Net", "js_label_distribution_vs_user_study")]
    fields = [[Entry(name), Entry(printed[key], published=True, sort=float(printed[key]))] for name, key in rows]
    return Block("Published: AffectNet, 50 images, user study", ["Labels", "published"], fields)


def csv_spelling(options: Options) -> dict[str, Any]:
    return {"base": base_text(options), "root": options.root, "people": people_text(options.study)}


def divergence_rows(group: Group, row: Measured, overall: Interval, options: Options) -> Iterator[dict[str, Any]]:
    """One row for all images, each kind and each class."""
    row_fields = {"row": row.title, "method": row.cell.method if row.cell else "", "dataset": group.dataset}
    row_fields |= {"noise": group.noise, "rate": group.rate or "", "n": len(row.values)}
    row_fields["asked"] = len(row.cell.ids) if row.cell else len(row.values)
    ids = " ".join(record["id"] for record in row.cell.records) if row.cell else ""
    last_fields = csv_spelling(options) | {"ids": ids}
    images = len(row.rows)
    bounds = {"mean": round(overall.mean, 6), "low": round(overall.low, 6), "high": round(overall.high, 6)}
    yield row_fields | {"images_of": "all", "images": images} | bounds | last_fields
    image_groups = [(KINDS[kind], *row.of_kind(kind), row.interval_of_kind(kind)) for kind in range(3)]
    image_groups += [
        (name, row.of_class(c), int((row.labels == c).sum()), row.interval_of_class(c))
        for c, name in enumerate(group.classes)
    ]
    for name, mean, images, interval in image_groups:
        mean_text = "" if np.isnan(mean) else round(mean, 6)
        bounds = {
            "mean": mean_text,
            "low": round(interval.low, 6) if interval else "",
            "high": round(interval.high, 6) if interval else "",
        }
        yield row_fields | {"images_of": name, "images": images} | bounds | last_fields


@dataclass
class Alone:
    """What a data set's votes say of its labels, as a block of the table and as rows of the CSV."""

    block: Block
    facts: list[dict[str, Any]]


def votes_alone(folders: dict[str, str], results: Path, options: Options) -> list[Alone]:
    """For each decoded data set with votes; folders: {name: folder below `<results>/data`}."""
    vote_blocks = []
    for name, folder_name in folders.items():
        folder = results / "data" / folder_name
        try:
            card = json.loads((folder / "card.json").read_text())
            array_names = ("labels", "names" if options.study else "votes")
            labels, people = (
                np.load(folder / f"train_{array_name}.npy", allow_pickle=False) for array_name in array_names
            )
        except (OSError, ValueError):
            continue  # no votes there, or not decoded here
        votes = read_study(options.study, people, card["classes"]) if options.study else people
        has_votes = votes.sum(1) > 0
        if not has_votes.any():
            continue
        vote_blocks.append(
            divergence_of_votes(name, card, np.asarray(votes[has_votes], float), labels[has_votes], options)
        )
    return vote_blocks


def divergence_of_votes(
    name: str, card: dict[str, Any], votes: np.ndarray, labels: np.ndarray, options: Options
) -> Alone:
    """votes [n, C] of the images that people voted on, labels [n] before noise."""
    spelling = {"base": options.log_base, "root": options.root}
    divergences = {
        "One-hot label before noise": one_hot_divergence(votes, labels, **spelling),
        ONE_ANNOTATOR: random_annotator_divergence(votes, **spelling),
    }
    rows = []
    facts = []
    for title, values in divergences.items():
        interval = paired_t(values)
        by_class = [values[labels == c].mean() if (labels == c).any() else float("nan") for c in range(votes.shape[1])]
        means = [float(np.nanmean(by_class)), *by_class]
        first_entry = Entry(f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]", sort=interval.mean)
        rows.append(
            [Entry(title), first_entry, *(Entry(four_decimals(m), sort=None if np.isnan(m) else m) for m in means)]
        )
        bounds = {"mean": round(interval.mean, 6), "low": round(interval.low, 6), "high": round(interval.high, 6)}
        facts.append(
            {"row": f"{title}, nothing trained", "dataset": name, "images_of": "all", "images": len(votes)} | bounds
        )
    people = "the study's votes" if options.study else "people's votes"
    heading = f"{card['title']}: {people} alone, {card.get('label_rule') or 'labels as stored'}, nothing trained"
    columns = ["Labels", f"all ({len(votes):,} training images)", "mean of classes", *card["classes"]]
    return Alone(Block(heading, columns, rows), facts)
