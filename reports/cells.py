"""One number of a table: the runs of a cell, their accuracies by seed, and what is missing."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from reports.asked import ReportError
from reports.statistics import sample_std
from results.published import Published, find
from results.records import Records
from results.schema import class_names, realised, seed

NOISE_OF_TABLE = {"1": "asymmetric", "symmetric": "symmetric", "clean": "none", "matched": "asymmetric"}
WITH_PUBLISHED = ("1", "symmetric", "clean")


@dataclass
class Cell:
    """values: {seed: accuracy in per cent}. failed: one line a run that ended badly; absent: ids that were not run."""

    title: str
    method: str
    dataset: str
    noise: str
    rate: str | None
    label: str | None = None
    part: str = "table"
    ids: list[str] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    reason: str = ""
    published: Published | None = None
    of_row: dict[str, str] = field(default_factory=dict)  # what the row itself changes, by design

    @property
    def by_hand(self) -> dict[str, str]:
        """What `--set` changed about these runs, beyond what the row is about: {'lanet.confidence': '0.5'}."""
        changed = {key: str(value) for record in self.records for key, value in record["spec"]["overrides"].items()}
        return {key: value for key, value in sorted(changed.items()) if key not in self.of_row}

    @property
    def n(self) -> int:
        return len(self.values)

    @property
    def mean(self) -> float | None:
        return float(np.mean(list(self.values.values()))) if self.values else None

    @property
    def std(self) -> float | None:
        return sample_std(np.array(list(self.values.values())))

    @property
    def classes(self) -> int | None:
        return len(class_names(self.records[0])) if self.records else None

    @property
    def realised(self) -> float | None:
        rates = [rate for rate in map(realised, self.records) if rate is not None]
        return float(np.mean(rates)) if rates else None

    @property
    def difference(self) -> float | None:
        """Measured minus published; None where the class sets are known to differ."""
        printed = self.published
        if self.mean is None or printed is None or printed.classes not in (None, self.classes):
            return None
        return self.mean - printed.mean

    @property
    def text(self) -> str:
        """84.1±0.3, with (2/3) where fewer runs are there than were asked for."""
        if self.mean is None:
            return "–"
        spread = "" if self.std is None else f"±{self.std:.1f}"
        return f"{self.mean:.1f}{spread}" + (f" ({self.n}/{len(self.ids)})" if self.n < len(self.ids) else "")

    @property
    def where(self) -> str:
        words = [self.title, self.dataset, self.noise + (f" {self.rate}" if self.rate else "")]
        return ", ".join(words)


def read_cells(what: dict[str, Any], records: Records, rule: str) -> list[Cell]:
    """The cells of a table or figure with their runs; raises ReportError where a column mixes two data sets."""
    cells = [read_cell(asked, what, records, rule) for asked in what["cells"]]
    first: dict[str, dict[str, Any]] = {}
    for cell in cells:
        for record in cell.records:
            other = first.setdefault(cell.dataset, record)
            one, two = (r["spec"]["data"]["fingerprint"] for r in (other, record))
            if one != two:
                raise ReportError(
                    f"{what['kind']} {what['name']}: {cell.where}: runs {other['id']} and {record['id']} were trained "
                    f"on different data (fingerprints {one[:12]} and {two[:12]}); give the same data, or another --results"
                )
    return cells


def read_cell(asked: dict[str, Any], what: dict[str, Any], records: Records, rule: str) -> Cell:
    found = [records.get(record_id) for record_id in asked["ids"]]
    noise = asked.get("noise") or next((r["spec"]["noise"]["kind"] for r in found if r), None)
    cell = Cell(
        title=str(asked.get("label") or asked["row"]),
        method=asked["method"],
        dataset=asked["dataset"],
        noise=noise or NOISE_OF_TABLE.get(what["name"], "asymmetric"),
        rate=asked["rate"],
        label=asked.get("label"),
        part=asked.get("part") or "table",
        ids=list(asked["ids"]),
        reason=asked.get("reason") or "",
        of_row=asked.get("overrides") or {},
    )
    for record_id, record in zip(cell.ids, found):
        why = (asked.get("failures") or {}).get(record_id) or records.refused.get(record_id)
        if record is not None and record["metrics"].get(rule) is not None:
            cell.records.append(record)
            cell.values[seed(record)] = 100 * record["metrics"][rule]
            continue
        if record is not None:
            why = f"the record has no accuracy by the rule {rule}"
        if why:
            cell.failed.append(f"{record_id[:8]}: {why}")
        else:
            cell.absent.append(record_id)
    if what["name"] in WITH_PUBLISHED and not cell.label and cell.part == "table":
        cell.published = find(cell.noise, cell.rate, cell.method, cell.dataset, cell.classes)
    return cell


def common_seeds(cells: list[Cell]) -> list[int]:
    """Seeds that every one of the cells has."""
    return sorted(set.intersection(*(set(cell.values) for cell in cells))) if cells else []


def parameter_value(cell: Cell) -> tuple[str, float] | None:
    """('confidence', 0.7) of a cell whose label is 'confidence=0.7' (or 'lanet.confidence=0.7'); None without one."""
    name, equals, value = (cell.label or "").rpartition("=")
    try:
        return (name.rpartition(".")[2], float(value)) if equals else None
    except ValueError:
        return None
