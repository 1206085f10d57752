"""Runs as a data frame: its numbers are those of the records, and the examples of its page run."""

import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results import load_predictions, load_runs
from results.frame import COLUMNS
from results.records import Records

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "results" / "reference"
PAGE = (ROOT / "docs" / "data-frame.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page() -> dict[str, Any]:
    """What the page's examples leave behind; the value of an example's last line under 'shown', in order."""
    known: dict[str, Any] = {"shown": []}
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.S):
        *before, last = block.replace('"results/reference"', repr(str(REFERENCE))).strip().splitlines()
        exec("\n".join(before), known)
        try:
            known["shown"].append(eval(last, known))
        except SyntaxError:  # a statement
            exec(last, known)
    return known


@cache
def every_record() -> list[dict[str, Any]]:
    return list(Records(REFERENCE).records())


def plain_runs(**of: Any) -> dict[int, dict[str, Any]]:
    """{seed: record} of plain runs on drawn faces, read without the frame."""
    found = {}
    for record in every_record():
        spec = record["spec"]
        plain = spec["scale"]["name"] == "demo" and spec["data"]["name"] == "faces" and spec["part"] == "all"
        named = spec["method"] == of["method"] and spec["noise"] == spec["noise"] | of["noise"]
        chosen = record["resolved"].get("chosen_settings", {})
        if plain and named and spec["overrides"] == chosen and not spec["holdout"]:
            found[spec["seed"]] = record
    return found


def test_the_page_shows_means_of_the_records(page: dict[str, Any]) -> None:
    known = plain_runs(method="rul", noise={"kind": "asymmetric", "rate": "0.2"})
    table, by_rate = page["shown"][1:3]
    mean, deviation, count = table.loc[("RUL", 0.2)]
    last = [100 * record["metrics"]["last"] for record in known.values()]
    assert count == len(last) >= 5
    assert (mean, deviation) == pytest.approx((np.mean(last), np.std(last, ddof=1)), abs=0.051)
    assert by_rate.loc["RUL", 0.2] == mean


def test_the_page_compares_seed_by_seed(page: dict[str, Any]) -> None:
    noise = {"kind": "asymmetric", "rate": "0.3"}
    ours, base = (plain_runs(method=name, noise=noise) for name in ("scn", "baseline"))
    gains = {s: 100 * (ours[s]["metrics"]["last"] - base[s]["metrics"]["last"]) for s in ours.keys() & base.keys()}
    assert page["gain"].to_dict() == pytest.approx(gains)


def test_the_page_draws_what_the_records_keep_of_each_epoch(page: dict[str, Any]) -> None:
    known = plain_runs(method="lanet", noise={"kind": "asymmetric", "rate": "0.3"})
    assert set(page["curves"]) == set(known) and page["curves"].index[0] == 1
    for number, record in known.items():
        assert page["curves"][number].tolist() == record["history"]["test_accuracy"]


def test_a_confusion_matrix_is_that_of_the_record(page: dict[str, Any]) -> None:
    record = plain_runs(method="rul", noise={"kind": "asymmetric", "rate": "0.3"})[0]
    assert page["matrix"].to_numpy().tolist() == record["metrics"]["confusion"]
    assert list(page["matrix"].columns) == record["resolved"]["data"]["class_names"]
    names = page["shown"][-1]
    assert len(names) and names.str.startswith("test_").all()
    first = load_predictions(REFERENCE, record["id"], epoch=1)
    assert (first["label"] == first["predicted"]).mean() == pytest.approx(record["history"]["test_accuracy"][0])


def test_every_column_is_on_the_page_and_in_the_frame() -> None:
    told = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.M))
    assert told == COLUMNS
    frame = load_runs(REFERENCE)
    assert list(frame) == list(COLUMNS)
    measured = ("id", "last", "worst_class", "history", "settings", "weights", "precision", "hardware", "code")
    assert frame[list(measured)].notna().all(axis=None)
    assert frame["worst_class"].tolist() == [min(values) for values in frame["per_class"]]


def test_a_file_that_is_refused_is_named_and_the_others_are_there(tmp_path: Path) -> None:
    paths = sorted(REFERENCE.glob("0[0-9]/*.json"))[:3]
    for path in paths:
        (tmp_path / path.parent.name).mkdir(exist_ok=True)
        shutil.copyfile(path, tmp_path / path.parent.name / path.name)
    broken = tmp_path / paths[0].parent.name / paths[0].name
    broken.write_text(broken.read_text().replace('"last"', '"first"', 1))
    with pytest.warns(UserWarning, match=f"left out: {re.escape(str(broken))}") as told:
        frame = load_runs(tmp_path)
    assert len(told) == 1 and sorted(frame["id"]) == [path.stem for path in paths[1:]]
    with pytest.raises(ValueError, match="the job has to run again"):
        load_predictions(tmp_path, paths[0].stem)
    with pytest.raises(ValueError, match=r"\.npz"):  # its arrays are not there
        load_predictions(tmp_path, paths[1].stem)


def test_what_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    for call in (lambda: load_runs(tmp_path / "no"), lambda: load_predictions(tmp_path / "no", "0" * 20)):
        with pytest.raises(FileNotFoundError, match="there is no such folder; give the one that --results names"):
            call()
    assert len(load_runs(tmp_path)) == 0 and list(load_runs(tmp_path)) == list(COLUMNS)
    with pytest.raises(FileNotFoundError, match="there is no such run"):
        load_predictions(tmp_path, "0" * 20)
    with pytest.raises(ValueError, match=r"epoch 99: run 0.* has epochs 1 to 18"):
        load_predictions(REFERENCE, next(iter(sorted(path.stem for path in REFERENCE.glob("0?/*.json")))), epoch=99)


def test_pandas_is_not_loaded_before_a_frame_is_made() -> None:
    code = "import sys, results, results.store, run_all; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
