"""Item 5 and `--long`: training through `run_all.py` itself; what is done stays done, and the next call goes on."""

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
LOOK = 1.0  # seconds between two looks at the records
GRACE = 30.0  # seconds for a command that was asked to stop
SMALL = "--table 1 --scale small --rates 0.3"
PUBLISHED = "--seeds 0-1 --settings published"
PAPER = "--table 1 --scale paper --seeds 0"
LONG = {  # in the order of their worth; each takes up what is there
    "LA-Net with its own sampler": f"{SMALL} {PUBLISHED} --methods lanet",
    "the same with delta 0.5": f"{SMALL} {PUBLISHED} --methods lanet --set lanet.confidence=0.5",
    "the same with alpha 0.1 and beta 0.5": (
        f"{SMALL} {PUBLISHED} --methods lanet --set lanet.landmark_weight=0.1 --set lanet.contrastive_weight=0.5"
    ),
    "SCN as published": f"{SMALL} {PUBLISHED} --methods scn",
    "SCN and Baseline, second seed": f"{SMALL} --methods scn baseline --seeds 1",
    "EAC with lambda 1": f"{SMALL} {PUBLISHED} --methods eac --set eac.lam=1",
    "five methods at small scale, 30 %, one seed": f"{SMALL} --seeds 0",
    "the same at the other rates": "--table 1 --scale small --seeds 0",
    "fp32 at small scale, 30 %, three seeds": f"{SMALL} --seeds 0-2 --precision fp32",
    "paper scale, 30 %, one seed": f"{PAPER} --rates 0.3",
    "paper scale at the other rates": PAPER,
    "small scale, five seeds": "--table 1 --scale small --seeds 0-4",
}


def run_all_command(setting: Setting, words: str) -> list[str]:
    """`run_all.py` on the real data that are there, else on drawn faces."""
    data = [word for name, path in setting.data.items() for word in ("--data", f"{name}={path}")]
    data = data or ["--datasets", "faces"]
    if setting.rehearse:
        data += ["--set", "faces.train=100", "--set", "faces.test=100", "--plan"]
    place = [
        "--results",
        str(setting.out / "results"),
        "--out",
        str(setting.out / "drawn"),
        "--devices",
        setting.device,
    ]
    return [sys.executable, str(ROOT / "run_all.py"), *words.split(), "--weights", "landmarks", *data, *place]


def train_small(setting: Setting, notes: Notes) -> None:
    """Five methods at small scale, one rate, one seed; rows come as their records do."""
    words = run_all_command(setting, f"{SMALL} --seeds 0")
    notes["command"] = " ".join(words[1:])
    notes["data"] = ", ".join(setting.data) or "drawn faces, as no --data was given"
    running = subprocess.Popen(words, cwd=ROOT)
    while running.poll() is None:
        time.sleep(LOOK if not setting.rehearse else 0.05)
        notes["rows"] = list_accuracies(setting.out / "results")
    notes["rows"], notes["exit"] = list_accuracies(setting.out / "results"), running.returncode


def list_accuracies(folder: Path) -> list[dict[str, Any]]:
    """A row a record: what it was trained on, with which settings, and how well it knows the test images."""
    rows = []
    for record in Records(folder).records():
        spec, metrics = record["spec"], record["metrics"]
        row = {"method": spec["method"], "data": spec["data"]["name"], "scale": spec["scale"]["name"]}
        row |= {"rate": spec["noise"]["rate"], "seed": spec["seed"], "precision": spec["precision"]}
        row |= {"settings": " ".join(f"{name}={value}" for name, value in spec["overrides"].items())}
        rows.append(row | {"last": metrics["last"], "best": metrics["best"], "seconds": record["times"]["total"]})
    return rows


def train_long(setting: Setting, seconds: float) -> int:
    """Go on with the long commands until the time is over; 0 when all are done."""
    end, noted = time.monotonic() + seconds - GRACE, []
    for title, words in LONG.items():
        left = end - time.monotonic()
        status = run_for(run_all_command(setting, words), left) if left > 0 else None
        said = {None: "not begun: the time was over", 0: "done"}.get(status, f"exit {status}; call again to go on")
        noted.append({"title": title, "command": " ".join(run_all_command(setting, words)[1:]), "status": said})
        found = {"commands": noted, "rows": list_accuracies(setting.out / "results")}
        write_json(setting.out / "long.json", found)
        print(f"{title}: {said}; {len(found['rows'])} records", flush=True)
    return int(any(part["status"] != "done" for part in noted))


def run_for(words: list[str], seconds: float) -> int:
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
