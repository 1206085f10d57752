"""Items one after the other, each in a child process with a time limit; what they noted is on disk at every moment."""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from performance.gpu.report import format_page
from performance.gpu.setting import Setting
from results.files import write_json

LOOK = 0.02  # seconds between two looks at a child


@dataclass
class Notes:
    """What an item has found so far, on disk after every note."""

    path: Path
    found: dict[str, Any] = field(default_factory=dict)

    def __setitem__(self, name: str, value: Any) -> None:
        self.found[name] = value
        write_json(self.path, to_json(self.found))

    def add_row(self, **row: Any) -> None:
        """One more row of the item's table."""
        self["rows"] = [*self.found.get("rows", []), row]

    def measure_row(self, measure: Callable[[], dict[str, Any]], **row: Any) -> None:
        """A row, or its failure in its place: running out of memory at one batch is a result like any other."""
        try:
            row |= measure()
        except Exception as error:
            traceback.print_exc()
            row["failed"] = error_line(error)
        self.add_row(**row)


@dataclass(frozen=True)
class Item:
    """One thing to measure."""

    number: int
    title: str
    run: Callable[[Setting, Notes], None]
    seconds: float  # its limit
    needs_gpu: bool = False  # it means nothing on a CPU


def run_items(items: Sequence[Item], setting: Setting, seconds: float) -> dict[str, Any]:
    """Run the items within `seconds` in all; returns what gpu.json then holds."""
    end, found = time.monotonic() + seconds, read_results(setting.out / "gpu.json")
    for item in items:
        limit = min(item.seconds * (10 if setting.rehearse else 1), end - time.monotonic())
        if item.needs_gpu and not setting.cuda:
            result: dict[str, Any] = {"status": "needs a GPU", "seconds": 0.0}
        elif limit <= 0:
            result = {"status": "not begun: the time was over", "seconds": 0.0}
        else:
            result = run_in_child(item, setting, limit)
        found[str(item.number)] = {"title": item.title} | result
        write_json(setting.out / "gpu.json", found)
        (setting.out / "gpu.md").write_text(format_page(found))
        print(f"{item.number}. {item.title}: {result['status']}, {result['seconds']:.0f} s", flush=True)
    return found


def read_results(path: Path) -> dict[str, Any]:
    """The items that another call has written."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def run_in_child(item: Item, setting: Setting, limit: float) -> dict[str, Any]:
    """What the item noted, how it ended and how long it took; at its limit it is killed with all it started.

    A fork of this process, which has imported torch and never touched the GPU: an item may break its own context only.
    """
    notes, log = Notes(setting.out / "parts" / f"{item.number}.json"), setting.out / "logs" / f"{item.number}.log"
    notes.path.unlink(missing_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    start, pid = time.monotonic(), os.fork()
    if pid == 0:
        run_alone(item, setting, notes, log)
    status = 0
    while not (ended := os.waitpid(pid, os.WNOHANG))[0] and time.monotonic() - start < limit:
        time.sleep(LOOK)
    try:
        os.killpg(pid, signal.SIGKILL)  # and whatever the item left running
    except ProcessLookupError:
        pass
    status = ended[1] if ended[0] else os.waitpid(pid, 0)[1]
    found = read_results(notes.path)
    if not ended[0]:
        status_text = f"stopped at its limit of {limit:.0f} s"
    elif os.waitstatus_to_exitcode(status) < 0:
        status_text = f"ended by signal {-os.waitstatus_to_exitcode(status)}"
    else:
        status_text = f"failed: {found.pop('failed')}" if "failed" in found else "done" if status == 0 else "failed"
    return {"status": status_text, "seconds": round(time.monotonic() - start, 1)} | found


def run_alone(item: Item, setting: Setting, notes: Notes, log: Path) -> None:
    """The child's end: never returns."""
    status = 1
    try:
        os.setsid()
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, 1)
        os.dup2(file, 2)
        item.run(setting, notes)
        status = 0
    except BaseException as error:
        traceback.print_exc()
        notes["failed"] = error_line(error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def error_line(error: BaseException) -> str:
    """An error in a line."""
    return f"{type(error).__name__}: {(str(error).strip() or '-').splitlines()[0][:300]}"


def to_json(value: Any) -> Any:
    """The same without what JSON has no word for."""
    if isinstance(value, dict):
        return {str(key): to_json(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(part) for part in value]
    if isinstance(value, float):
        return round(value, 4) if abs(value) < float("inf") else str(value)
    return value if isinstance(value, str | int | None) else str(value)
