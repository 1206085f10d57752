"""What planning knows of methods, the recipe that a run gets of it, and which data sets a table keeps."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from test_plan import OTHER, OWN, cells, finished, home, jobs, planned, shown, typed  # noqa: F401

from benchmark import source_code
from benchmark.commands.arguments import read_request
from benchmark.commands.options import parser
from benchmark.launch import run as launching
from benchmark.plan import catalogue
from benchmark.plan.experiments import SWEEPS, find_experiment
from benchmark.plan.matrix import Plan, make_plan
from benchmark.plan.narrow import drop_unmeasured
from benchmark.terminal import Usage
from results.store import Store

METHOD = '''
from dataclasses import dataclass, replace
from methods.base import scaled
from methods.baseline import Baseline

class Mine(Baseline):
    """Mine."""
    name, title, source, version, needs_landmarks, networks = "mine", "Mine", "a paper", 3, False, 1
    as_published = replace(Baseline.recipe, epochs=7)
    demo = {"start": (4, "a reason")}

    @dataclass(frozen=True)
    class Parameters:
        start: int = scaled(2, "epoch")
        share: float = 0.5
        hard: bool = False
'''


def own(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return folder


def test_a_card_holds_what_a_method_declares(tmp_path: Path) -> None:
    cards = catalogue.read_catalogue(tmp_path / "runs", (own(tmp_path / "own", mine=METHOD),))
    mine, baseline = cards["mine"], cards["baseline"]
    assert {
        key: mine[key] for key in ("name", "title", "source", "version", "needs_landmarks", "networks", "file")
    } == {
        "name": "mine",
        "title": "Mine",
        "source": "a paper",
        "version": 3,
        "needs_landmarks": False,
        "networks": 1,
        "file": "mine.py",
    }
    assert mine["parameters"] == {
        "start": {"default": 2, "type": "int", "scales": "epoch"},
        "share": {"default": 0.5, "type": "float", "scales": None},
        "hard": {"default": False, "type": "bool", "scales": None},
    }
    assert mine["demo"] == {"start": [4, "a reason"]} and mine["code"].startswith("statements:")
    assert mine["recipe"] == baseline["recipe"] and mine["as_published"] == mine["recipe"] | {"epochs": 7}
    assert baseline["as_published"] is None and cards["lanet"]["file"] == "lanet/method.py"
    assert cards["lanet"]["needs_landmarks"] and cards["resup"]["networks"] == 2 and list(cards) == sorted(cards)
    (kept,) = (tmp_path / "runs" / "cards").glob("*.json")
    assert len(kept.stem) == 20 and json.loads(kept.read_text()) == json.loads(json.dumps(cards))


def test_cards_are_made_once_and_again_when_a_file_is_another(tmp_path: Path) -> None:
    folder, runs = own(tmp_path / "own", mine=METHOD), tmp_path / "runs"
    catalogue.read_catalogue(runs, (folder,))
    (kept,) = (runs / "cards").glob("*.json")
    kept.write_text('{"known": {}}')
    assert catalogue.read_catalogue(runs, (folder,)) == {"known": {}}
    kept.write_text("{")
    assert "mine" in catalogue.read_catalogue(runs, (folder,))
    edited = own(tmp_path / "edited", mine=METHOD.replace('"a paper", 3', '"a paper", 4'))
    assert catalogue.read_catalogue(runs, (edited,))["mine"]["version"] == 4
    assert len(list((runs / "cards").glob("*.json"))) == 2
    assert "mine" not in catalogue.read_catalogue(runs) and len(list((runs / "cards").glob("*.json"))) == 3
    (tmp_path / "file").write_text("")
    assert "baseline" in catalogue.read_catalogue(tmp_path / "file")  # a place that cannot be written


def forget() -> None:
    """What another process would not have: imported files and their hashes."""
    for name in [name for name in sys.modules if name.startswith(("own_mine", "parts", "helper"))]:
        del sys.modules[name]
    source_code.hash_statements.cache_clear()


def test_a_helper_below_ones_own_folder_makes_another_card(tmp_path: Path) -> None:
    mine = "from parts.numbers import LATE\n" + METHOD.replace("epochs=7", "epochs=LATE")
    folder, runs = own(tmp_path / "own", mine=mine), tmp_path / "runs"
    own(folder / "parts", __init__="", numbers="LATE = 3")
    before = catalogue.read_catalogue(runs, (folder,))["mine"]
    own(folder / "parts", numbers="LATE = 9  # more")
    forget()
    after = catalogue.read_catalogue(runs, (folder,))["mine"]
    assert (before["as_published"]["epochs"], after["as_published"]["epochs"]) == (3, 9)
    assert before["code"] != after["code"]


def test_a_failure_is_tried_again_when_what_its_method_imports_is_mended(home: Path, tmp_path: Path) -> None:  # noqa: F811
    folder = own(tmp_path / "own", mine="from helper import LATE\n" + METHOD, helper="LATE = 1")
    words = ["--table", "1", "--methods", "mine", "--seeds", "0", "--rates", "0.1", "--methods-path", str(folder)]
    codes = []
    for text in ("LATE = 1", "LATE = 2"):
        own(folder, helper=text)
        forget()
        made = planned(home, *words)
        codes += {launching.make_job_task(run, made, launching.RunOptions(1)).code for run in made.runs()}
    assert len(set(codes)) == 2 and all(code.startswith("statements:") for code in codes)


@pytest.mark.slow
def test_a_broken_file_is_refused_where_it_is_asked_for_and_else_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = own(
        tmp_path / "own",
        mine=METHOD,
        bad="from methods.baseline import Baseline\nclass Bad(Baseline):\n    name = 'bad'\n    x = unknown\n",
    )
    words = ["--methods-path", str(folder), "--datasets", "faces", "--results", str(tmp_path / "runs"), "--table", "1"]
    asked = read_request(parser().parse_args([*words, "--methods", "mine"]))
    assert asked.methods == ["mine"]
    (line,) = [x for x in capsys.readouterr().err.splitlines() if "passed over" in x]
    assert line.startswith("warning: ") and "bad" in line and "name 'unknown' is not defined" in line
    with pytest.raises(Usage, match=r"^--methods-path: .*bad.*name 'unknown' is not defined"):
        read_request(parser().parse_args([*words, "--methods", "bad"]))
    with pytest.raises(
        Usage, match=r"^--methods: there is no method 'mins' \(did you mean 'mine'\?\). Known: baseline, c"
    ):
        make_plan(read_request(parser().parse_args([*words, "--methods", "mins"])))
    capsys.readouterr()
    bad = {"bad": {"broken": "bad.py: why"}, "good": {"name": "good"}}
    assert catalogue.select_usable(bad, ["good"], ()) == {"good": {"name": "good"}}
    assert capsys.readouterr().err == "warning: method bad is passed over: bad.py: why\n"
    with pytest.raises(Usage, match=r"^--methods-path: bad.py: why$"):
        catalogue.select_usable(bad, ["bad"], ())


def test_a_file_that_cannot_be_read_is_passed_over_aloud(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    folder = own(tmp_path / "own", mine=METHOD, torn="name = 'torn'\ndef (\n")
    cards = {"mine": {"name": "mine"}}
    assert catalogue.select_usable(cards, ["mine"], (folder,)) == cards
    seen = capsys.readouterr()
    assert seen.out == "" and seen.err.startswith(f"warning: {folder / 'torn.py'} is passed over: ")
    with pytest.raises(Usage, match=rf"^--methods-path: {folder / 'torn.py'}: cannot be imported: "):
        catalogue.select_usable(cards, ["torn"], (folder,))
    (folder / "torn.py").write_text(METHOD, "utf-16")
    with pytest.raises(Usage, match=r"torn.py: cannot be imported: ValueError: holds null bytes; save it as UTF-8"):
        catalogue.select_usable(cards, ["torn"], (folder,))


NOISE = """
from noise.symmetric import Symmetric

class Mine(Symmetric):
    name = "mine"
"""


def test_a_noise_of_ones_own_is_part_of_a_job_by_its_code(home: Path, tmp_path: Path) -> None:  # noqa: F811
    codes = []
    for n, text in enumerate((NOISE, NOISE + "    more = 1\n")):
        folder = own(tmp_path / f"own{n}", mine=text)
        words = ["--table", "1", "--methods", "baseline", "--noise", "mine", "--rates", "0.1", "--seeds", "0"]
        (job,) = jobs(planned(home, "--methods-path", str(folder), *words))
        assert set(job.noise) == {"kind", "rate", "version", "code"} and job.noise["kind"] == "mine"
        codes.append(job.noise["code"])
    assert codes[0] != codes[1]


def test_epochs_of_a_method_keep_their_share_of_its_own_recipe_when_it_borrows_one(home: Path) -> None:  # noqa: F811
    words = ["--table", "clean", "--methods", "scn", "--seeds", "0"]
    (own_recipe,), (borrowed,) = (planned(home, *words, *more).runs() for more in ((), ("--set", "recipe.like=lanet")))
    assert borrowed.resolved["parameters"] == own_recipe.resolved["parameters"]


def test_rows_are_named_where_a_method_has_none(home: Path) -> None:  # noqa: F811
    with pytest.raises(Usage, match=r"^--methods: figure 1 has rows of lanet only$"):
        planned(home, "--figure", "1", "--methods", "scn")


def test_the_preset_chooses_the_recipe_of_a_method_s_own_program(home: Path) -> None:  # noqa: F811
    words = ["--table", "clean", "--methods", "eac", "scn", "--seeds", "0", "--scale", "paper"]
    common = {run.job.method: run for run in planned(home, *words).runs()}
    theirs = {run.job.method: run for run in planned(home, *words, "--preset", "as_published").runs()}
    assert (
        theirs["eac"].resolved["recipe"]["backbone"]
        == "resnet50_vggface2"
        != common["eac"].resolved["recipe"]["backbone"]
    )
    assert theirs["eac"].resolved["recipe"]["optimiser"]["weight_decay"] == 1e-4
    assert theirs["scn"].resolved["recipe"] == common["scn"].resolved["recipe"]
    assert {run.job.preset for run in theirs.values()} == {"as_published"}
    assert {run.job.preset for run in common.values()} == {"comparison"}
    assert all(run.job.overrides == {} for run in (*theirs.values(), *common.values()))


def test_a_recipe_that_is_borrowed_leaves_backbone_and_views(home: Path) -> None:  # noqa: F811
    words = ["--table", "clean", "--methods", "eac", "--seeds", "0", "--scale", "paper"]
    (plain,) = planned(home, *words).runs()
    (like,) = planned(home, *words, "--set", "recipe.like=lanet").runs()
    cards = planned(home, *words).cards
    lanet, eac = cards["lanet"]["recipe"], cards["eac"]["recipe"]
    got = like.resolved["recipe"]
    assert like.job.overrides == {"recipe.like": "lanet"} and got["backbone"] == eac["backbone"]
    assert eac["augment"]["second_view"] != lanet["augment"]["second_view"] == None  # noqa: E711
    assert got == lanet | {
        "backbone": eac["backbone"],
        "augment": lanet["augment"] | {part: eac["augment"][part] for part in ("second_view", "strong")},
    }
    assert got != plain.resolved["recipe"]
    (same,) = planned(home, *words, "--set", "recipe.like=eac").runs()
    assert same.job == plain.job and same.resolved == plain.resolved
    with pytest.raises(Usage, match=r"^--set recipe.like: there is no method 'eacc' \(did you mean 'eac'\?\)"):
        planned(home, *words, "--set", "recipe.like=eacc")


def test_options_of_a_method_count_after_its_backbone_and_a_typed_truth_is_one(home: Path) -> None:  # noqa: F811
    words = ["--table", "clean", "--methods", "scn", "--seeds", "0", "--settings", "published"]
    more = ["--set", "scn.backbone=resnet18", "--set", "scn.beta=0.5", "--set", "recipe.drop_last=True"]
    (job,) = jobs(planned(home, *words, *more))
    assert job.overrides == {"recipe.backbone": "resnet18", "scn.beta": "0.5", "recipe.drop_last": "true"}
    for text, said in (("false", {}), ("1", {"recipe.drop_last": "true"}), ("no", {})):
        (job,) = jobs(planned(home, *words, "--set", f"recipe.drop_last={text}"))
        assert job.overrides == said


def test_a_sweep_has_a_point_for_each_value_of_its_options() -> None:
    figure = find_experiment("figure", "1")
    options = ("confidence", "landmark_weight", "contrastive_weight")
    assert [(row.method, row.overrides, row.label) for row in figure.rows] == [
        ("lanet", {f"lanet.{option}": value}, f"{option}={value}") for option in options for value in SWEEPS[option]
    ]
    assert find_experiment("figure", "clean") is None and find_experiment("table", "clean").name == "clean"


def test_landmarks_are_part_of_a_job_that_uses_them(tmp_path: Path) -> None:
    small = ["--set", "faces.train=100", "--set", "faces.test=100", "--table", "clean", "--seeds", "0"]
    plan = planned(tmp_path, *small, "--methods", "lanet", "baseline", data="faces")
    data = plan.data["faces"]
    assert {job.method: job.data["landmarks"] for job in jobs(plan)} == {
        "lanet": data.landmark_fingerprint,
        "baseline": None,
    }
    assert data.folder.parent == tmp_path / "data" and data.landmark_fingerprint


def test_a_guess_takes_a_method_for_as_dear_as_it_is_known_to_be(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for method, times in (("baseline", 1), ("eac", 2), ("rul", 1.1), ("gce", 1.5)):
        words = ["--table", "clean", "--methods", method, "--seeds", "0", "--set", "recipe.epochs=18000"]
        (line,) = [x for x in shown(capsys, typed(tmp_path, *words)) if x.startswith("expected: ")]
        minutes, seconds = divmod(round(15 * times * 1000 * 40 / 1000), 60)
        assert line.startswith(f"expected: {minutes}:{seconds:02} of one worker in all"), (method, line)


def test_every_named_seed_is_drawn_and_rows_that_lack_a_method_are_named(home: Path) -> None:  # noqa: F811
    words = ["--table", "clean", "--methods", "baseline", "--draw", "--seeds", "0-4"]
    assert [job.seed for job in jobs(planned(home, *words))] == [0, 1, 2, 3, 4]
    with pytest.raises(Usage, match=r"^--methods: figure omega has rows of lanet only$"):
        planned(home, "--figure", "omega", "--methods", "scn")


@pytest.fixture
def two(tmp_path: Path) -> Callable[..., Plan]:
    """A plan of tables over two small data sets, with records of the named (data set, rate)."""
    folder = own(
        tmp_path / "own",
        elsewhere=OTHER.replace(
            'needs_path = "elsewhere", "Elsewhere", 8, 1, True', 'needs_path = "elsewhere", "Elsewhere", 8, 1, False'
        ),
    )
    words = ["--methods-path", str(OWN), "--methods-path", str(folder), "--datasets", "specks", "elsewhere"]
    words += [
        "--results",
        str(tmp_path / "runs"),
        "--methods",
        "baseline",
        "--noise",
        "symmetric",
        "--weights",
        "random",
    ]
    words += ["--devices", "cpu", "--precision", "fp32", "--draw"]

    def plan(tables: list[str], *measured: tuple[str, str]) -> Plan:
        given = [word for name in tables for word in ("--table", name)]
        made = make_plan(read_request(parser().parse_args([*words, *given])))
        store = Store(tmp_path / "runs")
        for run in made.runs():
            if (run.job.data["name"], run.job.noise["rate"]) in measured and run.job.seed == 0:
                finished(store, run, 1.0, 1)
        return make_plan(read_request(parser().parse_args([*words, *given])))

    return plan


def test_a_table_keeps_the_data_of_which_most_cells_are_measured(two: Callable[..., Plan]) -> None:
    plan = two(["1"], ("specks", "0.1"), ("specks", "0.3"), ("elsewhere", "0.1"))
    lines = drop_unmeasured(plan)
    assert lines == [
        "table 1: elsewhere is left out, 33 % of its cells have records here (--datasets elsewhere shows them)"
    ]
    assert [(cell.dataset, cell.rate) for cell in cells(plan)] == [("specks", rate) for rate in ("0.1", "0.2", "0.3")]
    assert drop_unmeasured(plan) == []


def test_the_last_data_of_a_single_table_stay(two: Callable[..., Plan]) -> None:
    plan = two(["1"])
    assert drop_unmeasured(plan) == [] and {cell.dataset for cell in cells(plan)} == {"specks", "elsewhere"}
    both = two(["1", "symmetric"])
    assert len(drop_unmeasured(both)) == 4 and cells(both) == []


def test_of_an_option_that_is_given_twice_the_last_counts_and_that_is_said(capsys: pytest.CaptureFixture) -> None:
    words = [
        "--table",
        "1",
        "--methods",
        "scn",
        "eac",
        "--scale",
        "small",
        "--set",
        "recipe.lr=0.1",
        "--devices",
        "cpu",
    ]
    args = parser().read([*words, "--methods", "rul", "--scale", "demo", "--set", "recipe.optimiser.lr=0.2"])
    made = read_request(args)
    assert (made.methods, made.scale.name, made.sets) == (["rul"], "demo", {"recipe.optimiser.lr": "0.2"})
    said = capsys.readouterr().err
    assert "--methods: you gave it 2 times; the last one counts, rul (several values go behind one --methods)" in said
    assert "--scale: you gave it 2 times; the last one counts, demo\n" in said
    assert "--set recipe.optimiser.lr: you gave 0.1 and 0.2; the last one counts" in said
    parser().read(words)
    assert capsys.readouterr().err == ""
