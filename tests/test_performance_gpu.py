"""`python -m performance.gpu`: all of it on a CPU, with an item that fails, one past its limit and one that is killed."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest
import torch

from benchmark.train.trainer import Clock
from performance.gpu import real, waits
from performance.gpu.course import Item, Notes, course
from performance.gpu.report import page
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
    notes.attempt(lambda: {}["the planted part"], part="one")
    raise RuntimeError("the planted item")

program.ITEMS[3] = replace(program.ITEMS[3], run=broken)
sys.exit(program.main(sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.timeout(900)  # on a machine that does much else
def test_a_rehearsal_brings_every_item_although_one_is_broken(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PLANTED, "--out", str(tmp_path), "--device", "cpu", "--rehearse"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    found = json.loads((tmp_path / "gpu.json").read_text())
    logs = "".join(path.read_text()[-2000:] for path in sorted((tmp_path / "logs").glob("*.log")))
    assert list(found) == list("123456789"), done.stderr + logs
    status = {number: item["status"] for number, item in found.items()}
    assert status.pop("4") == "failed: RuntimeError: the planted item" and done.returncode == 1
    assert {status.pop("3"), status.pop("6")} == {"needs a card"}
    assert set(status.values()) == {"done"}, f"{status} {logs}"
    assert found["4"]["before"] == ":4096:8" and found["4"]["rows"] == [
        {"part": "one", "failed": "KeyError: 'the planted part'"}
    ]
    assert {"bf16 TFLOP/s", "fp32 TFLOP/s", "copy GB/s"} <= set(found["1"]["peaks"])
    same, killed = found["2"]["rows"]
    assert same["differing"] == killed["differing"] == [] and killed["against"] == "killed and resumed"
    assert {row["setting"] for row in found["5"]["rows"]} == {"as run", "fast", "without graphs", "fp32"}
    assert {row["setting"] for row in found["5"]["rows"] if "graph used" in row} == {"as run", "fast", "fp32"}
    assert all(row["images/s"] > 0 for row in found["5"]["rows"] + found["7"]["rows"])
    assert [row["processes"] for row in found["7"]["rows"]] == [1, 2]
    assert all(row["plain images/s"] > 0 for row in found["8"]["rows"]) and found["9"]["exit"] == 0
    text = (tmp_path / "gpu.md").read_text()
    assert "the planted item" in text and "## 9. Real data" in text and "| lanet |" in text


def item(number: int, run: object, seconds: float = 60, **more: bool) -> Item:
    return Item(number, f"item {number}", run, seconds, **more)


def test_an_item_that_hangs_or_dies_leaves_what_it_had_and_the_next_goes_on(tmp_path: Path) -> None:
    def hangs(setting: Setting, notes: Notes) -> None:
        notes.row(done=1)
        subprocess.run(["sleep", "600"])

    def dies(setting: Setting, notes: Notes) -> None:
        notes["had"] = float("nan")
        os.kill(os.getpid(), signal.SIGTERM)

    def memory(setting: Setting, notes: Notes) -> None:
        def full() -> dict:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB\nmore")

        notes.attempt(full, batch=256)
        notes.attempt(lambda: {"images/s": 9.0}, batch=64)

    found = course([item(1, hangs, 1.0), item(2, dies), item(3, memory)], Setting(tmp_path, "cpu"), 60)
    assert found["1"]["status"] == "stopped at its limit of 1 s" and found["1"]["rows"] == [{"done": 1}]
    assert found["2"]["status"] == "ended by signal 15" and found["2"]["had"] == "nan"
    assert found["3"]["status"] == "done" and found["3"]["rows"][1] == {"batch": 64, "images/s": 9.0}
    assert found["3"]["rows"][0] == {
        "batch": 256,
        "failed": "OutOfMemoryError: CUDA out of memory. Tried to allocate 9 GiB",
    }
    assert json.loads((tmp_path / "gpu.json").read_text()) == found and page(found) == (tmp_path / "gpu.md").read_text()
    kept = course([item(4, memory), item(5, memory, card=True)], Setting(tmp_path, "cpu"), 0)
    assert kept["1"] == found["1"] and kept["4"]["status"].startswith("not begun")
    assert kept["5"]["status"] == "needs a card"


def test_nothing_that_an_item_started_outlives_it(tmp_path: Path) -> None:
    def leaves(setting: Setting, notes: Notes) -> None:
        notes["pid"] = subprocess.Popen(["sleep", "600"]).pid

    found = course([item(1, leaves)], Setting(tmp_path, "cpu"), 60)
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
    monkeypatch.setattr(real, "LONG", {"quick": [quick], "slow": [slow], "later": [quick]})
    monkeypatch.setattr(real, "command", lambda setting, words: ["sh", "-c", *words])
    monkeypatch.setattr(real, "ROOT", tmp_path)
    assert real.long(Setting(tmp_path, "cpu"), real.GRACE + 4) == 1
    said = [part["status"] for part in json.loads((tmp_path / "long.json").read_text())["commands"]]
    assert said[0] == "done" and said[1].endswith("call again to go on") and said[2].startswith("not begun")
    monkeypatch.setattr(real, "LONG", {"quick": [quick]})
    assert real.long(Setting(tmp_path, "cpu"), real.GRACE + 60) == 0
    assert (tmp_path / "quick").read_text() == "xx"


def test_a_wait_is_noted_with_its_part_and_line() -> None:
    clock = waits.Watch()

    def waiting() -> None:
        with clock.part("forward"), clock.part("data"):
            pass
        with clock.part("forward"):
            warnings.warn(f"called a {waits.WORDS}", UserWarning, stacklevel=1)
        warnings.warn("something else", UserWarning, stacklevel=1)

    found = waits.noted(clock, waiting)
    assert list(found.values()) == [1]
    ((part, where),) = found
    assert part == "forward" and where.startswith("tests/test_performance_gpu.py:")
    assert isinstance(clock, Clock) and clock.now == "outside"


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_without_a_card_it_says_so(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "performance.gpu", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 1 and "no GPU can be used here" in done.stderr
