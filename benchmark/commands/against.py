"""`--against reference|FOLDER|ZIP`: rows that were not measured here, taken from the records of others.

A run is taken only if it is the same job (data fingerprint, scale and its version, precision, noise, start weights and
whatever else is in a job's identity) under the same resolved recipe and parameters. Of others it is said which field differs.
"""

import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import results as room
from benchmark.commands.import_records import import_records
from benchmark.commands.show import recipes_agree
from benchmark.plan.matrix import Plan, Planned
from benchmark.terminal import Usage, count_things
from results.files import digest_file
from results.records import Records
from results.schema import Refused
from results.store import Store

REFERENCE = Path(room.__file__).resolve().parent / "reference"
NAMED = 3  # fields that are said to differ, at most


@dataclass(frozen=True)
class Others:
    """Records that are not of this results folder. refused: what of them is not sound."""

    folder: Path | None = None
    name: str = ""
    refused: tuple[str, ...] = ()


def adopt_records(plan: Plan, store: Store, others: Others) -> list[str]:
    """Let runs that are sound there, and not done here, count as done; says which do not, and why; raises Usage for none."""
    if others.folder is None:
        return []
    refused = list(others.refused)
    if not refused and not any(others.folder.glob("[0-9a-f][0-9a-f]/*.json")):
        fix_hint = "give the folder that was --results there, or a zip of it"
        raise Usage(f"--against: {others.name} holds no records; {fix_hint}")
    adopted_runs = {}
    other_records = Records(others.folder)
    differences = Differences(others.folder)
    for run in plan.runs():
        if store.done(run.job.id):
            continue
        try:
            record = other_records.read(run.job.id)
            if record is not None:
                other_records.need_arrays(record)
        except Refused as error:
            refused.append(str(error))
            continue
        differing_fields = differences.nearest(run) if record is None else changed_recipe(record, run)
        if differing_fields:
            differences.note(run, differing_fields)
        elif record is not None:
            adopted_runs[run.job.id] = others.folder
    store.elsewhere |= adopted_runs
    refused_lines = [f"refused: {line}" for line in refused]
    lines = [
        f"{count_things(len(adopted_runs), 'run is', 'runs are')} taken from there",
        *differences.lines(),
        *refused_lines,
    ]
    return [f"against {others.name}: {line}" for line in lines]


def open_others(typed_source: str | None, results: Path) -> Others:
    """Where the records of others lie; raises Usage. A zip is checked and kept below <results>/against."""
    if typed_source is None:
        return Others()
    path = REFERENCE if typed_source == "reference" else Path(typed_source)
    if path.is_dir():
        return Others(path, path.name)
    if typed_source == "reference":
        fix_hint = "get the project whole, or give a folder or zip of records"
        raise Usage(f"--against reference: {path} is not there; {fix_hint}")
    if not zipfile.is_zipfile(path):
        raise Usage(f"--against: {typed_source} is neither 'reference' nor a folder or zip of records")
    unpacked_folder = results / "against" / digest_file(path)[:12]
    return Others(unpacked_folder, path.name, import_records(path, unpacked_folder).refused)


def changed_recipe(record: dict[str, Any], run: Planned) -> list[str]:
    """Fields of the resolved recipe and parameters that a record of the same job has otherwise."""
    recorded = record["resolved"]
    planned = run.resolved
    if recipes_agree(recorded["recipe"], planned["recipe"]) and recorded.get("parameters") == planned["parameters"]:
        return []
    names = ("recipe", "parameters")
    recorded_fields = flatten_fields({name: recorded.get(name) for name in names})
    return list_differences(recorded_fields, flatten_fields({name: planned[name] for name in names})) or ["recipe"]


class Differences:
    """Why runs are not taken, counted by method and data set; the records are read when the first one is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, list[dict[str, Any]]] | None = None
        self.counts: Counter[tuple[str, str, str]] = Counter()

    def specs(self, method: str) -> list[dict[str, Any]]:
        """Different identities of a method's records, seeds apart."""
        if self.known is None:
            specs_by_method: dict[str, dict[str, dict[str, Any]]] = {}
            for record in Records(self.folder).records():
                spec = flatten_fields({key: value for key, value in record["spec"].items() if key != "seed"})
                specs_by_method.setdefault(record["spec"]["method"], {})[repr(sorted(spec.items()))] = spec
            self.known = {name: list(specs.values()) for name, specs in specs_by_method.items()}
        return self.known.get(method, [])

    def nearest(self, run: Planned) -> list[str]:
        """In what the closest record of the method differs; nothing where there is none of the method at all."""
        planned_fields = flatten_fields({key: value for key, value in run.job.spec.items() if key != "seed"})
        specs = self.specs(run.job.method)
        if not specs:
            return []
        closest_fields = min(specs, key=lambda recorded_fields: identity_distance(recorded_fields, planned_fields))
        return list_differences(closest_fields, planned_fields) or ["the seed is not there"]

    def note(self, run: Planned, differing_fields: list[str]) -> None:
        named_fields = differing_fields[:NAMED]
        if len(differing_fields) > NAMED:
            named_fields.append(f"and {len(differing_fields) - NAMED} more")
        self.counts[run.job.method, run.job.data["name"], "; ".join(named_fields)] += 1

    def lines(self) -> Iterator[str]:
        for (method, dataset, text), run_count in self.counts.items():
            runs_of, verb = ("run of", "is") if run_count == 1 else ("runs of", "are")
            yield f"{run_count} {runs_of} {method} on {dataset} {verb} not taken: {text}"


def flatten_fields(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'data.name': 'faces'} of {'data': {'name': 'faces'}}."""
    flat_fields: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            flat_fields |= flatten_fields(inner, f"{prefix}{key}.")
        else:
            flat_fields[f"{prefix}{key}"] = inner
    return flat_fields


def identity_distance(recorded_fields: dict[str, Any], planned_fields: dict[str, Any]) -> int:
    """How far apart two identities are; another data set or noise counts more than another setting."""
    keys = differing_keys(recorded_fields, planned_fields)
    return sum(10 if key == "data.name" else 5 if key in ("noise.kind", "noise.rate", "part") else 1 for key in keys)


def list_differences(recorded_fields: dict[str, Any], planned_fields: dict[str, Any]) -> list[str]:
    """'scale.version is 3 there, 4 here' for each field."""
    return [
        f"{key} is {recorded_fields.get(key)!s:.24} there, {planned_fields.get(key)!s:.24} here"
        for key in differing_keys(recorded_fields, planned_fields)
    ]


def differing_keys(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return sorted(key for key in one.keys() | other.keys() if one.get(key) != other.get(key))
