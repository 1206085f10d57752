"""Equal tuning: which settings a search tries, which images choose among them, and what it leaves as it was."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_records import small_record

from benchmark.__main__ import main as benchmark
from benchmark.commands.arguments import read_request
from benchmark.commands.options import parser
from benchmark.commands.run_all import main
from benchmark.plan import catalogue
from benchmark.plan.matrix import Plan, make_plan
from benchmark.plan.recipes import resolve_recipe
from benchmark.plan.tuning import draw_settings, published_settings
from benchmark.scale import DEMO, PAPER, SMALL
from benchmark.terminal import Usage
from benchmark.train.training_set import training_set
from methods.base import Choice, LogUniform, Uniform, WholeNumber
from results.records import Records
from results.store import Store

FACES = ["--set", "faces.train=1300", "--set", "faces.test=100", "--weights", "random"]

OWN = '''
from dataclasses import dataclass
from methods.base import Choice, Uniform
from methods.baseline import Baseline

class Mine(Baseline):
    """Mine."""
    name, title, source = "mine", "Mine", "here"
    search = {"strength": Uniform(1, 2), "kind": Choice(("a", "b", "c"))}

    @dataclass(frozen=True)
    class Parameters:
        strength: float = 1.5
        kind: str = "b"
'''


@pytest.fixture(scope="module")
def cards(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    return catalogue.read_catalogue(tmp_path_factory.mktemp("cards"))


def planned(results: Path, *words: str) -> Plan:
    typed = [*FACES, *words, "--devices", "cpu", "--precision", "fp32", "--results", str(results)]
    return make_plan(read_request(parser().read(typed)))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


def test_the_first_draws_of_a_larger_search_are_those_of_a_smaller_one(home: Path) -> None:
    words = ["--table", "tuned", "--methods", "scn", "lanet", "--seeds", "0", "--draws"]
    small, large = (planned(home, *words, draws) for draws in ("3", "9"))
    assert len(small.runs()) == 6 and len(large.runs()) == 18
    assert {run.job.id for run in small.runs()} < {run.job.id for run in large.runs()}


def test_draws_lie_in_the_declared_ranges_and_differ(cards: dict[str, dict[str, Any]]) -> None:
    for name, card in cards.items():
        draws = [draw_settings(card, DEMO, number, True) for number in range(1, 17)]
        for option, values in card["search"].items():
            key = option if option.startswith("recipe.") else f"{name}.{option}"
            drawn = [draw[key] for draw in draws]
            if values["kind"] == "Choice":
                assert set(drawn) == set(map(str, values["values"]))
                continue
            numbers = np.array(drawn, float)
            assert values["low"] <= numbers.min() and numbers.max() <= values["high"]
            assert len(set(drawn)) >= 9
            middle = (values["low"] * values["high"]) ** 0.5
            middle = middle if values["kind"] == "LogUniform" else (values["low"] + values["high"]) / 2
            assert 5 <= (numbers < middle).sum() <= 11  # spread over the range
        rates = np.array([float(draw["recipe.lr"]) for draw in draws])
        assert 6e-3 / 3 <= rates.min() < 3e-3 and 12e-3 < rates.max() <= 6e-3 * 3
        assert draw_settings(card, DEMO, 0, True) == {}


def test_ranges_are_as_they_say() -> None:
    assert [Uniform(1, 3).value(share) for share in (0, 0.5)] == [1, 2]
    assert LogUniform(1, 100).value(0.5) == 10
    assert [WholeNumber(1, 3).value(share) for share in (0, 0.34, 0.999, 1)] == [1, 2, 3, 3]
    assert [Choice(("a", "b")).value(share) for share in (0, 0.499, 0.5, 1)] == ["a", "a", "b", "b"]
    for wrong in (lambda: Uniform(2, 1), lambda: LogUniform(0, 1), lambda: Choice(("a",)), lambda: WholeNumber(2, 2)):
        with pytest.raises(ValueError, match=r"range|choice"):
            wrong()


def test_the_published_value_lies_in_every_range(cards: dict[str, dict[str, Any]]) -> None:
    for card in cards.values():
        published = published_settings(card, DEMO, False)
        for option, values in card["search"].items():
            text = published[option if option.startswith("recipe.") else f"{card['name']}.{option}"]
            if values["kind"] == "Choice":
                assert text in map(str, values["values"])
            else:
                assert values["low"] <= float(text) <= values["high"], (card["name"], option)


def test_own_options_alone_are_the_same_draws_at_the_recipes_rate(cards: dict[str, dict[str, Any]]) -> None:
    both, own = (draw_settings(cards["scn"], DEMO, 5, rate) for rate in (True, False))
    assert both.pop("recipe.lr") and both == own


def test_the_rate_of_the_heads_keeps_its_ratio_where_recipes_stay_as_published(
    cards: dict[str, dict[str, Any]],
) -> None:
    draw = draw_settings(cards["rul"], PAPER, 3, True)
    assert float(draw["recipe.head_lr"]) == pytest.approx(10 * float(draw["recipe.lr"]), rel=0.02)
    assert "recipe.head_lr" not in draw_settings(cards["rul"], DEMO, 3, True)


def test_draw_zero_is_the_job_of_the_published_table(home: Path) -> None:
    words = ["--methods", "scn", "--rates", "0.3", "--seeds", "0", "--table"]
    (published,) = planned(home, *words, "published").runs()
    first = next(run for run in planned(home, *words, "tuned", "--draws", "2").runs() if not run.job.overrides)
    (typed,) = planned(home, *words, "1", "--settings", "published").runs()
    assert published.job.id == first.job.id == typed.job.id
    (chosen,) = planned(home, *words, "1").runs()
    assert chosen.job.overrides == chosen.resolved["chosen_settings"] != {}


def test_a_method_of_ones_own_is_tuned_by_what_it_declares(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.py").write_text(OWN)
    words = ["--methods-path", str(own), "--methods", "mine", "baseline", "--seeds", "0", "--table", "tuned"]
    runs = planned(tmp_path, *words, "--draws", "5", "--tune", "own").runs()
    mine = [run.job.overrides for run in runs if run.job.method == "mine"]
    assert len(runs) == 6 and mine[0] == {} and all(1 <= float(draw["mine.strength"]) <= 2 for draw in mine[1:])


def test_a_range_of_an_option_that_a_method_lacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(OWN.replace('"strength": Uniform', '"strenth": Uniform'))
    words = ["--methods-path", str(tmp_path), "--methods", "mine", "--seeds", "0", "--table", "tuned"]
    with pytest.raises(Usage, match=r"wrong.py: Mine is no whole method: search names strenth, which is no parameter"):
        planned(tmp_path / "runs", *words)


@pytest.mark.parametrize("draws", ["0", "1025", "-1"])
def test_a_search_of_no_draws_or_too_many_is_refused(tmp_path: Path, draws: str) -> None:
    with pytest.raises(Usage, match=r"^--draws: .*; expected a number of settings, 1 to 1,024$"):
        planned(tmp_path, "--table", "tuned", "--draws", draws)


def test_held_out_images_are_neither_trained_on_nor_change_what_is(home: Path) -> None:
    plan = planned(home, "--table", "1", "--methods", "baseline", "--rates", "0.3", "--seeds", "0")
    (run,) = plan.runs()
    data = plan.data["faces"]
    found = training_set(data, run.job)
    rows = DEMO.held_out_rows(data.train.labels, len(data.classes))
    assert len(found.unused_labels) == 300 == len(rows) and not np.isin(rows, found.rows).any()
    wrong = (found.unused_labels != np.asarray(data.train.labels)[rows]).mean()
    assert 0.2 < wrong < 0.4  # they carry the same noise
    flips = found.unused_labels != np.asarray(data.train.labels)[rows]
    assert not np.array_equal(flips[:300], (found.given != found.clean)[:300])  # from a stream of its own
    assert len(training_set(data, replace(run.job, holdout=True)).unused_labels) == 0


def test_too_few_other_images_leave_the_choice_to_a_part_of_the_training_images(home: Path) -> None:
    words = ["--table", "tuned", "--methods", "baseline", "--draws", "1", "--seeds", "0", "--set"]
    assert not planned(home, *words, "faces.train=1300").runs()[0].job.holdout
    assert planned(home, *words, "faces.train=1150").runs()[0].job.holdout
    assert not SMALL.unused_images(30_000)


def test_another_subset_is_another_job_on_other_images_with_the_same_test(home: Path) -> None:
    words = ["--table", "clean", "--methods", "baseline", "--seeds", "0"]
    usual, other = planned(home, *words), planned(home, *words, "--set", "scale.subset=3")
    one, two = (training_set(plan.data["faces"], plan.runs()[0].job) for plan in (usual, other))
    assert other.runs()[0].job.scale["subset"] == 3 and "subset" not in usual.runs()[0].job.scale
    assert planned(home, *words, "--set", "scale.subset=2").runs()[0].job.id == usual.runs()[0].job.id
    assert not np.array_equal(one.rows, two.rows) and np.array_equal(one.test_rows, two.test_rows)
    with pytest.raises(Usage, match=r"^--set scale.subset=x: expected a whole number"):
        planned(home, *words, "--set", "scale.subset=x")
    with pytest.raises(Usage, match=r"^--set scale.subset=3: the paper scale trains on all images; leave it out$"):
        planned(home, *words, "--scale", "paper", "--set", "scale.subset=3")


def test_a_search_goes_on_where_it_stopped_and_a_larger_one_repeats_nothing(tmp_path: Path) -> None:
    words = [
        "--table",
        "published",
        "--methods",
        "baseline",
        "--rates",
        "0.3",
        "--seeds",
        "0",
        "--workers",
        "1",
        *FACES,
    ]
    words += ["--set", "recipe.epochs=1", "--results", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    main(words)
    (record,) = Records(tmp_path / "runs").records()
    assert 0 < record["metrics"]["held_out"] < 1
    made = json.dumps(record)
    words[1] = "tuned"
    main([*words, "--draws", "2"])
    records = {found["id"]: found for found in Records(tmp_path / "runs").records()}
    assert len(records) == 2 and json.dumps(records[record["id"]]) == made
    main([*words, "--draws", "3"])
    assert len(list(Records(tmp_path / "runs").records())) == 3


SEARCH = ["--methods", "scn", "baseline", "--tune", "own", "--seeds", "100-101", "--draws", "3"]
SCN_HELD_OUT = [[0.50, 0.52], [0.60, 0.40], [0.55, 0.53]]  # [draw][seed]
SCN_TEST = [[0.70, 0.72], [0.90, 0.80], [0.60, 0.62]]


def keep_search(results: Path, plan: Plan, leave_out: tuple[int, ...] = ()) -> None:
    """Write a record for each planned run, without those of SCN's draws that are left out."""
    arrays = {"predictions": np.zeros((1, 2), np.uint8), "test_labels": np.zeros(2, np.uint8)}
    for cell in plan.cells["table", "tuned"]:
        if cell.row.method == "scn" and cell.row.draw in leave_out:
            continue
        for at, run in enumerate(cell.runs):
            held_out, test = 0.45, 0.75
            if cell.row.method == "scn":
                held_out, test = SCN_HELD_OUT[cell.row.draw][at], SCN_TEST[cell.row.draw][at]
            run.resolved["data"]["class_names"] = ["fear", "joy"]
            metrics = {"last": test, "best": 1.0, "last5": test, "held_out": held_out}
            Store(results).write(small_record(run.job, resolved=run.resolved, metrics=metrics), dict(arrays))


def test_the_command_prints_the_choice_and_writes_what_was_tried(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, tried = Path(shutil.copytree(home, tmp_path / "runs")), tmp_path / "tried.csv"  # with its data, decoded once
    plan = planned(runs, "--table", "tuned", *SEARCH)
    words = ["tuning", *SEARCH, *FACES, "--devices", "cpu", "--precision", "fp32", "--results", str(runs)]
    assert benchmark(words) == 2
    assert "holds no run of this search; see docs/tuning.md" in capsys.readouterr().err
    keep_search(runs, plan)
    assert benchmark([*words, "--csv", str(tried)]) == 0
    scn, baseline = sorted(capsys.readouterr().out.splitlines(), key=len, reverse=True)
    settings = next(cell.row.overrides for cell in plan.cells["table", "tuned"] if cell.row.draw == 2)
    assert scn == (
        f"SCN, faces, asymmetric 0.3: draw 2, {', '.join(f'{key}={value}' for key, value in settings.items())}; held out "
        "54.0 %, mean of seeds 100-101 (draws 0-2: 51.0 50.0 54.0); test, not used in the choice: 61.0 %, draw 0: 71.0 %"
    )
    assert "Baseline, faces, asymmetric 0.3: draw 0, as published; held out 45.0 %" in baseline
    rows = list(csv.DictReader(tried.open()))
    assert len(rows) == 3 * 2 + 2 and {row["draw"] for row in rows if row["chosen"] == "yes"} == {"0", "2"}
    row = next(row for row in rows if row["method"] == "scn" and (row["draw"], row["seed"]) == ("1", "101"))
    assert (row["held_out"], row["test_not_used"], row["chosen"]) == ("0.4", "0.8", "no")
    assert row["settings"].startswith("scn.margin_2=")


def test_an_unfinished_search_says_what_is_missing(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = Path(shutil.copytree(home, tmp_path / "runs"))
    plan = planned(runs, "--table", "tuned", *SEARCH)
    words = ["tuning", *SEARCH, *FACES, "--devices", "cpu", "--precision", "fp32", "--results", str(runs)]
    keep_search(runs, plan, leave_out=(0, 1, 2))
    assert benchmark(words) == 1
    said = capsys.readouterr()
    assert "Baseline" in said.out and "SCN" not in said.out
    assert "SCN, faces, asymmetric 0.3: no run counts yet." in said.err
    assert "the search is not finished, 6 of 8 runs missing: the choice may change" in said.err
    keep_search(runs, plan, leave_out=(2,))
    assert benchmark(words) == 1
    said = capsys.readouterr()
    assert "SCN, faces, asymmetric 0.3: draw 0, as published; held out 51.0 %" in said.out  # of draws 0 and 1
    assert "2 of 3 draws count, in seeds 100-101; left out, because runs are missing: draw 2." in said.err


def test_an_option_that_the_command_does_not_know_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark(["tuning", "--drows", "3", "--results", str(tmp_path)]) == 2
    assert "unrecognized arguments: --drows" in capsys.readouterr().err


def test_a_chosen_field_of_the_recipe_is_a_setting_like_any_other(cards: dict[str, dict[str, Any]]) -> None:
    card = cards["eac"] | {"demo": {"recipe.augment.erase": [0.3, "a reason"], "lam": [1.5, "a reason"]}}

    def resolved(asked: dict[str, str], **how: bool) -> tuple[dict[str, Any], dict[str, str]]:
        return resolve_recipe({"eac": card}, "eac", asked, DEMO, "comparison", "faces", 1000, **how)

    settings, overrides = resolved({})
    assert overrides == settings["chosen_settings"] == {"recipe.augment.erase": "0.3", "eac.lam": "1.5"}
    assert settings["recipe"]["augment"]["erase"] == 0.3 and settings["parameters"]["lam"] == 1.5
    assert [note for note in settings["scale_notes"] if "a reason" in note] == [
        "EAC: recipe.augment.erase 0.3, lam 1.5 (a reason)"
    ]
    settings, overrides = resolved({"recipe.augment.erase": "0", "eac.lam": "2"})
    assert overrides == {"eac.lam": "2"} and settings["recipe"]["augment"]["erase"] == 0
    assert not any("a reason" in note for note in settings["scale_notes"])
    settings, overrides = resolved({}, published_settings=True)
    assert overrides == {} and settings["recipe"]["augment"]["erase"] == 0 and settings["parameters"]["lam"] == 5
