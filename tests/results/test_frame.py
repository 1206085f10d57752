"""Runs as a data frame: its numbers are those of the records, and the cells of the notebook run."""

import json
import os
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
DOCS = ROOT / "docs"
PAGE = (DOCS / "notebook.md").read_text(encoding="utf-8")


# What the tests look at of what the notebook's cells left behind.
FACTS = """
import json
print(json.dumps({
    "means": table.loc["Faces (rendered)"].to_dict("index"),
    "gains": gains["SCN"].to_dict(),
    "curve": curves["LA-Net"].to_dict(),
    "confusion": confusion.to_numpy().tolist(),
    "classes": list(confusion.columns),
    "wrong": wrong["name"].tolist(),
}))
"""


def code_cells() -> list[str]:
    cells = json.loads((DOCS / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    """Runs the cells of the notebook in order in a fresh interpreter, in its folder."""
    environment = os.environ | {"MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error", "-c", "\n".join([*code_cells(), FACTS])]
    done = subprocess.run(command, cwd=DOCS, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@cache
def every_record() -> list[dict[str, Any]]:
    return list(Records(REFERENCE).records())


def plain_runs(**of: Any) -> dict[int, dict[str, Any]]:
    """{seed: record} of plain runs on drawn faces, read without the frame."""
    found = {}
    for record in every_record():
        spec = record["spec"]
        plain = spec["scale"]["name"] == "demo" and spec["data"]["name"] == "faces" and spec["part"] == "all"
        plain = plain and "subset" not in spec["scale"] and spec["weights"] != "random"
        named = spec["method"] == of["method"] and spec["noise"] == spec["noise"] | of["noise"]
        chosen = record["resolved"].get("chosen_settings", {})
        if plain and named and spec["overrides"] == chosen and not spec["holdout"]:
            found[spec["seed"]] = record
    return found


def test_the_notebook_shows_means_of_the_records(notebook: dict[str, Any]) -> None:
    known = plain_runs(method="rul", noise={"kind": "asymmetric", "rate": "0.2"})
    last = [100 * record["metrics"]["last"] for record in known.values()]
    assert len(last) >= 5
    assert notebook["means"]["RUL"]["0.2"] == f"{np.mean(last):.1f}±{np.std(last, ddof=1):.1f}"


def test_the_notebook_compares_seed_by_seed(notebook: dict[str, Any]) -> None:
    noise = {"kind": "asymmetric", "rate": "0.3"}
    ours, base = (plain_runs(method=name, noise=noise) for name in ("scn", "baseline"))
    gains = {str(s): 100 * (ours[s]["metrics"]["last"] - base[s]["metrics"]["last"]) for s in ours.keys() & base.keys()}
    assert notebook["gains"] == pytest.approx(gains)


def test_the_notebook_draws_what_the_records_keep_of_each_epoch(notebook: dict[str, Any]) -> None:
    known = plain_runs(method="lanet", noise={"kind": "asymmetric", "rate": "0.3"})
    means = np.mean([record["history"]["test_accuracy"] for record in known.values()], axis=0)
    assert notebook["curve"] == pytest.approx({str(epoch): mean for epoch, mean in enumerate(means, 1)})


def test_a_confusion_matrix_is_that_of_the_record(notebook: dict[str, Any]) -> None:
    record = plain_runs(method="rul", noise={"kind": "asymmetric", "rate": "0.3"})[0]
    assert notebook["confusion"] == record["metrics"]["confusion"]
    assert notebook["classes"] == record["resolved"]["data"]["class_names"]
    assert notebook["wrong"] and all(name.startswith("test_") for name in notebook["wrong"])
    first = load_predictions(REFERENCE, record["id"], epoch=1)
    assert (first["label"] == first["predicted"]).mean() == pytest.approx(record["history"]["test_accuracy"][0])


def test_the_page_begins_as_the_notebook_does() -> None:
    (shown,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    assert shown.strip() in code_cells()[0]


def test_every_column_is_in_the_frame_and_the_page_says_the_same_of_them() -> None:
    told = re.findall(r"^\| `(\w+)` \| (.*) \|$", PAGE, re.M)
    assert told == [(name, COLUMNS[name]) for name, _ in told] and len(told) > 20
    frame = load_runs(REFERENCE)
    assert list(frame) == list(COLUMNS)
    others = frame["id"].isin(r["id"] for r in every_record() if r["spec"]["scale"].get("subset") == 1)
    assert others.any() and set(frame[others]["changed"]) == {"scale.subset=1"}
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
