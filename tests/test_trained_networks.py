"""A trained network from its run to a table: kept, evaluated, asked about pictures, crossed, through the commands."""

import csv
import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmark.__main__ import main as command
from benchmark.commands.run_all import main as run_all
from results.schema import content_hash

pytestmark = pytest.mark.slow
FERPLUS = Path(__file__).resolve().parents[2] / "shared" / "data" / "ferplus-mini"
FACES = ["--set", "faces.train=150", "--set", "faces.test=100"]
SHORT = ["--set", "recipe.epochs=2", "--weights", "random", "--workers", "1", "--precision", "fp32", *FACES]
needs_ferplus = pytest.mark.skipif(not FERPLUS.exists(), reason="no FERPlus beside the checkout")


@pytest.fixture(autouse=True)
def without_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_DATA", raising=False)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with one run of the baseline on drawn faces and its network."""
    folder = tmp_path_factory.mktemp("networks") / "runs"
    assert run_all(baseline(folder, "--seeds", "0", "--keep-weights")) == 0
    return folder


def baseline(results: Path, *more: str) -> list[str]:
    table = ["--table", "1", "--methods", "baseline", "--rates", "0.3", *SHORT]
    return [*table, "--results", str(results), "--out", str(results.parent / "drawn"), *more]


def records(results: Path) -> dict[int, dict[str, Any]]:
    """The baseline's records on drawn faces, by seed."""
    found = [json.loads(path.read_text()) for path in results.glob("??/*.json") if len(path.stem) == 20]
    return {record["spec"]["seed"]: record for record in found if record["spec"]["data"]["name"] == "faces"}


def files_of(results: Path, record_id: str) -> set[str]:
    return {path.name.removeprefix(record_id) for path in (results / record_id[:2]).glob(f"{record_id}*")}


def evaluate(network: str, data: str, results: Path, out: Path, *more: str) -> int:
    faces = FACES if data == "faces" else []
    return command(["evaluate", network, "--data", data, *faces, "--results", str(results), "--out", str(out), *more])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_on_its_own_data_a_network_gives_the_numbers_of_its_record(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    record = records(results)[0]
    assert files_of(results, record["id"]) == {".json", ".npz", ".safetensors", ".network.json"}
    assert evaluate(record["id"], "faces", results, tmp_path) == 0
    printed, metrics = capsys.readouterr().out, record["metrics"]
    for share, name in (("last", "accuracy"), ("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro F1")):
        assert re.search(rf"^ *{100 * metrics[share]:.2f} %  {name}$", printed, re.M), printed
    for name, counts in zip(record["resolved"]["data"]["class_names"], metrics["confusion"], strict=True):
        (line,) = re.findall(rf"^{name} .*$", printed, re.M)
        assert [int(number) for number in line.split()[-len(counts) :]] == counts
    written = rows(tmp_path / f"evaluation_{record['id'][:8]}_faces_test.csv")
    with np.load(results / record["id"][:2] / f"{record['id']}.npz") as arrays:
        names = np.array(record["resolved"]["data"]["class_names"])
        assert [row["class"] for row in written] == names[arrays["predictions"][-1]].tolist()
        assert [row["label"] for row in written] == names[arrays["test_labels"]].tolist()
    shares = np.array([[float(row[f"p_{name}"]) for name in names] for row in written])
    assert shares.sum(1) == pytest.approx(1, abs=1e-5)
    assert names[shares.argmax(1)].tolist() == [row["class"] for row in written]


def test_the_training_images_are_those_that_it_was_trained_on(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    record = records(results)[0]
    assert evaluate(record["id"], "faces", results, tmp_path, "--split", "train") == 0
    assert "on Faces (rendered): 150 train images" in capsys.readouterr().out
    assert len(rows(tmp_path / f"evaluation_{record['id'][:8]}_faces_train.csv")) == 150


def test_predict_says_of_pictures_what_evaluate_says_of_the_data_set(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    record, pictures = records(results)[0], tmp_path / "pictures"
    assert evaluate(record["id"], "faces", results, tmp_path) == 0
    (data,) = (results / "data").glob("faces-*")
    (pictures / "inner").mkdir(parents=True)
    names, images = (np.load(data / f"test_{kind}.npy") for kind in ("names", "images"))
    for name, image in zip(names, images, strict=True):
        Image.fromarray(image.squeeze()).save(pictures / "inner" / f"{name}.png")
    weights = str(results / record["id"][:2] / f"{record['id']}.safetensors")
    asked = ["predict", weights, str(pictures), "--results", str(results), "--out", str(tmp_path)]
    assert command(asked) == 0
    expected = {row["name"]: row for row in rows(tmp_path / f"evaluation_{record['id'][:8]}_faces_test.csv")}
    seen = rows(tmp_path / f"predictions_{record['id'][:8]}.csv")
    assert len(seen) == len(expected) == 100 and list(seen[0])[:2] == ["name", "class"]
    for row in seen:
        other = expected[Path(row["name"]).stem]
        assert row["name"].startswith("inner/") and row["class"] == other["class"]
        assert row["p_happiness"] == other["p_happiness"]
    capsys.readouterr()
    (pictures / "broken.png").write_bytes(b"no picture")
    (pictures / "notes.txt").write_text("not a picture, and not named as one")
    assert command(asked) == 1
    words = capsys.readouterr()
    assert "left out: broken.png: not a readable image" in words.err and "notes.txt" not in words.err
    assert words.out.splitlines()[1].startswith("100 pictures: ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["predict", "{network}", "{results}/nowhere"], "FOLDER: {results}/nowhere is not a folder"),
        (["predict", "{network}", "{results}/data"], "FOLDER: {results}/data holds no picture"),
        (["evaluate", "{network}", "--data", "face"], "--data: there is no data set 'face' (did you mean 'faces'?)"),
        (["evaluate", "{network}", "--data", "ferplus"], "ferplus: give --data PATH"),
        (["evaluate", "0" * 20, "--data", "faces"], "there is no record 00000000000000000000 in {results}"),
        (["evaluate", "{network}x", "--data", "faces"], "x: is neither a record's id"),
        (
            ["evaluate", "{network}", "--data", "faces", "--set", "ferplus.classes=7"],
            "only options of faces matter here",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture, arguments: list[str], words: str
) -> None:
    facts = {"network": records(results)[0]["id"], "results": str(results)}
    typed = [word.format(**facts) for word in arguments]
    assert command([*typed, "--results", str(results), "--out", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"benchmark {arguments[0]}: ") and words.format(**facts) in line


def test_a_run_that_is_done_gets_its_network_by_the_command_that_is_named(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run_all(baseline(results, "--seeds", "1")) == 0
    record = records(results)[1]
    assert files_of(results, record["id"]) == {".json", ".npz"}
    capsys.readouterr()
    assert evaluate(record["id"], "faces", results, tmp_path) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "its network was not kept; this trains it again and keeps it: " in line
    assert command(shlex.split(line.partition("python -m benchmark ")[2])) == 0
    assert files_of(results, record["id"]) == {".json", ".npz", ".safetensors", ".network.json"}
    assert "kept " in capsys.readouterr().out
    assert evaluate(record["id"], "faces", results, tmp_path) == 0
    assert f"{100 * record['metrics']['last']:.2f} %  accuracy" in capsys.readouterr().out


def test_keep_weights_trains_again_what_has_no_network_and_leaves_its_record(
    results: Path, capsys: pytest.CaptureFixture
) -> None:
    asked = baseline(results, "--seeds", "0", "2")
    assert run_all(asked) == 0
    record = records(results)[2]
    path = results / record["id"][:2] / f"{record['id']}.json"
    before = path.read_bytes()
    capsys.readouterr()
    assert run_all([*asked, "--keep-weights", "--plan"]) == 0
    assert "2 jobs at demo scale, 1 done, 1 to run" in capsys.readouterr().out
    assert run_all([*asked, "--keep-weights"]) == 0
    assert "--keep-weights: 1 run has no network and is trained again, to the same numbers" in capsys.readouterr().err
    assert files_of(results, record["id"]) == {".json", ".npz", ".safetensors", ".network.json"}
    assert path.read_bytes() == before
    assert run_all([*asked, "--keep-weights"]) == 0
    words = capsys.readouterr().err
    assert "trained again" not in words and "done:" not in words
    assert run_all([*asked, "--keep-weights", "--draw"]) == 0
    assert "--keep-weights: --draw trains nothing" in capsys.readouterr().err


def test_a_run_that_gives_other_numbers_than_its_record_keeps_no_network(
    results: Path, capsys: pytest.CaptureFixture
) -> None:
    asked = baseline(results, "--seeds", "3")
    assert run_all(asked) == 0
    record = records(results)[3]
    path = results / record["id"][:2] / f"{record['id']}.json"
    record["metrics"]["last"] = 0.5
    record["hash"] = content_hash(record)
    path.write_text(json.dumps(record))
    capsys.readouterr()
    assert run_all([*asked, "--keep-weights"]) == 1
    words = capsys.readouterr().err
    assert "trained again to keep its network, it gave other numbers (metrics) than its record" in words
    assert files_of(results, record["id"]) == {".json", ".npz"}
    assert run_all([*asked, "--keep-weights", "--force", "--retry-failed"]) == 0
    kept = {name for name in files_of(results, record["id"]) if not name.endswith(".old")}
    assert kept == {".json", ".npz", ".safetensors", ".network.json"}
    assert records(results)[3]["metrics"]["last"] != 0.5


@needs_ferplus
def test_a_network_of_drawn_faces_is_evaluated_on_ferplus(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    network = records(results)[0]["id"]
    path = tmp_path / f"evaluation_{network[:8]}_ferplus_test.csv"
    assert evaluate(network, f"ferplus={FERPLUS}", results, tmp_path) == 0
    printed, written = capsys.readouterr().out, rows(path)
    right = np.mean([row["class"] == row["label"] for row in written])
    assert len(written) == 500 and f"{100 * right:.2f} %  accuracy" in printed
    assert "on FERPlus: 500 test images" in printed and "contempt" in {row["label"] for row in written}
    seven = ["--set", "ferplus.classes=7"]
    assert evaluate(network, f"ferplus={FERPLUS}", results, tmp_path, *seven) == 0
    printed, written = capsys.readouterr().out, rows(path)
    assert len(written) == 490 and "p_contempt" not in written[0]
    assert "the network does not choose contempt: the data set has no such class" in printed
    assert {row["class"] for row in written} <= {name.removeprefix("p_") for name in written[0]}


@needs_ferplus
def test_the_table_of_crossed_data_sets_holds_what_evaluate_says(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    asked = ["--table", "cross", "--methods", "baseline", "--seeds", "0", *SHORT, "--results", str(results)]
    asked += ["--datasets", "faces", "ferplus", "--data", f"ferplus={FERPLUS}", "--out", str(tmp_path)]
    assert run_all(asked) == 0
    words = capsys.readouterr()
    assert "testing 2 networks on data sets that they were not trained on" in words.err
    assert "Trained on Faces (rendered), asymmetric noise, 30 %" in words.out
    table = {(row["trained_on"], row["tested_on"]): row for row in rows(tmp_path / "table_cross.csv")}
    assert set(table) == {(one, other) for one in ("faces", "ferplus") for other in ("faces", "ferplus")}
    for (one, other), row in table.items():
        assert evaluate(row["ids"], "faces" if other == "faces" else f"ferplus={FERPLUS}", results, tmp_path) == 0
        words = capsys.readouterr()
        for share, name in (("mean", "accuracy"), ("balanced_accuracy", "balanced accuracy"), ("macro_f1", "macro F1")):
            assert f"{float(row[share]):.2f} %  {name}\n" in words.out, (one, other, words.out)
        assert int(row["images"]) == (100 if other == "faces" else 500)
    crossed = sorted((results / "crossed").iterdir())
    times = [path.stat().st_mtime_ns for path in crossed]
    assert len(crossed) == 2 and run_all(asked) == 0
    assert times == [path.stat().st_mtime_ns for path in crossed] and "testing" not in capsys.readouterr().err
    crossed[0].write_text('{"accuracy": 2}')
    crossed[1].unlink()
    assert run_all([*asked, "--draw"]) == 1
    words = capsys.readouterr().err
    assert "missing: Baseline, " in words and "not what was written there" in words
    assert "1 network was not tested; run the table without --draw" in words
    before = (tmp_path / "table_cross.csv").read_text()
    assert run_all(asked) == 0
    mended = {(row["trained_on"], row["tested_on"]): row for row in rows(tmp_path / "table_cross.csv")}
    assert mended == table and before != (tmp_path / "table_cross.csv").read_text()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "--table cross: tests on other data sets, and there is only faces"),
        (["--datasets", "faces", "ferplus", "--against", "reference"], "--against: others' records have no networks"),
    ],
)
def test_a_crossed_table_that_cannot_be_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture, more: list[str], words: str
) -> None:
    assert run_all(["--table", "cross", *more, *SHORT, "--results", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line
