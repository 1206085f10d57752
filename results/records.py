"""The one reader of records: by id, checked, refused in one line where they are not what their name says."""

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from results.files import digest_file, write_json
from results.schema import ID, Refused, check_record

LEDGER = "checked.json"
REPRODUCED = "reproduced.json"
NETWORK, NETWORK_INFO = ".safetensors", ".network.json"  # beside a record: its trained network, and what it is


class Records:
    """The records under one folder; each is read at most once.

    refused: {id: why a file that is there is not used}. ledger: {id: [size, time] of arrays whose hash was right},
    None where nothing is remembered and every hash is taken anew. elsewhere: {id: another folder that it is read from}.
    """

    def __init__(self, root: Path, elsewhere: Mapping[str, Path] | None = None) -> None:
        self.root = Path(root)
        self.elsewhere = dict(elsewhere or {})
        self.refused: dict[str, str] = {}
        self.found: dict[str, dict[str, Any] | None] = {}
        self.ledger: dict[str, list[int]] | None = None

    def path(self, record_id: str) -> Path:
        return self.elsewhere.get(record_id, self.root) / record_id[:2] / f"{record_id}.json"

    def read(self, record_id: str) -> dict[str, Any] | None:
        """The record of a job, None if there is none; raises Refused if it is not what its name says."""
        if not ID.fullmatch(record_id):
            raise Refused(f"{record_id!r} is not a record id (20 hexadecimal digits); there is no record of that name")
        path = self.path(record_id)
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}") from None
        return check_record(text, record_id, path)

    def get(self, record_id: str) -> dict[str, Any] | None:
        """A sound record, or None where there is none or it was refused."""
        if record_id not in self.found:
            try:
                self.found[record_id] = self.read(record_id)
            except Refused as error:
                self.found[record_id] = None
                self.refused[record_id] = str(error)
        return self.found[record_id]

    def records(self) -> Iterator[dict[str, Any]]:
        """Every sound record, in the order of ids; one at a time, because there may be 100,000."""
        for path in sorted(self.root.glob("[0-9a-f][0-9a-f]/*.json")):
            if path.name.endswith(NETWORK_INFO):
                continue
            try:
                record = self.read(path.stem)
            except Refused as error:
                self.refused[path.stem] = str(error)
            else:
                if record is not None:
                    yield record

    def need_arrays(self, record: dict[str, Any]) -> None:
        """Raises Refused where the arrays beside a record are not those it was kept with.

        The hash is taken when a record is first taken for done; after that size and time of the file tell (`ledger`).
        """
        path = self.path(record["id"]).with_suffix(".npz")
        try:
            file_status = path.stat()
            size_and_time = [file_status.st_size, file_status.st_mtime_ns]
            if self.ledger is not None and self.ledger.get(record["id"]) == size_and_time:
                return
            is_same_file = digest_file(path) == record.get("arrays")
        except OSError as error:
            raise Refused(f"{path}: {error.strerror}; the job has to run again") from None
        if not is_same_file:
            raise Refused(
                f"{path}: damaged: it is not the file that its record was kept with; the job has to run again"
            )
        if self.ledger is not None:
            self.ledger[record["id"]] = size_and_time

    def arrays(self, record_id: str, names: Iterable[str] | None = None) -> dict[str, np.ndarray] | None:
        """The named arrays (or all) beside a sound record; None where they are missing, broken or not its own."""
        path = self.path(record_id).with_suffix(".npz")
        record = self.get(record_id)
        if record is None:
            return None
        try:
            with path.open("rb") as file:
                if record.get("arrays") not in (None, hashlib.file_digest(file, "sha256").hexdigest()):
                    raise ValueError("the file is not the one the record was kept with")
                file.seek(0)
                with np.load(file, allow_pickle=False) as stored_arrays:
                    missing_names = [name for name in names or () if name in record.get("slim", {}).get("without", ())]
                    if missing_names:
                        raise ValueError(
                            f"it ships without '{missing_names[0]}', which is drawn under other noises only"
                        )
                    return {name: stored_arrays[name] for name in (stored_arrays.files if names is None else names)}
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            self.refused[record_id] = f"{path}: {error}; the job has to run again"
            return None

    @contextlib.contextmanager
    def remembering(self) -> Iterator[None]:
        """Remember from run to run which arrays were sound, so that 100,000 records are planned in seconds."""
        try:
            stored_ledger = json.loads((self.root / LEDGER).read_bytes())
            self.ledger = {str(key): [int(size), int(time)] for key, (size, time) in stored_ledger.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self.ledger = {}
        ledger_before = dict(self.ledger)
        try:
            yield
        finally:
            if self.ledger != ledger_before:
                with contextlib.suppress(OSError):  # a folder that cannot be written costs the next run time
                    write_json(self.root / LEDGER, self.ledger)

    def proved(self) -> dict[str, dict[str, list[str]]]:
        """{method: {code: [other codes that gave the same bits]}}, from records that were run again and compared."""
        try:
            proved_codes = json.loads((self.root / REPRODUCED).read_bytes())
            return {
                str(method): {
                    str(record_code): [str(other_code) for other_code in others]
                    for record_code, others in codes_by_code.items()
                }
                for method, codes_by_code in proved_codes.items()
            }
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def same_bits(self, method: str, before: str, now: str) -> bool:
        """Whether a code of a method is another one, or was proved to give its bits, step by step."""
        equal_pairs = [{code, other} for code, others in self.proved().get(method, {}).items() for other in others]
        reached_codes = {before}
        reached_count = 0
        while len(reached_codes) > reached_count:
            reached_count = len(reached_codes)
            reached_codes = reached_codes.union(*(pair for pair in equal_pairs if pair & reached_codes))
        return now in reached_codes

    def note_proved(self, method: str, before: str, now: str) -> None:
        """Keep that a record of one code was run again by another with the same bits."""
        proved_codes = self.proved()
        equal_codes = proved_codes.setdefault(method, {}).setdefault(before, [])
        if now != before and now not in equal_codes:
            equal_codes.append(now)
            write_json(self.root / REPRODUCED, proved_codes)

    def data_folder(self, record: dict[str, Any]) -> Path | None:
        """The decoded data set that a record was trained on, None where it is not kept here."""
        data = record["spec"]["data"]
        if not re.fullmatch(r"[A-Za-z0-9_-]+", data["name"]) or not re.fullmatch(r"[0-9a-f]{12,}", data["fingerprint"]):
            return None
        folder = self.root / "data" / f"{data['name']}-{data['fingerprint'][:12]}"
        return folder if folder.is_dir() else None

    def data_facts(self, record: dict[str, Any]) -> dict[str, Any]:
        """What is said today of the decoded data set that a record was trained on; empty where it is not kept here."""
        folder = self.data_folder(record)
        try:
            facts = json.loads((folder / "card.json").read_bytes())["facts"] if folder else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        return facts if isinstance(facts, dict) else {}
