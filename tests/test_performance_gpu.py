"""`python -m performance.gpu`: all of it on a CPU, with an item that fails, one past its limit and one that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from benchmark.commands.run_all import main as run_all
from performance.gpu import training
from performance.gpu.course import Item, Notes, run_items
from performance.gpu.report import format_page
from performance.gpu.setting import Setting

ROOT = Path(__file__).resolve().parent.parent
PLANTED = """
import os
import sys
from dataclasses import replace
from performance.gpu import __main__ as program
from performance.gpu.course import Notes

def broken(setting, notes):
    notes["before"] = os.environ["CUBLAS_WORKSPACE_CONFIG"]
    notes.measure_row(lambda: {}["the planted part"], part="one")
    raise RuntimeError("the planted item")

program.ITEMS[0] = replace(program.ITEMS[0], run=broken)
sys.exit(program.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)  # on a machine that does much else
def test_a_rehearsal_brings_every_item_although_one_is_broken(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PLANTED, "--out", str(tmp_path), "--device", "cpu", "--rehearse"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    found = json.loads((tmp_path / "gpu.json").read_text())
    logs = "".join(path.read_text()[-2000:] for path in sorted((tmp_path / "logs").glob("*.log")))
    assert list(found) == list("12345"), done.stderr + logs
    status = {number: item["status"] for number, item in found.items()}
    assert status.pop("1") == "failed: RuntimeError: the planted item" and done.returncode == 1
    assert status.pop("4") == "needs a GPU"
    assert set(status.values()) == {"done"}, f"{status} {logs}"
    assert found["1"]["before"] == ":4096:8" and found["1"]["rows"] == [
        {"part": "one", "failed": "KeyError: 'the planted part'"}
    ]
    same, killed = found["2"]["rows"]
    assert same["differing"] == killed["differing"] == [] and killed["against"] == "killed and resumed"
    assert {row["setting"] for row in found["3"]["rows"]} == {"as run", "fast", "without graphs", "fp32"}
    assert {row["setting"] for row in found["3"]["rows"] if "graph used" in row} == {"as run", "fast", "fp32"}
    assert all(row["images/s"] > 0 for row in found["3"]["rows"])
    assert found["5"]["exit"] == 0
    text = (tmp_path / "gpu.md").read_text()
    assert "the planted item" in text and "## 5. Training at small scale" in text and "| baseline |" in text


def item(number: int, run: object, seconds: float = 60, **more: bool) -> Item:
    return Item(number, f"item {number}", run, seconds, **more)


def test_an_item_that_hangs_or_dies_leaves_what_it_had_and_the_next_goes_on(tmp_path: Path) -> None:
    def hangs(setting: Setting, notes: Notes) -> None:
        notes.add_row(done=1)
        subprocess.run(["sleep", "600"])

    def dies(setting: Setting, notes: Notes) -> None:
        notes["had"] = float("nan")
        os.kill(os.getpid(), signal.SIGTERM)

    def memory(setting: Setting, notes: Notes) -> None:
        def full() -> dict:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB\nmore")

        notes.measure_row(full, batch=256)
        notes.measure_row(lambda: {"images/s": 9.0}, batch=64)

    found = run_items([item(1, hangs, 1.0), item(2, dies), item(3, memory)], Setting(tmp_path, "cpu"), 60)
    assert found["1"]["status"] == "stopped at its limit of 1 s" and found["1"]["rows"] == [{"done": 1}]
    assert found["2"]["status"] == "ended by signal 15" and found["2"]["had"] == "nan"
    assert found["3"]["status"] == "done" and found["3"]["rows"][1] == {"batch": 64, "images/s": 9.0}
    assert found["3"]["rows"][0] == {
        "batch": 256,
        "failed": "OutOfMemoryError: CUDA out of memory. Tried to allocate 9 GiB",
    }
    assert (
        json.loads((tmp_path / "gpu.json").read_text()) == found
        and format_page(found) == (tmp_path / "gpu.md").read_text()
    )
    kept = run_items([item(4, memory), item(5, memory, needs_gpu=True)], Setting(tmp_path, "cpu"), 0)
    assert kept["1"] == found["1"] and kept["4"]["status"].startswith("not begun")
    assert kept["5"]["status"] == "needs a GPU"


def test_nothing_that_an_item_started_outlives_it(tmp_path: Path) -> None:
    def leaves(setting: Setting, notes: Notes) -> None:
        notes["pid"] = subprocess.Popen(["sleep", "600"]).pid

    found = run_items([item(1, leaves)], Setting(tmp_path, "cpu"), 60)
    left = time.monotonic() + 60
    while alive(found["1"]["pid"]) and time.monotonic() < left:
        time.sleep(0.05)
    assert not alive(found["1"]["pid"])


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_long_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick, slow = "printf x >> quick", "exec sleep 600"
    monkeypatch.setattr(training, "LONG", {"quick": quick, "slow": slow, "later": quick})
    monkeypatch.setattr(training, "run_all_command", lambda setting, words: ["sh", "-c", words])
    monkeypatch.setattr(training, "ROOT", tmp_path)
    assert training.train_long(Setting(tmp_path, "cpu"), training.GRACE + 4) == 1
    said = [part["status"] for part in json.loads((tmp_path / "long.json").read_text())["commands"]]
    assert said[0] == "done" and said[1].endswith("call again to go on") and said[2].startswith("not begun")
    monkeypatch.setattr(training, "LONG", {"quick": quick})
    assert training.train_long(Setting(tmp_path, "cpu"), training.GRACE + 60) == 0
    assert (tmp_path / "quick").read_text() == "xx"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_a_gpu_it_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "performance.gpu", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 1 and "no GPU can be used here" in done.stderr


def test_the_long_course_plans_what_is_worth_most_first(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    setting = Setting(tmp_path, "cpu", rehearse=True)
    planned, counts = {}, {}
    for title, words in training.LONG.items():
        assert run_all(training.run_all_command(setting, words)[2:]) == 0, title
        lines = capsys.readouterr().out.splitlines()
        planned[title] = [line.split("to run  ")[1] for line in lines if "to run  " in line]
        counts[title] = next(int(line.split()[0]) for line in lines if " scale, 0 done" in line)
    first = [line for title in list(training.LONG)[:6] for line in planned[title]]
    assert len(first) == len(set(first)) == 2 + 2 + 2 + 2 + 2 + 2
    assert all("asymmetric 0.3" in line for line in first)
    assert all(line.startswith("lanet") and "sampler=uniform" not in line for line in first[:6])
    assert all("sampler" not in line and "lanet" not in line for line in first[6:])
    assert all("lanet.confidence=0.5" in line for line in planned["the same with delta 0.5"])
    weights = planned["the same with alpha 0.1 and beta 0.5"]
    assert all("lanet.landmark_weight=0.1" in line and "lanet.contrastive_weight=0.5" in line for line in weights)
    assert {line.split()[0] for line in planned["SCN and Baseline, second seed"]} == {"scn", "baseline"}
    assert all("seed 1" in line for line in planned["SCN and Baseline, second seed"])
    assert all("eac.lam=1" in line for line in planned["EAC with lambda 1"])
    published = set(planned["SCN as published"])
    assert published.isdisjoint(planned["small scale, five seeds"])
    assert list(counts.values()) == [2, 2, 2, 2, 2, 2, 5, 15, 15, 5, 15, 75]  # 30 % before other rates, five seeds last
