"""The door: a tiny real matrix from arguments to a table, resumed, drawn again, and every way to mistype it."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmark.commands.arguments import read_request
from benchmark.commands.named_data import given_data
from benchmark.commands.options import parser
from benchmark.commands.run_all import main
from benchmark.launch.run import repeat_command
from benchmark.plan.matrix import make_plan
from results.job import Job

ROOT = Path(__file__).resolve().parent.parent
SMALL = ["--set", "faces.train=1200", "--set", "faces.test=300"]  # drawn in seconds
SHORT = ["--set", "recipe.epochs=2", "--weights", "random", *SMALL]


def run_all(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "run_all.py"), *arguments]
    clean = {key: value for key, value in os.environ.items() if key != "FER_DATA"}
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=clean | environment, timeout=280)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder that holds the decoded faces, so that they are drawn once for all tests."""
    return tmp_path_factory.mktemp("shared") / "runs"


def records(results: Path) -> dict[str, dict]:
    return {path.stem: json.loads(path.read_text()) for path in results.glob("??/*.json") if len(path.stem) == 20}


def without_times(record: dict) -> dict:
    return {key: record[key] for key in ("spec", "resolved", "noise", "metrics", "history", "arrays")}


def baseline(shared: Path, *more: str) -> list[str]:
    return ["--table", "1", "--methods", "baseline", *SHORT, "--results", str(shared), *more]


def test_a_tiny_matrix_ends_in_a_table_and_the_second_call_trains_nothing(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = baseline(shared, "--rates", "0.1", "0.3", "--seeds", "0", "1", "--out", str(out))
    first = run_all(*arguments)
    assert first.returncode == 0, first.stderr
    made = records(shared)
    assert len(made) >= 4
    for record in made.values():
        assert record["status"] == "ok" and len(record["history"]["test_accuracy"]) == 2
        assert 0 < record["metrics"]["last"] < 1
        assert abs(record["noise"]["realised"] - record["noise"]["nominal"]) < 0.05
    for suffix in ("md", "tex", "csv", "html"):
        assert "Baseline" in (out / f"table1.{suffix}").read_text()
    again = run_all(*arguments)
    assert again.returncode == 0 and records(shared) == made
    assert (out / "table1.md").read_text() in again.stdout or "Baseline" in again.stdout


@pytest.mark.slow
def test_the_figure_of_mechanisms_takes_the_runs_of_table_1_and_any_method(shared: Path, tmp_path: Path) -> None:
    arguments = ["--methods", "scn", "sop", *SHORT, "--rates", "0.3", "--seeds", "0", "--results", str(shared)]
    arguments += ["--set", "scn.relabel_epoch=70", "--set", "scn.margin_2=1", "--out", str(tmp_path)]
    first = run_all("--figure", "mechanisms", *arguments)
    assert first.returncode == 0, first.stderr
    rows = (tmp_path / "figure_mechanisms.csv").read_text().splitlines()[1:]
    assert [(row.split(",")[0], row.split(",")[5]) for row in rows] == [
        *[("scn", "relabelled_so_far")] * 3,
        *[("scn", "relabelled_right")] * 3,
        *[("sop", "noise at the given class")] * 3,
    ]
    none = run_all("--figure", "mechanisms", "--methods", "baseline", "gce", *SMALL, "--results", str(shared))
    assert none.returncode == 2 and "none of these has a curve to draw" in none.stderr
    table = run_all("--table", "1", *arguments, "--draw")
    assert table.returncode == 0, table.stderr
    assert (
        "SCN: images relabelled so far 0.0 % on" in table.stdout and "so it trained on the given labels" in table.stdout
    )


def test_drawing_imports_no_torch(shared: Path, tmp_path: Path) -> None:
    arguments = baseline(shared, "--rates", "0.1", "--seeds", "0", "--draw", "--out", str(tmp_path))
    code = (
        "import sys; from benchmark.commands.run_all import main; status = main(sys.argv[1:]);"
        "assert not {'torch', 'torchvision'} & set(sys.modules), 'imported'; sys.exit(status)"
    )
    assert run_all(*baseline(shared, "--rates", "0.1", "--seeds", "0", "--out", str(tmp_path))).returncode == 0
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=60
    )
    assert done.returncode == 0, done.stderr


def test_the_same_job_gives_the_same_bits_with_one_and_two_workers(shared: Path, tmp_path: Path) -> None:
    made = {}
    for workers in ("1", "2"):
        results = tmp_path / workers
        results.mkdir()
        (results / "data").symlink_to(shared / "data") if (shared / "data").exists() else None
        done = run_all(
            *baseline(results, "--rates", "0.3", "--seeds", "0", "1", "--workers", workers, "--out", str(tmp_path))
        )
        assert done.returncode == 0, done.stderr
        made[workers] = {key: without_times(record) for key, record in records(results).items()}
    assert made["1"] == made["2"] and len(made["1"]) == 2


@pytest.mark.slow
@pytest.mark.parametrize("method", ["baseline", "scn", "lanet"])
def test_a_killed_run_goes_on_to_the_same_bits(shared: Path, tmp_path: Path, method: str) -> None:
    arguments = ["--table", "1", "--methods", method, "--rates", "0.3", "--seeds", "0", "--set", "recipe.epochs=4"]
    arguments += ["--weights", "random", "--out", str(tmp_path), *SMALL]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for results in (whole, killed):
        results.mkdir()
        (results / "data").symlink_to(shared / "data") if (shared / "data").exists() else None
    assert run_all(*arguments, "--results", str(whole)).returncode == 0
    environment = os.environ | {"FER_CHECKPOINT_SECONDS": "0"}
    command = [sys.executable, str(ROOT / "run_all.py"), *arguments, "--results", str(killed)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(killed.glob("checkpoints/*.pt")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(killed.glob("checkpoints/*.pt")) and not records(killed)
    assert run_all(*arguments, "--results", str(killed)).returncode == 0
    one, two = records(whole), records(killed)
    assert {key: without_times(r) for key, r in one.items()} == {key: without_times(r) for key, r in two.items()}
    assert not list(killed.glob("checkpoints/*"))


def test_no_child_outlives_a_killed_launcher(shared: Path, tmp_path: Path) -> None:
    results = tmp_path / "runs"
    results.mkdir()
    (results / "data").symlink_to(shared / "data") if (shared / "data").exists() else None
    arguments = ["--table", "1", "--methods", "baseline", "--weights", "random", *SMALL, "--results", str(results)]
    process = subprocess.Popen([sys.executable, str(ROOT / "run_all.py"), *arguments], cwd=ROOT, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(results.glob("logs/*.log")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(2)
    mark = str(results).encode()
    alive = [
        p for p in Path("/proc").glob("[0-9]*") if mark in read_quietly(p / "cmdline") + read_quietly(p / "environ")
    ]
    logs = {path: path.stat().st_size for path in results.glob("logs/*")}
    time.sleep(0.5)
    assert not alive and logs == {path: path.stat().st_size for path in results.glob("logs/*")}
    assert not records(results)


def read_quietly(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--table", "7"], "there is no table '7'"),
        (["--table", "clear"], "did you mean 'clean'"),
        (["--tabel", "1"], "--tabel"),
        (["--table", "1", "--methods", "lanett"], "did you mean 'lanet'?"),
        (["--table", "1", "--datasets", "ferpluss"], "did you mean 'ferplus'?"),
        (["--table", "1", "--datasets", "ferplus"], "--data ferplus=PATH"),
        (["--table", "1", "--data", "ferplus=/nowhere"], "/nowhere does not exist"),
        (["--table", "1", "--data", "ferplus"], "expected NAME=PATH"),
        (["--table", "1", "--seeds", "three"], "--seeds: 'three'"),
        (["--table", "1", "--seeds", "4-0"], "no range"),
        (["--table", "1", "--rates", "10"], "0.1 is 10 %"),
        (
            ["--table", "1", "--rates", "0,3"],
            "--rates: '0,3': expected a share from 0 to 1, its decimals behind a point",
        ),
        (["--table", "1", "--rates", "0_1"], "--rates: '0_1': expected a share from 0 to 1"),
        (["--table", "1", "--set", "recipe.epochs=1_0"], "recipe.epochs=1_0: expected one whole number"),
        (["--table", "1", "--set", "recipe.lr=1_0"], "recipe.lr=1_0: expected one number"),
        (["--table", "tuned", "--draws", "1e3"], "--draws: '1e3'; expected one whole number"),
        (["--table", "1", "--limit", "0,5"], "'0,5': expected one number, its decimals behind a point as in 0.5"),
        (["--table", "1", "--methods", "gce", "--set", "gce.q=0.5,0.9"], "gce.q=0.5,0.9: expected one number"),
        (["--table", "1", "--set", "lanet.confidense=0.8"], "did you mean 'confidence'"),
        (["--table", "1", "--set", "lanet=0.8"], "expected NAME.option=value"),
        (["--table", "1", "--set", "scn.beta=3", "--seeds", "99"], "scn.beta: 3.0, expected 0 to 1"),
        (["--table", "1", "--set", "faces.colour=1"], "option of faces"),
        (["--table", "1", "--noise", "symetric"], "symmetric"),
        (["--table", "1", "--noise", "file:/nowhere"], "/nowhere"),
        (["--table", "1", "--weights", "/nowhere.pth"], "/nowhere.pth"),
        (["--table", "1", "--weights", "Random"], "did you mean 'random'?"),
        (["--table", "1", "--weights", "https://a.example/r18.pth"], "nothing is downloaded here"),
        (["--table", "1", "--weights", "a\0b"], "--weights a?b: embedded null byte"),
        (["--table", "1", "--shard", "3/3"], "I from 0 to N-1"),
        (["--table", "1", "--devices", "gpu"], "expected cpu, cuda"),
        (["--table", "1", "--workers", "0"], "--workers"),
        (["--table", "1", "--workers", "\u00b2"], "--workers"),
        (["--table", "1", "--limit", "inf"], "--limit"),
        (["--table", "1", "--per-gpu", "0"], "--per-gpu"),
        (["--table", "1", "--preset", "as_published"], "add --scale paper"),
        (["--table", "matched", "--methods", "baseline"], "has rows of"),
        (["--table", "1", "--out", "/dev/null/x"], "--out"),
        (["--table", "2", "--study", "/nowhere.csv"], "/nowhere.csv"),
        (["--table", "1", "--methods", "scn", "--set", "lanet.foo=1"], "parameter of lanet"),
        (["--table", "1", "--set", "ferplus.foo=1"], "option of ferplus"),
        (["--table", "1", "--set", "recipe.backbone=resnet99"], "did you mean 'resnet50'?"),
        (["--table", "1", "--set", "recipe.schedule.kind=Foo"], "no recipe field 'schedule.kind'"),
        (["--table", "1", "--set", "recipe.schedule=cosine"], "did you mean 'schedule.warm'?"),
        (["--table", "1", "--rate", "0.3"], "did you mean --rates?"),
        (["--table", "1", "--epochs", "3"], "--help lists the options"),
        (["--table", "1", "--set", "recipe.lr", "=", "0.1"], "write NAME=VALUE without blanks around '='"),
        (["--table", "1", "--data", "folder=my", "faces"], "arguments: faces; write NAME=VALUE"),
        (["--table", "1", "--weights", ""], "--weights: its value is empty"),
        (["--table", "1", "--weights="], "--weights: its value is empty"),
        (["--table", "1", "--methods-path", ""], "--methods-path: its value is empty"),
        (["--table", "1", "--reproduce", ""], "--reproduce: its value is empty"),
        (["--table", "1", "--plan", "--workers", "-1"], "--workers"),
        (["--table", "1", "--per-gpu", "99999999"], "--per-gpu"),
        (["--table", "1", "--data", "=x"], "expected NAME=PATH"),
        (["--all", "--draw", "--seeds", "77"], "has no records for this request"),
        (["--table", "1", "--set", "recipe.augment.flip=-1"], "flip: -1.0, expected 0 to 1"),
        (["--table", "1", "--set", "recipe.augment.mean=nan,0,0"], "expected numbers"),
        (["--table", "1", "--set", "recipe.augment.crop=abc"], "crop=abc: expected numbers"),
        (["--table", "1", "--set", "recipe.schedule.warm=2"], "warm: 2.0, expected 0 to 0.99"),
        (["--table", "1", "--set", "recipe.augment.second_view=fresh"], "eac sets this itself"),
        (["--table", "1", "--set", "recipe.lr=-1"], "lr: -1.0, expected 0 or more"),
        (["--table", "1", "--set", "recipe.epochs=99999999999999999999"], "expected 1 to 100,000"),
        (["--table", "1", "--set", "lanet.label_momentum=-1"], "out of range"),
        (["--table", "1", "--set", "lanet.temperature=0"], "lanet.temperature: 0.0, expected 0.001 or more"),
        (["--table", "1", "--set", "lanet.neighbours=100"], "need batches of at least 101 images"),
        (["--table", "1", "--set", "rul.clamp=foo"], "rul.clamp=foo: expected one number"),
        (["--plan"], "nothing to show"),
        (["--reproduce", "ab"], "no record"),
        (["--import", "/nowhere"], "/nowhere"),
    ],
)
def test_wrong_arguments_end_with_status_2_and_one_line(
    shared: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.delenv("FER_DATA", raising=False)
    assert main([*arguments, *SMALL, "--results", str(shared)]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("decoding images: ")]
    assert len(said) == 1 and words in said[0]  # the first of them to need the data set sees it decoded


@pytest.mark.parametrize(
    "words",
    [
        "--set scn.margin_2=0,3",
        "--set recipe.lr=x",
        "--set recipe.epochs=0",
        "--set recipe.backbone=resnet99",
        "--noise symetric",
        "--noise file:nowhere",
        "--weights nowhere.pth",
        "--weights imagenet",
        "--weights2 nowhere.pth",
        "--study nowhere.csv",
        "--datasets faces rafdb",
    ],
)
def test_what_no_picture_decides_is_refused_before_pictures_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.delenv("FER_DATA", raising=False)
    assert main(["--table", "1", *words.split(), *SMALL, "--results", str(tmp_path)]) == 2
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
def test_a_cluster_that_does_not_answer_costs_no_record_and_no_start_weights(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("distributed")
    where = ["--out", str(tmp_path)]
    assert main([*baseline(shared), *where]) == 0
    before = records(shared), list(shared.glob("weights/*.pt"))
    assert main([*baseline(shared), *where, "--force", "--cluster", "nowhere"]) == 2
    assert records(shared) == before[0]
    start = ["--table", "1", "--methods", "baseline", "--seeds", "0", *SMALL, "--results", str(shared)]
    assert main([*start, *where, "--cluster", "nowhere"]) == 2
    assert list(shared.glob("weights/*.pt")) == before[1] and "start weights" not in capsys.readouterr().err


def test_results_that_are_a_file_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "theirs.zip").touch()
    assert main(["--table", "1", "--draw", "--results", str(tmp_path / "theirs.zip")]) == 2
    expected = f"--results {tmp_path}/theirs.zip: a file, not a folder; what others sent is read by --import\n"
    assert capsys.readouterr().err.endswith(expected)


def test_what_changes_nothing_is_said(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    words = ["--table", "1", "--plan", "--methods", "baseline", "--noise", "none", "--rates", "0.1", "--root"]
    words += ["--set", "scn.beta=0.5", "--weights2", "random", "--data", f"faces={tmp_path}"]
    assert main([*words, "--data", f"ferplus={tmp_path}", "--datasets", "faces", *SHORT, "--results", str(shared)]) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if line.endswith("; it changes nothing here")]
    starts = ["--set scn.beta=0.5: no run", "--weights2: ", "--rates: none takes", "--data faces: ", "--data ferplus: "]
    assert [line[: len(start)] for line, start in zip(said, [*starts, "--root: only"], strict=True)] == [
        *starts,
        "--root: only",
    ]
    assert (
        main(["--table", "1", "--plan", "--methods", "scn", "--set", "scn.beta=0.5", *SMALL, "--results", str(shared)])
        == 0
    )
    assert "changes nothing" not in capsys.readouterr().err


def test_a_value_that_is_given_twice_counts_once_and_a_home_is_found(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--table", "1", "--plan", "--methods", "gce", "gce", "--rates", "0.3", "0.30", "--seeds", "0", *SHORT]
    made = make_plan(read_request(parser().read([*words, "--results", str(shared)])))
    assert [len(cells) for cells in made.cells.values()] == [1]
    monkeypatch.setenv("HOME", str(tmp_path))
    args = parser().read(["--table", "1", "--weights=~/w.pth", "--results", "~/runs", "--data", "ferplus=~/here"])
    assert (args.weights, args.results) == (f"{tmp_path}/w.pth", tmp_path / "runs")
    (tmp_path / "here").mkdir()
    assert given_data(args)["ferplus"] == tmp_path / "here"


def test_the_command_for_one_job_names_each_option_once() -> None:
    job = Job(**{field.name: {} for field in dataclasses.fields(Job)})  # type: ignore[arg-type]
    job = dataclasses.replace(
        job, method="scn", seed=3, data={"name": "faces"}, noise={"kind": "symmetric", "rate": "0.3"}
    )
    typed = "python run_all.py --table 1 --methods baseline scn --seeds=0-4 --retry-failed --out 'a b'"
    assert repeat_command(job, typed) == (
        "python run_all.py --table 1 --out 'a b' --datasets faces --methods scn --seeds 3 --rates 0.3 --retry-failed"
    )


@pytest.mark.parametrize("option", ["--results", "--out"])
def test_a_full_disk_is_found_before_anything_is_trained(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    place = {"--results": shared, "--out": tmp_path}[option]

    def full(file: int) -> None:
        if os.readlink(f"/proc/self/fd/{file}").startswith(str(place / ".writable-")):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("results.files.os.fsync", full)
    words = ["--table", "1", "--methods", "baseline", "--rates", "0.1", "--seeds", "55", *SHORT]
    assert main([*words, "--results", str(shared), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err.splitlines()[-1]
    assert f"{option}: {place}: No space left on device; choose a folder that can be written" in said
    assert not any(record["spec"]["seed"] == 55 for record in records(shared).values())
    assert not list(place.glob(".writable-*"))


def test_no_arguments_print_the_short_help() -> None:
    done = run_all()
    assert done.returncode == 0 and "--table 1" in done.stdout


def test_the_plan_trains_nothing(tmp_path: Path, shared: Path) -> None:
    done = run_all("--table", "1", "--plan", "--results", str(shared), "--seeds", "7", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "15 jobs" in done.stdout and "lanet" in done.stdout and "seed 7" in done.stdout
    assert not any(record["spec"]["seed"] == 7 for record in records(shared).values())


def test_shards_share_the_jobs_and_draw_nothing(shared: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = baseline(shared, "--rates", "0.1", "0.3", "--seeds", "0", "1", "--out", str(out))
    for i in range(2):
        done = run_all(*arguments, "--shard", f"{i}/2")
        assert done.returncode == 0, done.stderr
    assert not out.exists()
    assert run_all(*arguments, "--draw").returncode == 0


def test_reproduce_runs_a_job_again_and_finds_the_same_bits(shared: Path, tmp_path: Path) -> None:
    assert run_all(*baseline(shared, "--rates", "0.1", "--seeds", "0", "--out", str(tmp_path))).returncode == 0
    found = [
        key for key, r in records(shared).items() if r["spec"]["noise"]["rate"] == "0.1" and r["spec"]["seed"] == 0
    ]
    done = run_all("--reproduce", found[0], "--results", str(shared))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the same bits" in done.stdout


def test_a_method_of_ones_own_fails_alone_and_is_named(shared: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "broken.py").write_text(
        "from methods.baseline import Baseline\n\n\n"
        "class Broken(Baseline):\n    name, title = 'broken', 'Broken'\n\n"
        "    def loss(self, batch):\n        raise RuntimeError('a fault of its own')\n"
    )
    arguments = ["--table", "1", "--methods", "baseline", "broken", *SHORT, "--rates", "0.1", "--seeds", "0"]
    arguments += ["--results", str(shared), "--methods-path", str(own), "--out", str(tmp_path)]
    done = run_all(*arguments)
    assert done.returncode == 1
    assert "a fault of its own" in done.stderr
    assert "--datasets faces --methods broken --seeds 0 --rates 0.1 --retry-failed" in done.stderr
    assert "Baseline" in (tmp_path / "table1.md").read_text()
    failure = next(iter((shared / "failures").glob("*.json")))
    assert json.loads(failure.read_text())["class"] == "error"


@pytest.mark.slow
def test_the_first_failure_stops_the_matrix_and_a_mended_helper_is_worth_another_try(
    shared: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "mine.py").write_text(
        "from aid import weight\nfrom methods.baseline import Baseline\n\n\n"
        "class Aided(Baseline):\n    name, title = 'aided', 'Aided'\n\n"
        "    def loss(self, batch):\n        losses, logits = super().loss(batch)\n"
        "        return {name: weight() * value for name, value in losses.items()}, logits\n"
    )
    (own / "aid.py").write_text("def weight():\n    raise RuntimeError('not written yet')\n")
    asked = ["--table", "1", "--methods", "aided", *SHORT, "--rates", "0.1", "--seeds", "0-1", "--workers", "1"]
    asked += ["--results", str(shared), "--methods-path", str(own), "--out", str(tmp_path)]
    done = run_all(*asked, "--fail-fast")
    assert done.returncode == 1 and done.stderr.count("error: not written yet") == 1, done.stderr
    assert "missing: 1 job has not been run" in done.stderr
    (own / "aid.py").write_text("def weight():\n    return 1.0\n")
    done = run_all(*asked)
    assert done.returncode == 0, done.stderr
    assert "Aided" in (tmp_path / "table1.md").read_text()


def test_one_s_own_files_that_cannot_be_used_are_named(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    broken = {
        "exits.py": "import sys\nfrom methods.baseline import Baseline\nclass M(Baseline):\n    name = 'mine'\nsys.exit(0)\n",
        "syntax.py": "def (\n",
        "latin.py": "# -*- coding: ascii -*-\nx = '\u00e9'\n",
        "taken.py": "from methods.baseline import Baseline\n\n\nclass Mine(Baseline):\n    name = 'scn'\n",
        "faces2.py": "from benchmark.datasets.faces import Faces\n\n\nclass Mine(Faces):\n    name = 'faces'  # DataSet\n",
    }
    for name, text in broken.items():
        folder = tmp_path / name.removesuffix(".py")
        folder.mkdir()
        (folder / name).write_text(text, encoding="latin-1")
        (folder / "beside.py").mkdir()
        status = main(
            ["--table", "1", *SMALL, "--methods", "mine", "--results", str(shared), "--methods-path", str(folder)]
        )
        said = capsys.readouterr().err
        assert status == 2 and name in said and len(said.strip().splitlines()) == 1, (name, said)


@pytest.mark.slow
def test_a_short_name_of_a_recipe_field_is_the_long_one(shared: Path) -> None:
    plans = [
        run_all(
            "--table",
            "1",
            "--plan",
            "--methods",
            "baseline",
            "--set",
            f"{name}=0.001",
            "--results",
            str(shared),
            *SMALL,
        )
        for name in ("recipe.lr", "recipe.optimiser.lr")
    ]
    assert plans[0].returncode == 0 and plans[0].stdout == plans[1].stdout, plans[0].stderr


def test_hours_at_paper_scale_are_told_with_the_smaller_scale(tmp_path: Path) -> None:
    own = ["--methods-path", str(ROOT / "performance" / "faulty"), "--datasets", "specks", "--results", str(tmp_path)]
    arguments = ["--table", "1", "--methods", "baseline", "--seeds", "0-999", "--rates", "0.1", *own, "--plan"]
    arguments += ["--devices", "cpu"]
    told = run_all(*arguments, "--scale", "paper")
    assert told.returncode == 0 and "--scale small (all images, 64 px" in told.stdout, told.stdout + told.stderr
    for scale in ("demo", "small"):
        told = run_all(*arguments, "--scale", scale)
        assert told.returncode == 0 and "1,000 jobs at " + scale in told.stdout
        assert "--scale small (all" not in told.stdout
