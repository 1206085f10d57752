"""What stands below a table: what its numbers do not say by themselves."""

from statistics import median

import numpy as np

from reports.asked import Options
from reports.captions import condition_title, dataset_title
from reports.cells import Cell, common_seeds, group_by, group_conditions
from reports.statistics import detectable_gain, pooled_paired_std
from reports.table import format_signed
from results.published import supplement_facts
from results.schema import record_seed

FALLEN = 10.0  # points
AGAINST = "‡"  # marks what was not measured here


def describe_mean(cell: Cell, values: dict[int, float], form: str = ".2f") -> str:
    """What stands behind a mean of `values`, {seed: value}: n, each seed, the record ids."""
    seeds = ", ".join(f"seed {number}: {value:{form}}" for number, value in sorted(values.items()))
    ids = " ".join(record["id"] for record in cell.records if record_seed(record) in values)
    return f"n = {len(values)} of {len(cell.ids)}" + (f"; {seeds}; records {ids}" if values else "")


def failure_notes(cells: list[Cell]) -> list[str]:
    """One line a marked cell."""
    lines = [f"† {cell.where}: {cell.reason}" for cell in cells if cell.reason]
    return lines + [f"† {cell.where}: {line}" for cell in cells for line in cell.failed]


def few_note(cells: list[Cell]) -> list[str]:
    """Which points of a picture stand on fewer seeds than asked."""
    few_texts = [f"{cell.where}: n = {cell.n} of {len(cell.ids)}" for cell in cells if 0 < cell.n < len(cell.ids)]
    return [f"Fewer seeds than asked: {'; '.join(few_texts)}."] if few_texts else []


def against_note(cells: list[Cell]) -> list[str]:
    """Which cells were not measured here."""
    names = list(dict.fromkeys(cell.against for cell in cells if cell.against))
    agreement = "which agree in data, scale, recipe, precision and noise"
    return [f"{AGAINST} Not all runs were made here: records of {name}, {agreement}." for name in names]


def list_gaps(cells: list[Cell]) -> list[str]:
    """One line a run that is not there, and one a cell that cannot be; an exit status rests on them."""
    lines = [f"{cell.where}: {cell.reason}" for cell in cells if cell.reason]
    for cell in cells:
        not_run = [f"{record_id[:8]}: not run" for record_id in cell.absent]
        lines += [f"{cell.where}: {line}" for line in [*cell.failed, *not_run]]
    return lines


def detectable_note(cells: list[Cell], options: Options) -> list[str]:
    """The smallest gain that this many seeds can show on each data set, beside the paper's."""
    row_groups = group_conditions(cell for cell in cells if cell.values).values()
    paired_rows = [rows for rows in row_groups if len(rows) > 1 and len(common_seeds(rows)) > 1]
    gain_texts = []
    for dataset, groups in group_by(paired_rows, lambda rows: rows[0].dataset).items():
        most_seeds = max(len(common_seeds(rows)) for rows in groups)
        values = [
            np.array([[cell.values[number] for number in common_seeds(rows)] for cell in rows])
            for rows in groups
            if len(common_seeds(rows)) == most_seeds
        ]
        std = float(np.sqrt(np.mean([pooled_paired_std(rows) ** 2 for rows in values])))
        gain_texts.append(
            f"{dataset_title(cells, dataset)}: {detectable_gain(std, most_seeds):.{options.decimals}f} points "
            f"(n = {most_seeds}, standard deviation of paired differences {std:.{options.decimals + 1}f})"
        )
    if not gain_texts:
        return []
    gain = float(supplement_facts()["avg_gain_over_eac_RAF-DB"])
    of_paper = f" The paper's average gain of LA-Net over EAC on RAF-DB is {gain:.1f} points."
    return [
        f"The smallest gain of one row over another that these seeds can show: {'; '.join(gain_texts)}. A paired t test over "
        "seeds finds it with 80 % power (two-sided, 5 %, one comparison). Ranks need more, because they also count test images "
        "and all pairs of rows." + (of_paper if options.metric == "accuracy" else "")
    ]


def fallen_note(cells: list[Cell], options: Options) -> list[str]:
    """Runs that ended far below the others of their row, which its mean and deviation do not tell from spread.

    Of accuracy alone: that of a rare class is a matter of a few images, and falls by as much without anything being wrong.
    """
    if options.metric != "accuracy":
        return []
    return [
        f"{cell.where}: seed {number} ended at {value:.1f}, {median(cell.values.values()) - value:.1f} points below the "
        "row's median; it counts."
        for cell in cells
        if cell.n > 2
        for number, value in sorted(cell.values.items())
        if median(cell.values.values()) - value > FALLEN
    ]


def below_baseline(cells: list[Cell], decimals: int = 1) -> list[str]:
    """Where a row does not beat the baseline on the same seeds."""
    baselines = {cell.condition: cell for cell in cells if cell.method == "baseline" and not cell.label}
    losing_rows = []
    for cell in cells:
        baseline = baselines.get(cell.condition)
        if baseline is None or baseline is cell:
            continue
        gains = [cell.values[s] - baseline.values[s] for s in common_seeds([cell, baseline])]
        gain = float(np.mean(gains)) if gains else 1.0
        if gain <= 0:
            where = condition_title(cells, cell.condition)
            losing_rows.append(f"{cell.title} ({where}) {format_signed(gain, f'+.{decimals}f')}")
    return [f"Not above the baseline, points on the same seeds: {'; '.join(losing_rows)}."] if losing_rows else []
