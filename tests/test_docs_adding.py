"""The pages on adding a method, a noise and a data set: their code runs as it stands there."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from test_run_all import run_all

from benchmark.commands import check

ROOT = Path(__file__).resolve().parent.parent
FACES = ["--set", "faces.train=100", "--set", "faces.test=100"]


def written(page: str, folder: Path) -> Path:
    """The code of a page, in the file that the page names before it."""
    text = (ROOT / "docs" / page).read_text()
    blocks = re.findall(r"Write it as `mine/(\w+\.py)`.*?```python\n(.*?)```", text, re.S)
    assert text.count("```python") == 1
    ((name, code),) = blocks
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(code)
    return folder / name


def wrong(path: Path, data: Path | None = None) -> list[str]:
    (cls,) = check.find_contracts(check.load_module(path))
    return [str(finding) for finding in check.run_checks(cls, data) if finding.status == "wrong"]


def records(results: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in results.glob("??/*.json") if len(path.stem) == 20]


@pytest.mark.slow
def test_the_method_of_the_page_stands_in_the_table_beside_the_baseline(tmp_path: Path) -> None:
    path = written("new-method.md", tmp_path / "mine")
    assert len(path.read_text().splitlines()) < 40 and wrong(path) == []
    arguments = ["--table", "1", "--methods", "baseline", "my_gce", "--methods-path", str(path.parent), *FACES]
    arguments += ["--set", "recipe.epochs=1", "--set", "my_gce.q=0.5", "--weights", "random", "--rates", "0.3"]
    arguments += ["--seeds", "0", "--results", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    done = run_all(*arguments)
    assert done.returncode == 0, done.stderr
    assert "My GCE" in (tmp_path / "out" / "table1.md").read_text()
    (mine,) = [record for record in records(tmp_path / "runs") if record["spec"]["method"] == "my_gce"]
    assert mine["resolved"]["parameters"] == {"q": 0.5} and "loss gce" in mine["history"]
    assert "has changed since" not in done.stderr
    path.write_text(path.read_text() + "\nANOTHER_STATE_OF_THE_FILE = 1\n")
    assert "my_gce.py has changed since 1 of these runs" in run_all(*arguments, "--draw").stderr


@pytest.mark.slow
def test_two_networks_and_a_survey_take_one_short_file(tmp_path: Path) -> None:
    path = tmp_path / "mine" / "my_pair.py"
    path.parent.mkdir()
    shutil.copyfile(ROOT / "docs" / "templates" / "my_pair.py", path)
    assert len(path.read_text().splitlines()) < 80 and wrong(path) == []
    arguments = ["--table", "1", "--methods", "my_pair", "--methods-path", str(path.parent), *FACES]
    arguments += ["--set", "recipe.epochs=2", "--weights", "random", "--weights2", "random", "--rates", "0.3"]
    done = run_all(*arguments, "--seeds", "0", "--results", str(tmp_path / "runs"), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path / "runs")
    assert record["spec"]["weights2"] == "random" and record["times"]["survey"] > 0
    assert "further networks: random weights" in record["resolved"]["weights"]["text"]
    assert len(record["history"]["kept"]) == 2 and 0 < record["history"]["kept"][1] < 1


@pytest.mark.slow
def test_the_noise_of_the_page_trains(tmp_path: Path) -> None:
    path = written("new-noise.md", tmp_path / "mine")
    assert wrong(path) == []
    arguments = ["--table", "1", "--methods", "baseline", "--noise", "neighbours", "--methods-path", str(path.parent)]
    arguments += [*FACES, "--set", "recipe.epochs=1", "--weights", "random", "--rates", "0.3", "--seeds", "0"]
    done = run_all(*arguments, "--results", str(tmp_path / "runs"), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    (record,) = records(tmp_path / "runs")
    assert record["spec"]["noise"]["kind"] == "neighbours" and 0.15 < record["noise"]["realised"] < 0.45


def test_the_data_set_of_the_page_keeps_its_contract(tmp_path: Path) -> None:
    path = written("new-data-set.md", tmp_path / "mine")
    draw = np.random.default_rng(0)
    held = {"images": draw.integers(0, 256, (60, 48, 48), np.uint8), "labels": draw.integers(0, 2, 60)}
    np.savez(tmp_path / "striped.npz", **held, test=np.arange(60) % 3 == 0)
    assert wrong(path, tmp_path / "striped.npz") == []


@pytest.mark.slow
def test_the_backbone_of_the_page_trains_in_table_1(tmp_path: Path) -> None:
    path = written("new-backbone.md", tmp_path / "mine")
    assert len(path.read_text().splitlines()) <= 30 and wrong(path) == []
    arguments = ["--table", "1", "--methods", "baseline", "rul", "--methods-path", str(path.parent), *FACES]
    arguments += ["--set", "backbone.name=my_net", "--set", "recipe.epochs=1", "--rates", "0.3", "--seeds", "0"]
    done = run_all(*arguments, "--results", str(tmp_path / "runs"), "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    made = records(tmp_path / "runs")
    assert [record["resolved"]["recipe"]["backbone"] for record in made] == ["my_net"] * 2
    assert all(record["spec"]["weights"].startswith("landmarks:") for record in made)
    assert "Backbone my\\_net; start: label-free" in (tmp_path / "out" / "table1.md").read_text()
    refused = run_all("--table", "1", "--plan", *arguments[5:], "--results", str(tmp_path / "runs"))
    page = " ".join((ROOT / "docs" / "new-backbone.md").read_text().split())
    assert refused.returncode == 2 and refused.stderr.strip().removeprefix("run_all.py: ") in page


def test_the_template_keeps_its_contract() -> None:
    assert wrong(ROOT / "docs" / "templates" / "my_method.py") == []


@pytest.mark.parametrize("page", ["new-method.md", "new-noise.md", "new-data-set.md"])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    named = re.findall(r"`((?:methods|noise|docs|benchmark)/[\w/.-]+\.(?:py|md))`", (ROOT / "docs" / page).read_text())
    assert named and [name for name in named if not (ROOT / name).exists()] == []
