"""Item 9 and `--long`: real data through `run_all.py` itself; what is done stays done, and the next call goes on."""

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from performance.gpu.course import Notes
from performance.gpu.setting import Setting
from results.files import write_json
from results.records import Records

ROOT = Path(__file__).resolve().parents[2]
LOOK, GRACE = 1.0, 30.0  # seconds between two looks at the records; for a command that was asked to stop
ONE = ["--table", "1", "--rates", "0.3", "--seeds", "0"]
LONG = {  # in their order; all take up what is there
    "FERPlus column at small scale, five seeds": ["--table", "1", "--scale", "small", "--seeds", "0-4"],
    "the same in fp32 at 30 %, three seeds": [
        *("--table", "1", "--scale", "small", "--rates", "0.3", "--seeds", "0-2", "--precision", "fp32")
    ],
    "paper scale, one rate, one seed": [*ONE, "--scale", "paper"],
    "paper scale, all rates, one seed": ["--table", "1", "--scale", "paper", "--seeds", "0"],
}


def command(setting: Setting, words: list[str]) -> list[str]:
    """`run_all.py` on the real data that are there, else on drawn faces."""
    which = [word for name, path in setting.data.items() for word in ("--data", f"{name}={path}")]
    which = which or ["--datasets", "faces"]
    which += ["--set", "faces.train=100", "--set", "faces.test=100", "--plan"] if setting.rehearse else []
    where = [
        "--results",
        str(setting.out / "results"),
        "--out",
        str(setting.out / "drawn"),
        "--devices",
        setting.device,
    ]
    return [sys.executable, str(ROOT / "run_all.py"), *words, "--weights", "landmarks", *which, *where]


def real(setting: Setting, notes: Notes) -> None:
    """Five methods at small scale, one rate, one seed; rows come as their records do."""
    words = command(setting, [*ONE, "--scale", "small"])
    notes["command"] = " ".join(words[1:])
    notes["data"] = ", ".join(setting.data) or "drawn faces, as no --data was given"
    running = subprocess.Popen(words, cwd=ROOT)
    while running.poll() is None:
        time.sleep(LOOK if not setting.rehearse else 0.05)
        notes["rows"] = accuracies(setting.out / "results")
    notes["rows"], notes["exit"] = accuracies(setting.out / "results"), running.returncode


def accuracies(folder: Path) -> list[dict[str, Any]]:
    """A row a record: what it was trained on and how well it knows the test images."""
    found = []
    for record in Records(folder).records():
        spec, metrics = record["spec"], record["metrics"]
        row = {"method": spec["method"], "data": spec["data"]["name"], "scale": spec["scale"]["name"]}
        row |= {"rate": spec["noise"]["rate"], "seed": spec["seed"], "precision": spec["precision"]}
        found.append(row | {"last": metrics["last"], "best": metrics["best"], "seconds": record["times"]["total"]})
    return found


def long(setting: Setting, seconds: float) -> int:
    """Go on with the long commands until the time is over; 0 when all are done."""
    end, noted = time.monotonic() + seconds - GRACE, []
    for title, words in LONG.items():
        left = end - time.monotonic()
        status = limited(command(setting, words), left) if left > 0 else None
        said = {None: "not begun: the time was over", 0: "done"}.get(status, f"exit {status}; call again to go on")
        noted.append({"title": title, "command": " ".join(command(setting, words)[1:]), "status": said})
        found = {"commands": noted, "rows": accuracies(setting.out / "results")}
        write_json(setting.out / "long.json", found)
        print(f"{title}: {said}; {len(found['rows'])} records", flush=True)
    return int(any(part["status"] != "done" for part in noted))


def limited(words: list[str], seconds: float) -> int:
    """Run a command, and ask it to stop as Ctrl-C does when its time is over; returns its exit status."""
    running = subprocess.Popen(words, cwd=ROOT)
    try:
        return running.wait(seconds)
    except subprocess.TimeoutExpired:
        running.send_signal(signal.SIGINT)
    try:
        return running.wait(GRACE) or 1
    except subprocess.TimeoutExpired:
        running.kill()
        return running.wait()
