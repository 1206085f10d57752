"""`python -m benchmark noise-list`: the lists it writes, read back as `--noise file:PATH`, and maps from confusions."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from small_records import small_record

from benchmark.cache.data_card import mean_vote_shares
from benchmark.cache.decoded import Data
from benchmark.cache.lookup import open_data
from benchmark.commands import noise_list as lists
from benchmark.commands import noise_page
from benchmark.datasets.faces import Faces
from noise.asymmetric import MISTAKEN_FOR
from noise.expressions import EIGHT, SEVEN
from results.job import Job
from results.store import Store

SMALL = ["--set", "faces.train=400", "--set", "faces.test=100"]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("noise") / "runs"


def faces(results: Path, classes: int = 8) -> Data:
    return open_data(Faces(), None, Faces.Options(train=400, test=100, classes=classes), results / "data")


def run(results: Path, *arguments: str, out: Path | None = None) -> tuple[int, Path]:
    out = out or results / "list.txt"
    return lists.main(["faces", *SMALL, "--results", str(results), "--out", str(out), *arguments]), out


@pytest.mark.parametrize("kind", ["asymmetric", "symmetric", "scn", "instance", "votes", "none"])
@pytest.mark.parametrize("classes", [7, 8])
def test_a_list_read_back_gives_the_same_labels(results: Path, kind: str, classes: int) -> None:
    status, path = run(results, "--kind", kind, "--rate", "0.3", "--seed", "4", "--set", f"faces.classes={classes}")
    data = faces(results, classes)
    direct = lists.labels_with_noise(data, kind, 0.3, 4)
    assert status == 0 and (lists.labels_with_noise(data, f"file:{path}", 0.0, 0) == direct).all()
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["rate"] == pytest.approx((direct != data.train.labels).mean()) and len(facts["per_class"]) == classes
    first = path.read_text().splitlines()[0].split()
    assert len(first) == 2 and first[1] in EIGHT


def test_numbers_are_written_on_request_and_read_back_as_the_printed_command_says(
    results: Path, capsys: pytest.CaptureFixture
) -> None:
    _, path = run(results, "--kind", "none", "--set", "faces.classes=7", "--order", "rafdb")
    assert f"--noise 'file:{path}?order=rafdb'" in capsys.readouterr().out
    data = faces(results, 7)
    assert (lists.labels_with_noise(data, f"file:{path}?order=rafdb", 0.0, 0) == data.train.labels).all()
    known = replace(data, name="rafdb")  # whose lists need no order
    assert (lists.labels_with_noise(known, f"file:{path}", 0.0, 0) == data.train.labels).all()
    status, _ = run(results, "--kind", "none", "--order", "rafdb")
    assert status == 2 and "no number for contempt" in capsys.readouterr().err
    raf = dict(enumerate(("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral"), 1))
    for line, name, label in zip(path.read_text().splitlines(), data.train.names, data.train.labels):
        assert line.split()[0] == name and raf[int(line.split()[1])] == SEVEN[label]


def flipped_to(data: Data, path: Path) -> dict[str, set[str]]:
    given = lists.labels_with_noise(data, f"file:{path}", 0.0, 0)
    return {n: {data.classes[g] for g in given[data.train.labels == c] if g != c} for c, n in enumerate(data.classes)}


def test_a_map_from_people_is_their_most_frequent_confusion(results: Path) -> None:
    status, path = run(results, "--from-confusion", "votes", "--rate", "0.5")
    data = faces(results)
    matrix = np.array(mean_vote_shares(data.train, 8))
    np.fill_diagonal(matrix, -1)
    expected = {name: data.classes[matrix[c].argmax()] for c, name in enumerate(data.classes)}
    assert status == 0 and json.loads(path.with_suffix(".json").read_text())["map"] == expected
    assert all(found <= {expected[name]} for name, found in flipped_to(data, path).items())


def test_a_map_from_a_csv_in_any_order(results: Path, tmp_path: Path) -> None:
    order = EIGHT[::-1]
    with open(tmp_path / "matrix.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["", *order])
        for one in order:  # each class is mistaken for the next of EIGHT
            nxt = EIGHT[(EIGHT.index(one) + 1) % 8]
            writer.writerow([one, *(9 if o == one else 3 if o == nxt else 1 for o in order)])
    status, path = run(results, "--from-confusion", str(tmp_path / "matrix.csv"), "--rate", "0.5")
    assert status == 0
    found = flipped_to(faces(results), path)
    assert all(found[name] <= {EIGHT[(c + 1) % 8]} for c, name in enumerate(EIGHT)) and found["happiness"]


def test_a_map_from_a_finished_run(results: Path) -> None:
    job = Job(
        "baseline",
        1,
        {"name": "faces", "fingerprint": "f"},
        {"kind": "none"},
        0,
        "fp32",
        "comparison",
        {"name": "demo"},
        "random",
    )
    names = list(EIGHT[::-1])
    matrix = np.full((8, 8), 1) + 9 * np.eye(8, dtype=int) + 4 * np.roll(np.eye(8, dtype=int), 1, 1)
    record = small_record(job)
    record["metrics"]["confusion"] = matrix.tolist()
    record["resolved"]["data"]["class_names"] = names
    Store(results).write(record, {"x": np.zeros(1)})
    status, path = run(results, "--from-confusion", job.id, "--rate", "0.5")
    mapped = json.loads(path.with_suffix(".json").read_text())["map"]
    assert status == 0 and mapped == {names[c]: names[(c + 1) % 8] for c in range(8)}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rate", "30"], "0.1 is 10 %"),
        (["--rate", "x"], "--rate: 'x': expected a share from 0 to 1"),
        (["--rates", "0.3"], "did you mean --rate?"),
        (["--seed", "1.5"], "--seed: '1.5'; expected one whole number"),
        (["--set", ""], "--set: its value is empty"),
        (["--kind", "symmetric", "--from-confusion", "votes"], "leave one of them out"),
        (["--kind", "asymetric"], "did you mean 'asymmetric'"),
        (["--from-confusion", "no_such.csv"], "no_such.csv"),
        (["--from-confusion", "0123456789abcdef0123"], "no such record"),
    ],
)
def test_wrong_arguments_end_with_status_2(
    results: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture
) -> None:
    assert run(results, *arguments)[0] == 2
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("decoding images: ")]
    assert len(said) == 1 and words in said[0]


def test_a_rate_that_changes_nothing_is_said(results: Path, capsys: pytest.CaptureFixture) -> None:
    assert run(results, "--kind", "votes", "--rate", "0.3")[0] == 0
    assert "--rate: votes takes no rate" in capsys.readouterr().err
    assert run(results, "--kind", "votes")[0] == 0
    assert not capsys.readouterr().err


def test_a_file_of_ones_own_is_not_written_over(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    own = tmp_path / "list_patition_label.txt"
    own.write_text("train_00001.jpg 5\n")
    assert run(results, out=own)[0] == 2 and own.read_text() == "train_00001.jpg 5\n"
    assert "was not written by this command" in capsys.readouterr().err
    assert [run(results, "--seed", seed, out=tmp_path / "list.txt")[0] for seed in "12"] == [0, 0]


def test_a_matrix_without_a_class_is_refused(results: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "matrix.csv").write_text(",anger,fear\nanger,1,2\nfear,2,1\n")
    assert run(results, "--from-confusion", str(tmp_path / "matrix.csv"))[0] == 2
    assert "no row or column for the class 'disgust'" in capsys.readouterr().err


def test_the_page_shows_every_kind_and_its_rates(results: Path) -> None:
    text = noise_page.format_noise_page(faces(results))
    for kind in noise_page.WORDS:
        assert f"\n## {kind}\n" in text
    shares, people = (line.strip("| ").split(" | ")[1:] for line in text.splitlines() if line.startswith("| anger | "))
    assert sum(map(float, shares)) == pytest.approx(100, abs=0.5) and float(shares[0]) > 50
    assert people[0] == MISTAKEN_FOR["anger"]


def test_the_page_names_the_target_of_each_class() -> None:
    targets = dict(re.findall(r"^\| (\w+) \| (\w+) \| \w+, ", noise_page.PEOPLE, re.M))
    assert targets == MISTAKEN_FOR


def test_the_page_in_the_docs_names_the_kinds_that_exist() -> None:
    from benchmark import plugins

    text = (Path(__file__).resolve().parents[2] / "docs" / "noise.md").read_text()
    assert {kind for kind in plugins.find_noises() if f"\n## {kind}\n" in text} == set(noise_page.WORDS)
