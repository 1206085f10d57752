"""Folders of one's own: which files are found in them, what a broken one does to its neighbours, what is said of the others."""

import sys
from pathlib import Path

import pytest
import torch

from benchmark import plugins
from benchmark.commands.arguments import read_request
from benchmark.commands.options import parser
from benchmark.commands.run_all import main
from benchmark.launch.preflight import check_jobs
from benchmark.plan.matrix import make_plan
from benchmark.train.assembly import assemble_method, make_optimiser
from benchmark.train.loop import set_rates

MINE = "from methods.baseline import Baseline\nclass Mine(Baseline):\n    name, title = 'mine', 'Mine'\n"
BROKEN = "from methods.baseline import Baseline\nimport tensorflow_not_there\nclass B(Baseline):\n    name = 'other'\n"
SMALL = ["--rates", "0.3", "--seeds", "0", "--weights", "random", "--set", "faces.train=200", "--set", "faces.test=100"]


def folder(at: Path, **files: str) -> Path:
    at.mkdir(exist_ok=True)
    for name, text in files.items():
        (at / f"{name}.py").write_text(text)
    return at


def asked(own: Path, *more: str) -> list[str]:
    return ["--table", "1", "--plan", "--methods-path", str(own), "--results", str(own / "runs"), *SMALL, *more]


@pytest.mark.parametrize(
    "text",
    [
        "import methods.baseline as b\nclass Mine(b.Baseline):\n    name = 'mine'\n",
        "import methods.baseline\nclass Mine(methods.baseline.Baseline):\n    name = 'mine'\n",
        "from methods import baseline\nclass Mine(baseline.Baseline):\n    name = 'mine'\n",
        "from methods import baseline\nBase = baseline.Baseline\nclass Mine(Base):\n    name = 'mine'\n",
        "try:\n    import nowhere\nexcept ImportError:\n    from methods.baseline import Baseline\n"
        "if True:\n    class Mine(Baseline):\n        name = 'mine'\n",
    ],
)
def test_a_base_is_followed_however_it_is_imported(tmp_path: Path, text: str) -> None:
    assert "mine" in plugins.find_methods([folder(tmp_path, own=text)])


def test_who_does_not_find_a_method_is_told_what_the_folder_defines(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    loose = "from methods.baseline import Baseline\nMine = type('Mine', (Baseline,), {'name': 'loose'})\n"
    own = folder(tmp_path, mine=MINE, made=loose)
    assert main(asked(own, "--methods", "loose")) == 2
    said = capsys.readouterr().err
    assert f"{own} defines mine (nothing: made.py; a class at the top" in said and said.count("\n") == 1
    outer = tmp_path / "outer"
    folder(outer)
    folder(outer / "inner", mine=MINE)
    assert main(asked(outer, "--methods", "mine")) == 2
    assert "holds no .py file, and is not searched below (give inner itself)" in capsys.readouterr().err
    assert main(asked(outer, "--methods", "baseline")) == 0
    assert "holds no .py file" in capsys.readouterr().err


def test_a_neighbour_that_cannot_be_imported_is_a_warning_also_where_settings_are_tried(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    own = folder(tmp_path, mine=MINE, other=BROKEN)
    words = asked(own, "--methods", "mine", "--set", "recipe.epochs=1")
    check_jobs(make_plan(read_request(parser().read(words))).runs())
    assert "warning: method other is passed over" in capsys.readouterr().err
    assert plugins.find_method("mine", [own]).name == "mine"
    with pytest.raises(plugins.PluginError, match=r"tensorflow_not_there.*pip install it into"):
        plugins.find_method("other", [own])


def test_what_was_lacking_is_not_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = folder(tmp_path, other=BROKEN)
    assert main(asked(own, "--methods", "other")) == 2
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "tensorflow_not_there.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path / "installed")
    assert main(asked(own, "--methods", "other")) == 0
    sys.modules.pop("tensorflow_not_there")


def test_a_data_set_that_cannot_be_imported_stops_nobody_who_does_not_ask_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    text = (
        "from benchmark.datasets.faces import Faces\nimport nowhere_to_be_found\nclass D(Faces):\n    name = 'drawn'\n"
    )
    own = folder(tmp_path, drawn=text)
    assert main(asked(own, "--methods", "baseline")) == 0
    assert "warning: data set drawn is passed over" in capsys.readouterr().err
    assert main(asked(own, "--methods", "baseline", "--datasets", "drawn")) == 2
    assert "nowhere_to_be_found" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (MINE.replace("'mine', ", "5, "), "Mine.name is 5; expected letters"),
        (MINE.replace("'mine', ", "'my method/1', "), "Mine.name is 'my method/1'"),
        (MINE.replace("'mine', ", "'my.method', "), "Mine.name is 'my.method'"),
        (MINE.replace("'mine', ", "'recipe', "), "not one of recipe, backbone"),
        ("from methods.base import Method\nclass Mine(Method):\n    name = 'mine'\n", "Mine is no whole method"),
        (MINE + "from methods.recipes import Recipe\n", "what a method is made of is imported from methods.base)"),
        (MINE + "import sys\nsys.exit(0)\n", "it ends the program; put what runs it below"),
        (MINE + "from .helper import x\n", "a helper beside it is imported by its name"),
    ],
)
def test_a_method_that_cannot_be_one_is_named_with_its_file_and_stops_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture, text: str, words: str
) -> None:
    own = folder(tmp_path, mine=text)
    assert main(asked(own, "--methods", "baseline")) == 0
    (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("warning: method")]
    assert words in said and str(own / "mine.py") in said


def test_an_installed_package_that_cannot_be_imported_stops_no_method(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = plugins.metadata.EntryPoint("theirs", "nowhere_to_be_found", "fer_methods")
    monkeypatch.setattr(plugins, "list_packages", lambda: [entry])
    broken: dict[str, str] = {}
    assert "baseline" in plugins.find_methods((), broken)
    assert "package nowhere_to_be_found: cannot be imported" in broken["theirs"]


OWN_RECIPE = """
from dataclasses import dataclass
import torch
from methods.base import Adam, AdamW, Augment, Cosine, Recipe, SGD, WarmUp
from methods.baseline import Baseline

@dataclass(frozen=True)
class Rprop:
    lr: float
    etas: tuple[float, float] = (0.5, 1.2)

    def make(self, groups, on_gpu):
        return {made}

@dataclass(frozen=True)
class Halved:
    def at(self, step, steps_per_epoch, epochs):
        return 0.5

class Mine(Baseline):
    name, title = "mine", "Mine"
    recipe = Recipe(2, 16, {optimiser}, {schedule}, Augment(), backbone="resnet10_w16")
"""
RPROP = "torch.optim.Rprop(groups, etas=self.etas)"


def own_recipe(at: Path, optimiser: str, schedule: str = "Halved()", made: str = RPROP) -> Path:
    return folder(at, mine=OWN_RECIPE.format(optimiser=optimiser, schedule=schedule, made=made))


@pytest.mark.parametrize(
    ("optimiser", "schedule", "kind", "rates"),
    [
        ("Rprop(0.1)", "Halved()", torch.optim.Rprop, {0.05}),
        ("AdamW(0.1, head_lr=0.2)", "WarmUp(Cosine(), 1, 0.5)", torch.optim.AdamW, {0.05, 0.1}),
        ("AdamW(0.1)", "Cosine()", torch.optim.AdamW, {0.1}),
        ("Adam(0.1)", "Halved()", torch.optim.Adam, {0.05}),
        ("SGD(0.1)", "Halved()", torch.optim.SGD, {0.05}),
    ],
)
def test_an_optimiser_and_a_schedule_are_those_that_the_recipe_names(
    optimiser: str, schedule: str, kind: type, rates: set[float], tmp_path: Path
) -> None:
    own = own_recipe(tmp_path, optimiser, schedule)
    words = asked(own, "--methods", "mine", "--scale", "paper")
    (planned,) = make_plan(read_request(parser().read(words))).runs()
    check_jobs([planned])
    method, recipe, run = assemble_method(
        plugins.find_method("mine", [own]), planned.job, planned.resolved, planned.place, 8, 200
    )
    method.heads = lambda: [method.classifier]
    made = make_optimiser(method, recipe, torch.device("cpu"))
    set_rates(made, recipe.schedule.at(0, run.steps_per_epoch, run.epochs))
    assert type(made) is kind and {group["lr"] for group in made.param_groups} == rates
    assert len(made.param_groups) == 2 and made.param_groups[0].get("weight_decay") == {
        torch.optim.AdamW: 0.01,
        torch.optim.Rprop: None,
    }.get(kind, 0)


@pytest.mark.parametrize(
    ("optimiser", "made", "words"),
    [
        (
            "torch.optim.AdamW",
            RPROP,
            "optimiser: <class 'torch.optim.adamw.AdamW'>, expected one of Adam, AdamW, SGD of",
        ),
        (
            "Rprop(0.1)",
            "None",
            "--methods: mine cannot be built: Rprop.make returns NoneType, expected a torch optimiser",
        ),
        ("Rprop(0.1)", "self.no", "--methods: mine cannot be built: 'Rprop' object has no attribute 'no'"),
        ("Rprop(0.1, torch.float32)", RPROP, "Mine is no whole method: Object of type dtype is not JSON serializable"),
    ],
)
def test_an_optimiser_that_no_job_could_use_is_refused_by_a_plan_and_stops_no_other_method(
    optimiser: str, made: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    own = own_recipe(tmp_path, optimiser, made=made)
    assert main(asked(own, "--methods", "mine", "--scale", "paper")) == 2
    said = capsys.readouterr().err.splitlines()
    assert words in said[-1] and not any("Traceback" in line for line in said)
    assert main(asked(own, "--methods", "baseline", "--scale", "paper")) == 0


def test_another_method_does_not_take_a_recipe_with_parts_of_one_s_own(tmp_path: Path, capsys) -> None:
    own = own_recipe(tmp_path, "Rprop(0.1)")
    assert main(asked(own, "--methods", "baseline", "--scale", "paper", "--set", "recipe.like=mine")) == 2
    assert (
        "baseline refuses recipe.like=mine: recipe: Rprop is a class of another method's file"
        in capsys.readouterr().err
    )
