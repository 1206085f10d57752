"""From what is typed to the jobs that answer it: every field of a job, the order, what it costs, and what is refused."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from small_records import small_record

from benchmark.cache import decoded
from benchmark.commands.arguments import read_request
from benchmark.commands.options import parser
from benchmark.commands.run_all import main, warn_of_shared_recipe
from benchmark.commands.unused import unused_options
from benchmark.plan.experiments import Experiment, Row
from benchmark.plan.matrix import Plan, Planned, PlannedCell, make_plan
from benchmark.task import Place
from benchmark.terminal import Usage
from results.job import Job
from results.store import Store

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "performance" / "faulty"  # holds the data set 'specks': forty images in two splits


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("plan") / "runs"


def typed(home: Path, *words: str, data: str = "specks") -> list[str]:
    given = words if "--weights" in words else (*words, "--weights", "random")
    given = given if "--precision" in words else (*given, "--precision", "fp32")
    return ["--methods-path", str(OWN), "--datasets", data, "--results", str(home), "--devices", "cpu", *given]


def planned(home: Path, *words: str, data: str = "specks") -> Plan:
    return make_plan(read_request(parser().parse_args(typed(home, *words, data=data))))


def cells(plan: Plan) -> list[PlannedCell]:
    return [cell for found in plan.cells.values() for cell in found]


def jobs(plan: Plan) -> list[Job]:
    return [run.job for run in plan.runs()]


def test_every_field_of_a_run_is_what_was_typed(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_CHECKPOINT_SECONDS", "7.5")
    second = tmp_path / "second.pt"
    second.write_bytes(b"weights")
    words = ["--table", "1", "--methods", "resup", "--seeds", "3", "5", "--rates", "0.25", "--noise", "symmetric"]
    words += ["--set", "recipe.lr=0.002", "--set", "backbone.name=resnet18"]
    words += ["--precision", "bf16", "--rule", "noisy_val", "--weights2", str(second), "--per-gpu", "2", "--fast"]
    plan = planned(home, *words)
    data = plan.data["specks"]
    sha = hashlib.sha256(b"weights").hexdigest()
    first = Job(
        method="resup",
        method_version=1,
        data={"name": "specks", "fingerprint": data.fingerprint, "landmarks": None},
        noise={"kind": "symmetric", "rate": "0.25", "version": 1},
        seed=3,
        precision="bf16",
        preset="comparison",
        scale={"name": "demo", "version": plan.request.scale.version},
        weights="random",
        overrides={"recipe.optimiser.lr": "0.002", "recipe.backbone": "resnet18"},
        holdout=True,
        part="all",
        weights2=f"sha256:{sha}",
    )
    assert jobs(plan) == [first, replace(first, seed=5)]
    one = plan.runs()[0]
    place = Place(
        results=str(home),
        data=str(data.folder),
        weights=None,
        weights2=str(second),
        device="cpu",
        methods_path=(str(OWN),),
        noise_argument="",
        fast=True,
        checkpoint_seconds=7.5,
        jobs_on_gpu=2,
    )
    assert one.place == place and one.pretraining is None
    assert one.resolved["data"] == {
        "title": "Specks",
        "stored": "16 px",
        "card": data.info_hash,
        "train_images": 36,  # of 40, less a tenth that is held out
    }
    text = f"random weights; further networks: second.pt (sha256 {sha[:8]})"
    assert one.resolved["weights"] == {"text": text}
    assert one.resolved["recipe"]["optimiser"]["lr"] == 0.002 and one.resolved["recipe"]["backbone"] == "resnet18"
    assert one.resolved["method_title"] == "ReSup"


def test_checkpoint_seconds_are_thirty_unless_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--table", "clean", "--methods", "baseline", "--seeds", "0"]
    monkeypatch.delenv("FER_CHECKPOINT_SECONDS", raising=False)
    assert planned(home, *words).runs()[0].place.checkpoint_seconds == 30
    monkeypatch.setenv("FER_CHECKPOINT_SECONDS", "soon")
    with pytest.raises(Usage, match=r"^FER_CHECKPOINT_SECONDS: 'soon' is not a number of seconds$"):
        planned(home, *words)


def test_cells_stand_in_reading_order_and_runs_by_seed(home: Path) -> None:
    plan = planned(home, "--table", "1", "--methods", "rul", "baseline", "gce", "--rates", "0.1", "0.3")
    assert list(plan.cells) == [("table", "1")]
    assert [(c.row.method, c.title, c.rate) for c in cells(plan)] == [
        (method, title, rate)
        for rate in ("0.1", "0.3")
        for method, title in (("baseline", "Baseline"), ("rul", "RUL"), ("gce", "GCE"))
    ]
    assert {(c.dataset, c.noise, c.part, c.reason) for c in cells(plan)} == {("specks", "asymmetric", "table", "")}
    order = [(job.seed, job.noise["rate"], job.method) for job in jobs(plan)]
    assert order == [(s, r, m) for s in range(3) for r in ("0.1", "0.3") for m in ("baseline", "rul", "gce")]
    shards = [plan.of_shard((i, 4)) for i in range(4)]
    assert sorted(run.job.id for part in shards for run in part) == sorted(job.id for job in jobs(plan))
    assert all(int(run.job.id, 16) % 4 == i for i, part in enumerate(shards) for run in part)


def test_a_run_of_two_tables_is_made_once(home: Path) -> None:
    plan = planned(home, "--table", "1", "--table", "later", "--methods", "baseline", "--noise", "asymmetric")
    assert len(plan.cells) == 2 and [len(found) for found in plan.cells.values()] == [3, 3]
    assert len(jobs(plan)) == len({job.id for job in jobs(plan)}) == 9


def test_rates_are_those_of_the_table_and_noises_without_a_rate_have_none(home: Path) -> None:
    plan = planned(home, "--table", "1", "--methods", "baseline", "--noise", "symmetric", "none")
    assert [(c.noise, c.rate) for c in cells(plan)] == [("symmetric", r) for r in ("0.1", "0.2", "0.3")] + [
        ("none", None)
    ]
    assert {job.noise["rate"] for job in jobs(plan)} == {"0.1", "0.2", "0.3", None}
    clean = planned(home, "--table", "clean", "--methods", "baseline", "--noise", "symmetric")
    assert [c.rate for c in cells(clean)] == ["0.1", "0.2", "0.3"]


def test_floor_and_ceiling_stand_below_a_table_and_not_below_a_figure(home: Path) -> None:
    plan = planned(home, "--table", "1", "--methods", "gce", "--rates", "0.2", "--floor", "--seeds", "0")
    assert [(c.part, c.row.method, c.title, c.noise, c.rate) for c in cells(plan)] == [
        ("table", "gce", "GCE", "asymmetric", "0.2"),
        ("correct", "baseline", "Baseline, correct labels only", "asymmetric", "0.2"),
        ("clean", "baseline", "Baseline, clean labels", "none", None),
    ]
    assert [job.part for job in jobs(plan)] == ["all", "correct", "all"]
    assert [c.part for c in cells(planned(home, "--table", "clean", "--methods", "gce", "--floor"))] == [
        "table",
        "correct",
        "clean",
    ]


def test_a_further_method_goes_below_the_rows_of_a_table_under_its_recipe(home: Path) -> None:
    words = ["--methods", "scn", "gce", "--rates", "0.1", "--seeds", "0", "--settings", "published"]
    plan = planned(home, "--table", "matched", *words)
    scn, gce = cells(plan)
    assert (scn.title, gce.title) == ("SCN (LA-Net's recipe)", "GCE (LA-Net's recipe)")
    assert gce.runs[0].job.overrides == {"recipe.like": "lanet"} == scn.runs[0].job.overrides
    assert planned(home, "--table", "matched", "--methods", "scn", "--rates", "0.1").cells["table", "matched"]
    with pytest.raises(Usage, match=r"^--methods: figure 2 has rows of lanet only$"):
        planned(home, "--figure", "2", "--methods", "baseline")
    both = planned(home, "--figure", "2", "--table", "clean", "--methods", "baseline")
    assert [len(found) for found in both.cells.values()] == [1, 0]


def test_a_method_that_is_asked_for_has_a_row_or_is_said_to_have_none(home: Path) -> None:
    words = ["--rates", "0.1", "--seeds", "0", "--table"]
    general = planned(home, *words, "general", "--methods", "scn", "gce")
    assert {cell.row.method for cell in cells(general)} == {"scn", "gce"}
    said = unused_of(typed(home, *words, "matched", "--methods", "baseline", "scn"))
    assert "--methods baseline: no table or figure here has a row for it; it changes nothing here" in said


def unused_of(words: list[str]) -> list[str]:
    args = parser().read(words)
    return unused_options(args, make_plan(read_request(args)))


SEARCHING = "only a search uses it (table tuned, figure budget, figure sensitivity)"
NO_CHOICE = "no row takes settings chosen for the demo scale"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--table 1 --methods scn --draws 16 --tune own", {"--draws": SEARCHING, "--tune": SEARCHING}),
        ("--table 1 --methods scn --tune=all", {"--tune": SEARCHING}),
        ("--table tuned --methods scn --draws 3 --tune own", {}),
        ("--figure budget --table 1 --methods scn --draws 3", {}),
        (
            "--table tuned --methods baseline --draws 3 --tune own",
            {"--draws": "these methods have nothing of their own"},
        ),
        ("--table tuned --methods baseline --draws 3", {}),
        ("--table 1 --methods scn --settings published", {}),
        ("--table 1 --methods baseline --settings published", {"--settings": NO_CHOICE}),
        ("--table published --methods scn --settings chosen", {"--settings": NO_CHOICE}),
        ("--table tuned --methods scn --settings published", {"--settings": NO_CHOICE}),
        (
            "--table 1 --methods scn --scale paper --settings published",
            {"--settings": "no row takes settings chosen for"},
        ),
        ("--table 1 --methods scn", {}),
        (
            "--table 1 --methods scn --set scale.subset=3",
            {"--set scale.subset=3": "specks has no more images than the"},
        ),
    ],
)
def test_an_option_of_searches_and_settings_that_changes_nothing_is_said(home: Path, words: str, said: dict) -> None:
    lines = unused_of(typed(home, *words.split(), "--rates", "0.1", "--seeds", "0"))
    assert len(lines) == len(said)
    for line, (option, reason) in zip(lines, said.items()):
        assert line.startswith(f"{option}: {reason}") and line.endswith("; it changes nothing here")


def test_a_subset_that_is_another_one_is_not_called_unused(home: Path) -> None:
    few = ["--set", "faces.train=1001", "--set", "faces.test=100", "--set", "scale.subset=3"]
    words = ["--table", "1", "--methods", "baseline", "--rates", "0.1", "--seeds", "0", *few]
    assert unused_of(typed(home, *words, data="faces")) == []


def test_data_without_votes_have_an_empty_cell_unless_votes_are_asked_for(home: Path) -> None:
    plan = planned(home, "--table", "2", "--methods", "baseline")
    assert [(c.noise, c.reason, len(c.runs)) for c in cells(plan)] == [("none", "", 3), ("votes", "no votes", 0)]
    with pytest.raises(
        Usage, match=r"^--noise votes: specks has no votes; use a data set with votes \(faces, ferplus\)$"
    ):
        planned(home, "--table", "2", "--methods", "baseline", "--noise", "votes")


def test_a_method_that_needs_landmarks_says_how_to_get_them(home: Path) -> None:
    with pytest.raises(
        Usage, match=r"^lanet: specks has no landmarks; run python -m benchmark landmarks specks --data"
    ):
        planned(home, "--table", "1", "--methods", "lanet")


def test_a_noise_that_cannot_be_drawn_is_refused_before_training(home: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text("somebody happiness\n")
    with pytest.raises(Usage, match=r"^--noise: "):
        planned(home, "--table", "1", "--methods", "baseline", "--noise", f"file:{listed}")
    with pytest.raises(Usage, match=r"^--noise: .*symetric.*symmetric"):
        planned(home, "--table", "1", "--methods", "baseline", "--noise", "symetric")


def test_where_only_drawing_is_asked_for_every_measured_seed_counts(home: Path) -> None:
    words = ["--table", "clean", "--methods", "baseline", "--draw"]
    assert [job.seed for job in jobs(planned(home, *words))] == [0, 1, 2]
    (late,) = jobs(planned(home, *words, "--seeds", "17"))
    path = Store(home).path(late.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}")
    assert [job.seed for job in jobs(planned(home, *words))] == [0, 1, 2, 17]
    assert [job.seed for job in jobs(planned(home, *words, "--seeds", "17", "18"))] == [17, 18]
    assert [job.seed for job in jobs(planned(home, *words[:-1]))] == [0, 1, 2]
    path.unlink()


OTHER = """
import numpy as np
from dataclasses import dataclass
from benchmark.datasets.base import DataError, DataSet, Rows, Source

class Elsewhere(DataSet):
    name, title, size, channels, needs_path = "elsewhere", "Elsewhere", 8, 1, True

    @dataclass(frozen=True)
    class Options:
        shade: int = 1

    def stamp(self, path, options):
        return []

    def read(self, path, options):
        if path is None and self.needs_path:
            raise DataError("elsewhere: read from nowhere")
        rows = [Rows([f"{s}{i}" for i in range(4)], np.arange(4) % 2,
                     lambda r, s=s: np.full((8, 8), options.shade + 9 * r + s, np.uint8)) for s in (0, 100)]
        return Source(("anger", "fear"), *rows)
"""


def test_data_that_lie_nowhere_are_drawn_as_the_results_describe_them(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "elsewhere.py").write_text(OTHER)
    (tmp_path / "pictures").mkdir()

    def plan(results: str, *words: str) -> Plan:
        given = ["--methods-path", str(tmp_path / "own"), "--results", str(tmp_path / results), "--weights", "random"]
        what = ["--table", "clean", "--methods", "baseline", "--devices", "cpu"]
        return make_plan(read_request(parser().parse_args([*given, *what, *words])))

    here = ["--data", f"elsewhere={tmp_path / 'pictures'}"]
    made = plan("runs", *here)
    decoded.write_description(made.data["elsewhere"].folder, tmp_path / "kept" / "data")
    drawn = plan("kept", "--draw", "--datasets", "elsewhere")
    assert drawn.data["elsewhere"].lacks_images and [j.id for j in jobs(drawn)] == [j.id for j in jobs(made)]
    hint = (
        "--datasets: elsewhere is not embedded; give --data elsewhere=PATH, or set FER_DATA to a folder that holds "
        "elsewhere/"
    )
    for words in (["--datasets", "elsewhere"], ["--datasets", "elsewhere", "--draw", "--set", "elsewhere.shade=2"]):
        with pytest.raises(Usage) as refused:
            plan("kept", *words)
        assert str(refused.value) == hint
    other = plan("runs", *here, "--set", "elsewhere.shade=2")
    decoded.write_description(other.data["elsewhere"].folder, tmp_path / "kept" / "data")
    assert jobs(plan("kept", "--draw", "--datasets", "elsewhere", "--set", "elsewhere.shade=2")) == jobs(other)
    with pytest.raises(Usage, match=r"^--datasets: elsewhere is not embedded"):
        plan("empty", "--draw", "--datasets", "elsewhere")
    listed = tmp_path / "list.txt"
    listed.write_text("00 anger\n01 anger\n02 anger\n03 fear\n")
    (run, *_) = plan("runs", *here, "--noise", f"file:{listed}").runs()
    assert run.place.noise_argument == str(listed) and run.job.noise["kind"].startswith("file:")
    assert run.job.noise["rate"] is None and str(listed) not in json.dumps(run.job.spec)


def finished(store: Store, run: Planned, seconds: float, memory: int, device: str = "cpu") -> None:
    """A record of a run that is planned, with what it took."""
    resolved = run.resolved | {"data": run.resolved["data"] | {"class_names": []}}
    taken = {"times": {"total": seconds}, "peak_memory": memory, "provenance": {"device": device}}
    store.write(small_record(run.job, resolved=resolved, **taken), {})


def shown(capsys: pytest.CaptureFixture, words: list[str]) -> list[str]:
    capsys.readouterr()
    assert main([*words, "--plan"]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_plan_says_what_is_done_and_what_the_rest_will_take(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["--table", "1", "--methods", "baseline", "eac", "gce", "--rates", "0.1", "--seeds", "0", "1"]
    runs = planned(tmp_path, *words).runs()
    # A guess: 15 s for a baseline of 18 epochs on 1,000 images, here 40; EAC is twice that, others one and a half times.
    lines = shown(capsys, typed(tmp_path, *words))
    assert lines[:6] == [f"{run.job.id}  to run  {run.job.text}" for run in runs]
    assert lines[6:] == [
        "6 jobs at demo scale, 0 done, 6 to run",
        "expected: 5 s of one worker in all, the longest job 1 s (0 of 6 from measured runs, the rest a rough guess)",
        "disk: about 0.2 MB of records; memory: at most 0.7 GB a job",
    ]
    store = Store(tmp_path)
    for run, seconds, memory in ((runs[0], 100.0, 3 * 10**9), (runs[1], 40.0, 10**9)):
        finished(store, run, seconds, memory)
    lines = shown(capsys, typed(tmp_path, *words))
    assert [line.split()[1] for line in lines[:2]] == ["done", "done"] and lines[0].split()[2] == "baseline"
    assert lines[6:8] == [
        "6 jobs at demo scale, 2 done, 4 to run",
        "expected: 2:22 of one worker in all, the longest job 1:40 (2 of 4 from measured runs, the rest a rough guess)",
    ]
    assert lines[8].endswith("memory: at most 3.0 GB a job")
    lines = shown(capsys, typed(tmp_path, *words, "--shard", "0/2"))
    half = [run for run in runs if int(run.job.id, 16) % 2 == 0]
    assert [line.split()[0] for line in lines[: len(half)]] == [run.job.id for run in half]
    assert lines[len(half)].startswith(f"{len(half)} jobs at demo scale")
    lines = shown(capsys, typed(tmp_path, *words, "--shard", f"{int(runs[0].job.id, 16) % 997}/997"))
    assert lines[1] == "1 job at demo scale, 1 done, 0 to run"


def test_the_mean_of_finished_runs_is_expected_and_their_largest_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = ["--table", "1", "--methods", "baseline", "--rates", "0.1", "--seeds", "0-4"]
    runs, store = planned(tmp_path, *words).runs(), Store(tmp_path)
    finished(store, runs[0], 60.0, 10**9)
    finished(store, runs[1], 180.0, 5 * 10**9)
    lines = shown(capsys, typed(tmp_path, *words))
    assert "expected: 6:00 of one worker in all, the longest job 2:00 (3 of 3 from measured" in lines[6]
    size = sum(p.stat().st_size for run in runs[:2] for p in store.path(run.job.id).parent.glob(f"{run.job.id}*")) / 2
    assert lines[7] == f"disk: about {3 * size / 1e6:.1f} MB of records; memory: at most 5.0 GB a job"
    finished(store, runs[2], 1.0, 10**9, device="cuda")  # which says nothing of the two that are left
    assert (
        "expected: 4:00 of one worker in all, the longest job 2:00 (2 of 2" in shown(capsys, typed(tmp_path, *words))[6]
    )
    other_precision = {"fp32": "bf16", "bf16": "fp32"}[runs[0].job.precision]
    in_others = shown(capsys, typed(tmp_path, *words, "--precision", other_precision))
    assert "(0 of 5 from measured runs" in in_others[6]


def test_forty_jobs_are_listed_and_the_others_counted(home: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["--table", "clean", "--methods", "baseline", "--seeds"]
    lines = shown(capsys, typed(home, *words, "0-39"))
    assert lines[40].startswith("40 jobs") and lines[39].endswith("seed 39")
    lines = shown(capsys, typed(home, *words, "0-41"))
    assert lines[40] == "... and 2 more" and lines[41].startswith("42 jobs")


def test_a_row_of_a_table_of_ones_own_that_names_no_method_is_refused(home: Path) -> None:
    request = read_request(parser().parse_args(typed(home, "--table", "clean")))
    own = Experiment("table", "mine", "My table", {"none": ()}, (Row("baseline"), Row("my_gce")))
    with pytest.raises(
        Usage, match=r"^--table mine: there is no method 'my_gce' .*Known: baseline, .* defines .*specks"
    ):
        make_plan(replace(request, experiments=(own,)))


def test_start_weights_to_be_made_are_said_once(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    small = ["--set", "faces.train=100", "--set", "faces.test=100", "--weights", "landmarks"]
    words = typed(tmp_path, "--table", "clean", "--methods", "baseline", "gce", *small, "--seeds", "0", data="faces")
    plan = make_plan(read_request(parser().parse_args(words)))
    one, two = plan.runs()
    how = one.pretraining
    assert how == two.pretraining and one.job.weights == two.job.weights
    kind, _, key = one.job.weights.partition(":")
    path = str(tmp_path / "weights" / f"{key}.pt")
    assert kind == "landmarks" and len(key) == 16 and one.place.weights == path
    assert how == {
        "folder": str(plan.data["faces"].folder),
        "path": path,
        "backbone": "resnet10_w16",
        "scale": "demo",
        "subset": 2,
        "device": "cpu",
        "precision": "fp32",
    }
    text = f"label-free pre-training on the landmarks of its own training images ({key[:8]})"
    assert one.resolved["weights"] == {"text": text}
    assert f"start weights: 1 to be made first ({path})" in shown(capsys, words)
    for more in (["--precision", "bf16"], ["--scale", "small"], ["--set", "recipe.backbone=resnet18"]):
        other = make_plan(read_request(parser().parse_args([*words, *more]))).runs()[0].job.weights
        assert other.startswith("landmarks:") and other != one.job.weights
    Path(path).parent.mkdir()
    Path(path).write_bytes(b"")
    assert not any(line.startswith("start weights") for line in shown(capsys, words))


def test_without_landmarks_a_backbone_starts_from_random_weights_unless_they_are_asked_for(tmp_path: Path) -> None:
    words = ["--methods-path", str(OWN), "--datasets", "specks", "--results", str(tmp_path), "--devices", "cpu"]
    words += ["--table", "clean", "--methods", "baseline", "--seeds", "0"]
    (job,) = jobs(make_plan(read_request(parser().parse_args(words))))
    assert job.weights == "random"
    with pytest.raises(Usage) as refused:
        make_plan(read_request(parser().parse_args([*words, "--weights", "landmarks"])))
    assert str(refused.value) == (
        "--weights landmarks: specks has no landmarks; run python -m benchmark landmarks specks --data specks=PATH"
    )


def test_start_weights_from_a_file_are_named_by_their_content(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "mine.pt"
    path.write_bytes(b"some weights")
    sha = hashlib.sha256(b"some weights").hexdigest()
    words = ["--table", "clean", "--methods", "resup", "--seeds", "0", "--weights", str(path)]
    (run,) = planned(home, *words).runs()
    assert run.job.weights == f"sha256:{sha}" and run.job.weights2 is None and run.place.weights == str(path)
    assert run.resolved["weights"] == {"text": f"mine.pt (sha256 {sha[:8]})"} and run.pretraining is None
    (run,) = planned(home, *words, "--weights2", "random").runs()
    assert run.job.weights2 == "random" and run.place.weights2 is None
    assert run.resolved["weights"]["text"] == f"mine.pt (sha256 {sha[:8]}); further networks: random weights"
    (run,) = planned(home, *words[:2], "--methods", "gce", *words[4:], "--weights2", "random").runs()
    assert run.job.weights2 is None  # one network only
    for option, text in (
        ("--weights", "a checkpoint, 'landmarks', 'imagenet' or 'random'"),
        ("--weights2", "a checkpoint or "),
    ):
        with pytest.raises(Usage, match=f"^{option} /nowhere.pt: No such file or directory; give {text}"):
            planned(home, *words, option, "/nowhere.pt")
    with pytest.raises(Usage, match=r"--weights imagenet --set backbone.name=timm/vit_b\)"):
        planned(home, *words, "--weights", "timm/vit_b")


def test_hours_at_paper_scale_are_told(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["--table", "1", "--methods", "baseline", "eac", "--rates", "0.1", "--scale", "paper", "--seeds"]
    # A baseline of 60 epochs on 12,271 images: 40,000 s; of 80 on 40 images 174 s, and EAC twice that.
    epochs = {m: planned(tmp_path, *words, "0").runs()[i].resolved["recipe"]["epochs"] for i, m in enumerate("be")}
    one = 40_000 * 40 / 12_271 / 60
    each = one * epochs["b"] + 2 * one * epochs["e"]
    enough, fewer = -(-7201 // each), 7200 // each
    assert enough == fewer + 1
    lines = shown(capsys, typed(tmp_path, *words, f"0-{int(fewer) - 1}"))
    assert not any(line.startswith("note: ") for line in lines)
    (note,) = [x for x in shown(capsys, typed(tmp_path, *words, f"0-{int(enough) - 1}")) if x.startswith("note: ")]
    hours, small = spelled(each * enough), spelled(enough * 3 * 2200 * 40 / 12_271)
    assert note == (
        f"note: {2 * enough:.0f} jobs at paper scale take about {hours}; --scale small (all images, 64 px, one shortened "
        f"recipe) about {small}"
    )


def spelled(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
    return f"{whole // 60}:{whole % 60:02}"


SETS: list[tuple[str, Any]] = [
    ("recipe.drop_last=yes", {"recipe.drop_last": "true"}),
    ("recipe.drop_last=0", {}),
    ("recipe.epochs=19", {"recipe.epochs": "19"}),
    ("recipe.weight_decay=1e-4", {"recipe.optimiser.weight_decay": "0.0001"}),
    ("recipe.head_lr=0.5", {"recipe.optimiser.head_lr": "0.5"}),
    ("recipe.head_lr=none", {}),
    ("recipe.head_lr=1-2", "recipe.head_lr=1-2: expected one number, numbers between commas, or a word (default None)"),
    ("recipe.augment.crop=0.5,1", {"recipe.augment.crop": "0.5,1"}),
    ("recipe.augment.crop=none", {"recipe.augment.crop": "None"}),
    ("recipe.augment.resize=nearest", {"recipe.augment.resize": "nearest"}),
    ("scn.relabel_group=low", {"scn.relabel_group": "low"}),
    ("scn.gamma=2", {"scn.gamma": "2"}),
    ("scn.gamma=1E1", {"scn.gamma": "10"}),
    ("scn.gamma=none", {}),
    ("recipe.epochs=1", {"recipe.epochs": "1"}),
    ("recipe.batch_size=2", {"recipe.batch_size": "2"}),
    ("scn.backbone=resnet18", {"recipe.backbone": "resnet18"}),
    ("backbone.name=resnet18", {"recipe.backbone": "resnet18"}),
    ("rul.clamp=1", {}),  # another method's
    ("specks.x=1", "option of specks"),
    ("recipe.drop_last=perhaps", "recipe.drop_last=perhaps: expected true or false (default False)"),
    ("recipe.epochs=1.5", "recipe.epochs=1.5: expected one whole number (default 18)"),
    ("recipe.epochs=1,000", "recipe.epochs=1,000: expected one whole number (default 18)"),
    ("scn.beta=much", "scn.beta=much: expected one number, its decimals behind a point as in 0.5 (default 0.7)"),
    ("scn.margin_2=0,3", "scn.margin_2=0,3: expected one number, its decimals behind a point as in 0.5 (default "),
    ("scn.gamma=0,3", "scn.gamma=0,3: expected one number, its decimals behind a point as in 0.5 (default None)"),
    ("scn.gamma=0.3x", "scn.gamma=0.3x: expected one number"),
    ("recipe.lr=0,001", "recipe.lr=0,001: expected one number, its decimals behind a point as in 0.5 (default 0.006)"),
    ("recipe.lr=inf", "recipe.lr=inf: expected one number"),
    ("recipe.augment.crop=a,b", "recipe.augment.crop=a,b: expected numbers between commas, their decimals behind a "),
    ("scn.beta=", "--set scn.beta=: there is no value behind '='; give one, or leave it out"),
    ("recipe.epochs=100001", "--set recipe.epochs=100001: expected 1 to 100,000"),
    ("recipe.batch_size=1", "--set recipe.batch_size=1: expected 2 to 100,000"),
    ("recipe.optimizer.lr=1", "there is no recipe field 'optimizer.lr' (did you mean 'optimiser.lr'?)"),
    ("recipe.optimiser.kind=SGD", "there is no recipe field 'optimiser.kind'"),
    ("recipe.optimiser=SGD", "there is no recipe field 'optimiser'"),
    (
        "recipe.schedule=Cosine",
        "schedule.warm. Another kind of schedule is written in a method's file and counts at --sc",
    ),
    ("scm.beta=1", "there is no method, data set, 'recipe', 'backbone' or 'scale' 'scm' (did you mean 'scn'?)"),
    ("scn.bta=1", "--set scn.bta=1: there is no parameter of scn 'bta' (did you mean 'beta'?)"),
    ("scn.epochs=9", "relabel_epoch, relabel_group. A field of the recipe is --set recipe.epochs."),
    ("scn.recipe.schedule.warm=1", "relabel_group. A field of the recipe is --set recipe.schedule.warm."),
    ("scn.beta", "--set scn.beta: expected NAME.option=value, for example lanet.confidence=0.8"),
    ("scn=0.5", "--set scn=0.5: expected NAME.option=value"),
]


OPTIONS = """
from dataclasses import dataclass

from methods.baseline import Baseline


class Mine(Baseline):
    name, title = "mine", "Mine"

    @dataclass(frozen=True)
    class Parameters:
        weight: float = 1
        bound: float | None = None
        classes: int | None = None
        limits: tuple[float, float] | None = None
"""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("weight=0.5", 0.5),
        ("weight=0", 0.0),
        ("bound=0", 0.0),
        ("bound=0.25", 0.25),
        ("classes=0", 0),
        ("limits=0.5,1", [0.5, 1.0]),
        ("weight=0,5", None),
        ("bound=0,5", None),
        ("classes=2.5", None),
    ],
)
def test_an_annotation_says_what_may_stand_where_the_default_does_not(
    home: Path, tmp_path: Path, text: str, value: Any
) -> None:
    (tmp_path / "mine.py").write_text(OPTIONS)
    words = ["--table", "clean", "--methods", "mine", "--seeds", "0", "--methods-path", str(tmp_path)]
    name = text.partition("=")[0]
    if value is None:
        with pytest.raises(Usage, match=f"--set mine.{text}: expected one "):
            planned(home, *words, "--set", f"mine.{text}")
    else:
        (run,) = planned(home, *words, "--set", f"mine.{text}").runs()
        assert run.resolved["parameters"][name] == value and f"mine.{name}" in run.job.overrides


def test_a_schedule_of_ones_own_that_the_scale_replaces_is_said(home: Path, tmp_path: Path) -> None:
    own = OPTIONS.replace("class Mine", "RECIPE = replace(Baseline.recipe, epochs=7)\n\n\nclass Mine").replace(
        'name, title = "mine", "Mine"', 'name, title = "mine", "Mine"\n    recipe = RECIPE'
    )
    (tmp_path / "mine.py").write_text(own.replace("import dataclass", "import dataclass, replace"))
    words = ["--table", "clean", "--methods", "baseline", "scn", "mine", "--methods-path", str(tmp_path)]
    (line,) = warn_of_shared_recipe(planned(home, *words))
    assert line.startswith(
        "mine: at demo scale one recipe holds for every method; its own epochs count at --scale paper"
    )
    (tmp_path / "mine.py").write_text(OPTIONS)
    assert warn_of_shared_recipe(planned(home, *words)) == []


def test_a_range_of_seeds_has_both_of_its_ends(home: Path) -> None:
    words = ["--table", "clean", "--methods", "baseline", "--seeds"]
    assert [job.seed for job in jobs(planned(home, *words, "0-4"))] == [0, 1, 2, 3, 4]
    assert [job.seed for job in jobs(planned(home, *words, "7", "2-3", "3"))] == [2, 3, 7]
    assert [job.seed for job in jobs(planned(home, *words, "0-0"))] == [0]


@pytest.mark.parametrize(("text", "expected"), SETS, ids=[text for text, _ in SETS])
def test_a_set_option_changes_the_job_by_its_one_spelling_or_is_refused(home: Path, text: str, expected: Any) -> None:
    words = ["--table", "clean", "--methods", "scn", "--seeds", "0", "--settings", "published", "--set", text]
    if isinstance(expected, str):
        with pytest.raises(Usage) as refused:
            planned(home, *words)
        assert expected in str(refused.value)
    else:
        (job,) = jobs(planned(home, *words))
        assert job.overrides == expected
