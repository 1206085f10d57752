"""`--against reference|FOLDER|ZIP`: rows that were not measured here, taken from the records of others.

A run is taken only if it is the same job (data fingerprint, scale and its version, precision, noise, start weights and
whatever else is in a job's identity) under the same resolved recipe and parameters. Of others it is said which field differs.
"""

import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import results as room
from benchmark.commands.import_records import import_records
from benchmark.commands.show import recipes_agree
from benchmark.plan.matrix import Plan, Planned
from benchmark.terminal import Usage
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


@dataclass
class Against:
    """taken: {job id: the folder its record lies in}. lines: what was taken, and what not and why."""

    taken: dict[str, Path] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)


def adopt_records(plan: Plan, store: Store, there: Others) -> Against:
    """Let the runs of a plan that are not done here, and are sound there, count as done."""
    if there.folder is None:
        return Against()
    folder, refused = there.folder, list(there.refused)
    found, theirs, apart = Against(), Records(folder), Differences(folder)
    for run in plan.runs():
        if store.done(run.job.id):
            continue
        try:
            record = theirs.read(run.job.id)
            if record is not None:
                theirs.need_arrays(record)
        except Refused as error:
            refused.append(str(error))
            continue
        differs = apart.nearest(run) if record is None else changed_recipe(record, run)
        if differs:
            apart.note(run, differs)
        elif record is not None:
            found.taken[run.job.id] = folder
    store.elsewhere |= found.taken
    lines = [f"{len(found.taken)} runs are taken from there", *apart.lines(), *(f"refused: {line}" for line in refused)]
    found.lines = [f"against {there.name}: {line}" for line in lines]
    return found


def open_others(given: str | None, results: Path) -> Others:
    """Where the records of others lie; raises Usage. A zip is checked and kept below <results>/against."""
    if given is None:
        return Others()
    path = REFERENCE if given == "reference" else Path(given)
    if path.is_dir():
        return Others(path, path.name)
    if given == "reference":
        raise Usage(
            f"--against reference: {path} is not there; get the project whole, or give a folder or zip of records"
        )
    if not (path.is_file() and zipfile.is_zipfile(path)):
        raise Usage(f"--against: {given} is neither 'reference' nor a folder or zip of records")
    kept = results / "against" / digest_file(path)[:12]
    return Others(kept, path.name, import_records(path, kept).refused)


def changed_recipe(record: dict[str, Any], run: Planned) -> list[str]:
    """Fields of the resolved recipe and parameters that a record of the same job has otherwise."""
    kept, now = record["resolved"], run.resolved
    if recipes_agree(kept["recipe"], now["recipe"]) and kept.get("parameters") == now["parameters"]:
        return []
    there, here = (flatten_fields({key: part.get(key) for key in ("recipe", "parameters")}) for part in (kept, now))
    return list_differences(there, here) or ["recipe"]


class Differences:
    """Why runs are not taken, counted by method and data set; the records are read when the first one is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.known: dict[str, list[dict[str, Any]]] | None = None
        self.counts: Counter[tuple[str, str, str]] = Counter()

    def specs(self, method: str) -> list[dict[str, Any]]:
        """Different identities of a method's records, seeds apart."""
        if self.known is None:
            every: dict[str, dict[str, dict[str, Any]]] = {}
            for record in Records(self.folder).records():
                spec = flatten_fields({key: value for key, value in record["spec"].items() if key != "seed"})
                every.setdefault(record["spec"]["method"], {})[repr(sorted(spec.items()))] = spec
            self.known = {name: list(specs.values()) for name, specs in every.items()}
        return self.known.get(method, [])

    def nearest(self, run: Planned) -> list[str]:
        """In what the closest record of the method differs; nothing where there is none of the method at all."""
        here = flatten_fields({key: value for key, value in run.job.spec.items() if key != "seed"})
        closest = min(self.specs(run.job.method), key=lambda there: identity_distance(there, here), default=None)
        if closest is None:
            return []
        return list_differences(closest, here) or ["the seed is not there"]

    def note(self, run: Planned, differs: list[str]) -> None:
        more = [f"and {len(differs) - NAMED} more"] if len(differs) > NAMED else []
        self.counts[run.job.method, run.job.data["name"], "; ".join(differs[:NAMED] + more)] += 1

    def lines(self) -> Iterator[str]:
        for (method, dataset, text), many in self.counts.items():
            yield f"{many} runs of {method} on {dataset} are not taken: {text}"


def flatten_fields(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'data.name': 'faces'} of {'data': {'name': 'faces'}}."""
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flatten_fields(inner, f"{prefix}{key}.") if isinstance(inner, dict) else {f"{prefix}{key}": inner}
    return found


def identity_distance(there: dict[str, Any], here: dict[str, Any]) -> int:
    """How far apart two identities are; another data set or noise counts more than another setting."""
    keys = [key for key in there.keys() | here.keys() if there.get(key) != here.get(key)]
    return sum(10 if key == "data.name" else 5 if key in ("noise.kind", "noise.rate", "part") else 1 for key in keys)


def list_differences(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """'scale.version is 3 there, 4 here' for each field."""
    keys = sorted(key for key in there.keys() | here.keys() if there.get(key) != here.get(key))
    return [f"{key} is {there.get(key)!s:.24} there, {here.get(key)!s:.24} here" for key in keys]
