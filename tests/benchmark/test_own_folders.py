"""Folders of one's own: which files are found in them, what a broken one does to its neighbours, what is said of the others."""

import sys
from pathlib import Path

import pytest

from benchmark import plugins
from benchmark.commands.arguments import request
from benchmark.commands.options import parser
from benchmark.commands.run_all import main
from benchmark.launch.preflight import check_jobs
from benchmark.plan.matrix import make

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
    check_jobs(make(request(parser().read(words))).runs())
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
