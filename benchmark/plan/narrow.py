"""Where only drawing is asked for and no data set is named: each table keeps the data sets that it was measured on."""

from benchmark.plan.matrix import Plan, PlannedCell, has_record

ENOUGH = 0.5  # of a data set's cells; what it shares with other tables is not enough to draw it here


def drop_unmeasured(plan: Plan) -> list[str]:
    """Take out of each table and figure the data sets of which most cells have no record; returns a line for each.

    The last one of a single table stays, so that its gaps are named.
    """
    lines = []
    for (kind, name), cells in plan.cells.items():
        measured_shares = {
            dataset: measured_share(plan, cells, dataset) for dataset in dict.fromkeys(cell.dataset for cell in cells)
        }
        kept_datasets = {dataset for dataset, share in measured_shares.items() if share > ENOUGH}
        if not kept_datasets and len(plan.cells) == 1:
            continue
        plan.cells[kind, name] = [cell for cell in cells if cell.dataset in kept_datasets]
        lines += [
            f"{kind} {name}: {dataset} is left out, {100 * share:.0f} % of its cells have records here "
            f"(--datasets {dataset} shows them)"
            for dataset, share in measured_shares.items()
            if dataset not in kept_datasets
        ]
    return lines


def measured_share(plan: Plan, cells: list[PlannedCell], dataset: str) -> float:
    """Of a data set's cells that can have runs, how many have a record."""
    measured_cells = [
        any(has_record(run, plan.request) for run in cell.runs)
        for cell in cells
        if cell.dataset == dataset and cell.runs
    ]
    return sum(measured_cells) / len(measured_cells) if measured_cells else 1.0
