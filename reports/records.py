"""Records as the engine left them: read by id, checked, refused in one line where they are not what their name says."""

import hashlib
import json
import re
from collections.abc import Iterable
from math import isfinite
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

SCHEMA = 1
ID = re.compile(r"[0-9a-f]{20}")
RULES = {"last": "last epoch", "best": "best epoch on the test set", "last5": "mean of the last five epochs"}
RULES["noisy_val"] = "epoch chosen on 10 % of the training images with their noisy labels"
WORDS = {dict: "a section", str: "a text", int: "a whole number", list: "a list"}
SHAPE = {
    "spec.seed": int,
    "spec.method": str,
    "spec.data.name": str,
    "spec.data.fingerprint": str,
    "spec.noise.kind": str,
    "spec.overrides": dict,
    "spec.scale": dict,
    "resolved.recipe": dict,
    "resolved.weights": dict,
    "resolved.data.class_names": list,
    "resolved.scale_notes": list,
    "noise": dict,
    "history": dict,
    "times": dict,
    "cost": dict,
    "provenance": dict,
}


def identity(value: Any) -> str:
    """The first 20 hexadecimal digits of the SHA-256 of a value's canonical JSON; of a spec, it is the record's id."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


class Records:
    """The records under one folder; each is read at most once. refused: {id: why a file that is there is not used}."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)
        self.refused: dict[str, str] = {}
        self.found: dict[str, dict[str, Any] | None] = {}

    def get(self, record_id: str) -> dict[str, Any] | None:
        """A sound record, or None where there is none or it was refused."""
        if record_id not in self.found:
            self.found[record_id] = self.read(record_id)
        return self.found[record_id]

    def read(self, record_id: str) -> dict[str, Any] | None:
        if not ID.fullmatch(record_id):
            self.refused[record_id] = f"{record_id!r} is not a record id (20 hexadecimal digits)"
            return None
        path = self.path(record_id)
        try:
            record = json.loads(path.read_bytes())
            complaint = fault(record, record_id)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            complaint = f"not a whole record ({type(error).__name__}: {error})"
        if complaint:
            self.refused[record_id] = f"{path.name}: {complaint}; delete it and run the job again"
            return None
        return record

    def path(self, record_id: str) -> Path:
        return self.root / record_id[:2] / f"{record_id}.json"

    def arrays(self, record_id: str, names: Iterable[str]) -> dict[str, np.ndarray] | None:
        """The named arrays beside a sound record; None where they are missing, broken or not its own."""
        path, record = self.path(record_id).with_suffix(".npz"), self.get(record_id)
        if record is None:
            return None
        try:
            with path.open("rb") as file:
                if record.get("arrays") not in (None, hashlib.file_digest(file, "sha256").hexdigest()):
                    raise ValueError("the file is not the one the record was kept with")
                file.seek(0)
                with np.load(file, allow_pickle=False) as kept:
                    return {name: kept[name] for name in names}
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            self.refused[record_id] = f"{path.name}: {error}; delete it and its .json and run the job again"
            return None

    def data_folder(self, record: dict[str, Any]) -> Path | None:
        """The decoded data set that a record was trained on, None where it is not kept here."""
        data = record["spec"]["data"]
        if not re.fullmatch(r"[A-Za-z0-9_-]+", data["name"]) or not re.fullmatch(r"[0-9a-f]{12,}", data["fingerprint"]):
            return None
        folder = self.root / "data" / f"{data['name']}-{data['fingerprint'][:12]}"
        return folder if folder.is_dir() else None


def fault(record: dict[str, Any], record_id: str) -> str | None:
    """Why a parsed record cannot be used, None where it can."""
    if record["id"] != record_id or identity(record["spec"]) != record_id:
        return "field 'spec' does not hash to the record's name"
    if record.get("hash") != identity({name: value for name, value in record.items() if name != "hash"}):
        return "the content does not hash to field 'hash' (edited?)"
    if record["schema"] != SCHEMA or record["status"] != "ok":
        return f"schema {record['schema']!r}, status {record['status']!r}; expected {SCHEMA} and 'ok'"
    value: Any
    for rule in RULES:
        value = record["metrics"].get(rule, None if rule == "noisy_val" else "missing")
        if value is not None and not (type(value) in (int, float) and isfinite(value) and 0 <= value <= 1):
            return f"field 'metrics.{rule}' is {value!r}, expected a fraction of 1"
    for where, kind in SHAPE.items():
        value = record
        for name in where.split("."):
            value = value.get(name) if isinstance(value, dict) else None
        if type(value) is not kind:
            return f"field '{where}' is {'missing' if value is None else f'{value!r:.40}'}, expected {WORDS[kind]}"
    share = realised(record)
    if not (type(share) in (int, float) and 0 <= share <= 1):
        return f"field 'noise.realised' is {share!r:.40}, expected a fraction of 1"
    if not all(isinstance(value, str) for value in record["spec"]["overrides"].values()):
        return "field 'spec.overrides' holds something else than texts"
    return None


def seed(record: dict[str, Any]) -> int:
    return record["spec"]["seed"]


def realised(record: dict[str, Any]) -> float:
    """Share of the training labels that the noise made wrong."""
    return record["noise"].get("realised")


def class_names(record: dict[str, Any]) -> list[str]:
    return [str(name) for name in record["resolved"].get("data", {}).get("class_names", [])]


def title(record: dict[str, Any]) -> str:
    """The data set's name in tables."""
    return str(record["resolved"].get("data", {}).get("title", record["spec"]["data"]["name"]))
