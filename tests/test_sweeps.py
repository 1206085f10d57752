"""`--sweep NAME.option=V1,V2,...`: a figure of any option of any method, from the command line to its numbers."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from statistics import fmean

import pytest
from PIL import Image

from benchmark.commands.run_all import main
from methods.scn import SCN
from reports.cells import Cell
from reports.pictures.sweeps import draw_sweep

ROOT = Path(__file__).resolve().parents[1]
SPECKS = ["--methods-path", str(ROOT / "performance" / "faulty"), "--datasets", "specks", "--noise", "symmetric"]
QUICK = [
    "--scale",
    "demo",
    "--weights",
    "random",
    "--precision",
    "fp32",
    "--devices",
    "cpu",
    "--set",
    "recipe.epochs=2",
]
MINE = """
from dataclasses import dataclass

from methods.gce import GeneralisedCrossEntropy


class Mine(GeneralisedCrossEntropy):
    name, title = "my_gce", "My GCE"

    @dataclass(frozen=True)
    class Parameters(GeneralisedCrossEntropy.Parameters):
        forgotten: float = 0.5
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("sweeps")
    (base / "mine").mkdir()
    (base / "mine" / "my_gce.py").write_text(MINE)
    return base


@pytest.fixture
def draw(folder: Path) -> Callable[..., set[str]]:
    """The command with a sweep; returns the names of all files that are drawn so far."""

    def run(*words: str) -> set[str]:
        typed = [*SPECKS, *QUICK, "--methods-path", str(folder / "mine"), *words]
        assert main([*typed, "--results", str(folder / "runs"), "--out", str(folder / "out")]) == 0
        return {path.name for path in (folder / "out").iterdir()}

    return run


def read_points(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def read_last(folder: Path, record_id: str) -> float:
    return json.loads((folder / "runs" / record_id[:2] / f"{record_id}.json").read_text())["metrics"]["last"]


@pytest.mark.slow
def test_a_method_of_ones_own_is_swept_in_a_figure_with_its_numbers(draw, folder: Path) -> None:
    words = ["--rates", "0.2", "0.4", "--seeds", "0", "1"]
    first = draw("--sweep", "my_gce.q=0.30,0.5,0.7", *words)
    stem = "figure_sweep_my_gce.q_0.3_0.5_0.7"
    assert first == {f"{stem}.pdf", f"{stem}.png", f"{stem}.csv"}
    points = read_points(folder / "out" / f"{stem}.csv")
    assert [(point["rate"], point["value"]) for point in points] == [
        (rate, value) for rate in ("0.2", "0.4") for value in ("0.3", "0.5", "0.7")
    ]
    for point in points:
        record_ids = point["ids"].split()
        assert len(set(record_ids)) == 2 == int(point["n"])
        assert float(point["mean"]) == pytest.approx(100 * fmean(read_last(folder, name) for name in record_ids))
        assert (point["option"], point["published"], point["chosen"]) == ("my_gce.q", "0.7", "")
    assert len({point["ids"] for point in points}) == 6
    before = (folder / "out" / f"{stem}.png").read_bytes()
    both = draw("--sweep", "my_gce.q=0.5,0.7", "--draw", *words)
    assert len(both - first) == 3 and first < both and (folder / "out" / f"{stem}.png").read_bytes() == before


def test_an_option_of_the_recipe_is_swept_for_each_method_that_is_named(draw, folder: Path) -> None:
    words = ["--rates", "0.4", "--seeds", "0", "--methods", "baseline", "my_gce"]
    draw("--sweep", "recipe.drop_last=true,no", *words)
    stem = "figure_sweep_recipe.drop_last_true_false_baseline_my_gce"
    points = read_points(folder / "out" / f"{stem}.csv")
    assert [(point["method"], point["value"], point["scale"]) for point in points] == [
        (method, value, "false") for method in ("baseline", "my_gce") for value in ("true", "false")
    ]
    with Image.open(folder / "out" / f"{stem}.png") as picture:
        assert "the value of the scale's recipe" in picture.text["Description"]
        assert picture.width > 1.5 * picture.height  # two panels side by side


def test_the_published_and_the_chosen_value_are_marked(draw, folder: Path) -> None:
    draw("--sweep", "scn.beta=0.5,0.7", "--rates", "0.4", "--seeds", "0")
    points = read_points(folder / "out" / "figure_sweep_scn.beta_0.5_0.7.csv")
    chosen = f"{SCN.demo['beta'][0]:g}"
    assert chosen != "0.7"
    assert {(point["published"], point["chosen"]) for point in points} == {("0.7", chosen)}
    draw("--sweep", "scn.beta=0.5,0.8", "--rates", "0.4", "--seeds", "0", "--settings", "published")
    points = read_points(folder / "out" / "figure_sweep_scn.beta_0.5_0.8.csv")
    assert {(point["published"], point["chosen"]) for point in points} == {("0.7", "")}


def test_values_that_change_nothing_are_named_below_the_figure(draw, capsys: pytest.CaptureFixture) -> None:
    draw("--sweep", "my_gce.forgotten=0.1,0.2,0.3", "--rates", "0.4", "--seeds", "0")
    said = "These values gave the same runs, number for number, so they change nothing here: my\\_gce.forgotten 0.1, 0.2 and 0.3"
    assert said in capsys.readouterr().out
    draw("--sweep", "my_gce.q=0.5,0.7", "--rates", "0.4", "--seeds", "0")
    assert "the same runs" not in capsys.readouterr().out


def make_cell(method: str, option: str, value: str, accuracy: float, marks: dict[str, str]) -> Cell:
    return Cell(value, method, "faces", "none", None, values={0: accuracy}, settings={option: value}, marks=marks)


def test_words_stand_side_by_side_and_wide_numbers_on_a_logarithmic_axis() -> None:
    marks = {"scale": "resnet10", "chosen": "resnet18"}
    words = [make_cell("scn", "recipe.backbone", name, 60, marks) for name in ("resnet18", "resnet50")]
    wide = [make_cell("scn", "scn.weight", value, 60, {"published": "1"}) for value in ("10", "0.1")]
    near = [make_cell("rul", "rul.features", value, 60, {"published": "60"}) for value in ("64", "128")]
    panels = draw_sweep([*words, *wide, *near], "").axes
    assert [axes.get_xscale() for axes in panels] == ["linear", "log", "linear"]
    assert [axes.get_xlabel() for axes in panels] == [
        "scn: recipe.backbone",
        "scn: scn.weight",
        "rul: rul.features",
    ] or [axes.get_xlabel() for axes in panels] == ["SCN: recipe.backbone", "SCN: scn.weight", "RUL: rul.features"]
    assert [label.get_text() for label in panels[0].get_xticklabels()] == ["resnet18", "resnet50", "resnet10"]
    assert {text.get_text(): text.xy[0] for text in panels[0].texts} == {"the scale's": 2.0, "chosen": 0.0}
    (line,) = (line for line in panels[1].get_lines() if len(line.get_xdata()) == 2 and line.get_marker() == "o")
    assert line.get_xdata().tolist() == [0.1, 10]  # whatever order they were typed in


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("gce.q", [], "expected NAME.option=V1,V2,..."),
        ("gcee.q=1,2", [], "there is no method, 'recipe' or 'backbone' 'gcee' (did you mean 'gce'?)"),
        ("specks.side=1,2", [], "there is no method, 'recipe' or 'backbone' 'specks'"),
        ("gce.p=0.1,0.2", [], "there is no parameter of gce 'p'"),
        ("gce.q=0.5,x", [], "--sweep gce.q=x: expected one number, its decimals behind a point"),
        ("gce.q=0.5,,0.7", [], "there is no value behind '='"),
        ("gce.q=0.5,0.50", [], "give two different values or more"),
        ("gce.q=0.5,0.7", ["--set", "gce.q=0.3"], "--set gives gce.q one value; leave one of them out"),
        ("recipe.lr=0.1,0.2", ["--set", "recipe.optimiser.lr=1"], "--set gives recipe.optimiser.lr one value"),
        ("recipe.augment.crop=0.5,1", [], "put ';' between the values of a sweep of lists"),
        ("recipe.epochs=0,5", [], "--sweep recipe.epochs=0: expected 1 to 100,000"),
        ("recipe.nothing=1,2", [], "there is no recipe field 'nothing'"),
        ("gce.q=0.5,7", [], "gce refuses gce.q=7"),
    ],
)
def test_what_cannot_be_swept_is_said_in_a_line_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture, text: str, more: list[str], said: str
) -> None:
    words = [*SPECKS, *[word for word in QUICK if word not in ("--set", "recipe.epochs=2")], *more, "--seeds", "0"]
    assert main(["--sweep", text, *words, "--results", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]) == 2
    *_, line = capsys.readouterr().err.splitlines()
    assert said in line and not list(tmp_path.glob("runs/??/*.json"))
