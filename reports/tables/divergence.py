"""Table 2 as rows: labels and label distributions against people."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from reports.asked import Asked, Options, ReportError, output_stem
from reports.captions import UNMEASURED, condition_title, dataset_title, describe_foundation, runs_text, unique_texts
from reports.cells import Cell, read_cells
from reports.divergence import Group, Measured, compare_distance, group_divergences
from reports.mechanisms import idle_notes
from reports.notes import AGAINST, against_note, failure_notes, list_gaps
from reports.paired import COUNTED
from reports.statistics import Interval, is_sure
from reports.table import Block, Entry, Table
from reports.votes import ONE_ANNOTATOR, one_hot_divergence, people_text, random_annotator_divergence, read_study
from results.published import supplement_facts
from results.records import Records
from results.schema import ENOUGH_SEEDS

COLUMNS = "row method dataset noise rate n asked images_of images mean low high base root people ids"


def divergence_table(asked: Asked, records: Records, options: Options) -> Table:
    """Table 2; raises ReportError."""
    cells = read_cells(asked, records, asked.rule(options))
    groups = list(group_divergences(cells, records, options))
    without_runs = list(votes_alone(asked.data, records.root, options))
    with_votes = {group.condition[0] for group in groups}
    if options.study and not (groups or without_runs) and (asked.data or any(cell.records for cell in cells)):
        raise ReportError(f"{options.study}: none of its images is a training image of {', '.join(asked.columns)}")
    without_votes = unique_texts(cell.dataset for cell in cells if cell.records and cell.dataset not in with_votes)
    notes = [f"{dataset_title(cells, name)}: no people's votes, so nothing to compare with." for name in without_votes]
    cells_with_votes = [cell for cell in cells if cell.dataset in with_votes]
    return Table(
        name=output_stem(asked),
        title=asked.heading,
        caption=divergence_caption([cell for cell in cells_with_votes if cell.records], options),
        blocks=[
            *(block for block, _ in without_runs),
            *(block for group in groups for block in (overall_block(group, cells), class_block(group, cells))),
            published_block(),
        ],
        notes=[*notes, *against_note(cells), *failure_notes(cells), *idle_notes(cells)],
        stands_on=[*explain_divergence(options, cells), *describe_foundation(cells_with_votes)],
        header=tuple(COLUMNS.split()),
        facts=[
            *(fact for _, facts in without_runs for fact in facts),
            *(fact for group in groups for row in group.measured for fact in row_facts(group, row, options)),
        ],
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
    return f"{measured_text}; last epoch; mean with 95 % interval over seeds and images; {runs_text(cells)}."


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


def overall_block(group: Group, cells: list[Cell]) -> Block:
    one_hot = group.measured[0]
    columns = [
        "Labels",
        f"all ({len(one_hot.rows):,})",
        *(f"{image_group.name} ({image_group.images:,})" for image_group in one_hot.of_kinds),
    ]
    nearest = nearest_rows(group)
    expected = float(group.annotator.mean())
    one_person = [Entry(ONE_ANNOTATOR), Entry(f"{expected:.4f}", sort=expected), *[Entry("")] * 3]
    first_line, *lines = [overall_line(row, row.title in nearest) for row in group.measured]
    return Block(condition_title(cells, group.condition), columns, [first_line, one_person, *lines])


def overall_line(row: Measured, is_nearest: bool) -> list[Entry]:
    """A row's mean over all images, and of each kind."""
    text = divergence_text(row.overall)
    seed_count = len(row.values)
    if seed_count < row.asked:
        text += f" ({seed_count}/{row.asked})"
    if row.cell and row.cell.against:
        text += f" {AGAINST}"
    detail = f"n = {seed_count} of {row.asked}" + (f"; records {row.cell.id_text}" if row.cell else "")
    first_entry = Entry(text, is_nearest, sort=row.overall.mean, detail=detail)
    return [Entry(row.title), first_entry, *(divergence_entry(image_group.mean) for image_group in row.of_kinds)]


def divergence_text(interval: Interval) -> str:
    return f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def divergence_entry(mean: float) -> Entry:
    return Entry("–") if np.isnan(mean) else Entry(f"{mean:.4f}", sort=mean)


def nearest_rows(group: Group) -> set[str]:
    """The rows than which none of the others is nearer to people; none where rows share fewer than five seeds."""
    rows = group.measured[1:]
    nearest = set()
    for row in rows:
        comparisons = [compare_distance(other, row) for other in rows if other is not row]
        if not comparisons or any(comparison is None or comparison[1] < ENOUGH_SEEDS for comparison in comparisons):
            return set()
        if not any(interval.mean > 0 and is_sure(interval) for interval, _ in comparisons):
            nearest.add(row.title)
    return nearest


def class_block(group: Group, cells: list[Cell]) -> Block:
    rows = [
        [Entry(row.title), *(divergence_entry(image_group.mean) for image_group in row.of_classes(group.classes))]
        for row in group.measured
    ]
    return Block(f"{condition_title(cells, group.condition)}, by class", ["Labels", *group.classes], rows)


def published_block() -> Block:
    printed = supplement_facts()
    rows = [("One-hot label", "js_onehot_vs_user_study"), ("LA-Net", "js_label_distribution_vs_user_study")]
    fields = [[Entry(name), Entry(printed[key], published=True, sort=float(printed[key]))] for name, key in rows]
    return Block("Published: AffectNet, 50 images, user study", ["Labels", "published"], fields)


def csv_spelling(options: Options) -> dict[str, Any]:
    return {"base": base_text(options), "root": options.root, "people": people_text(options.study)}


def row_facts(group: Group, row: Measured, options: Options) -> Iterator[dict[str, Any]]:
    """One line of the CSV for all images, each kind and each class."""
    dataset, noise, rate = group.condition
    common = {"row": row.title, "method": row.cell.method if row.cell else "", "dataset": dataset, "noise": noise}
    common |= {"rate": rate or "", "n": len(row.values), "asked": row.asked}
    common |= {"ids": row.cell.id_text if row.cell else "", **csv_spelling(options)}
    for image_group in (row.all_images, *row.of_kinds, *row.of_classes(group.classes)):
        yield common | image_group.facts


def votes_alone(
    folders: dict[str, str], results: Path, options: Options
) -> Iterator[tuple[Block, list[dict[str, Any]]]]:
    """What votes say of labels before any training, of each decoded data set: a block, and lines of the CSV.

    folders: {name: folder below `<results>/data`}.
    """
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
        if has_votes.any():
            rows = measure_votes(np.asarray(votes[has_votes], float), labels[has_votes], options)
            common = {"dataset": name, **csv_spelling(options)}
            facts = [common | {"row": f"{row.title}, nothing trained"} | row.all_images.facts for row in rows]
            yield votes_block(rows, card, options), facts


def measure_votes(votes: np.ndarray, labels: np.ndarray, options: Options) -> list[Measured]:
    """votes [n, C] of the images that people voted on, labels [n] before noise."""
    spelling = {"base": options.log_base, "root": options.root}
    divergences = {
        "One-hot label before noise": one_hot_divergence(votes, labels, **spelling),
        ONE_ANNOTATOR: random_annotator_divergence(votes, **spelling),
    }
    return [Measured(title, None, np.arange(len(votes)), labels, {0: one}) for title, one in divergences.items()]


def votes_block(rows: list[Measured], card: dict[str, Any], options: Options) -> Block:
    lines = []
    for row in rows:
        means = [image_group.mean for image_group in row.of_classes(card["classes"])]
        first_entry = Entry(divergence_text(row.overall), sort=row.overall.mean)
        means_of_classes = [float(np.nanmean(means)), *means]
        lines.append([Entry(row.title), first_entry, *map(divergence_entry, means_of_classes)])
    people = "the study's votes" if options.study else "people's votes"
    heading = f"{card['title']}: {people} alone, {card.get('label_rule') or 'labels as stored'}, nothing trained"
    columns = ["Labels", f"all ({len(rows[0].rows):,} training images)", "mean of classes", *card["classes"]]
    return Block(heading, columns, lines)
