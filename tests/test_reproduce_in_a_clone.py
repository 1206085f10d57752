"""`reproduce` where only records and descriptions of data are: inputs are made again aside, or one line says what is missing."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmark.__main__ import main as benchmark
from benchmark.commands import reproduce as command
from benchmark.commands.run_all import main
from results.schema import content_hash

pytestmark = pytest.mark.slow
ONE = ["--table", "1", "--methods", "baseline", "--rates", "0.3", "--seeds", "0", "--set", "recipe.epochs=1"]
SMALL = ["--set", "faces.train=100", "--set", "faces.test=100"]


def ship(base: Path, *words: str) -> tuple[Path, str]:
    """One record made in one folder and taken over into another, with its data described; returns that and its id."""
    made, reference = str(base / "made"), base / "reference"
    assert main([*ONE, *words, "--devices", "cpu", "--results", made, "--out", str(base / "out")]) == 0
    assert benchmark(["import", made, "--results", str(reference), "--describe"]) == 0
    (path,) = reference.glob("??/*.json")
    return reference, path.stem


def listed(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def draw_pictures(folder: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    for split, count in (("train", 20), ("test", 10)):
        for kind in ("happiness", "sadness"):
            (folder / split / kind).mkdir(parents=True)
            for number in range(count):
                image = Image.fromarray(random.integers(0, 256, (48, 48), np.uint8))
                image.save(folder / split / kind / f"{kind}{number}.png")


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    return ship(tmp_path_factory.mktemp("faces"), *SMALL)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data set that lies in a folder, trained from a file of start weights."""
    import torch

    from methods.support.backbones import ResNet10

    base = tmp_path_factory.mktemp("pictures")
    draw_pictures(base / "pictures", seed=0)
    torch.save(ResNet10(1).state_dict(), base / "weights.pt")
    words = ["--data", f"folder={base / 'pictures'}", "--noise", "symmetric", "--weights", str(base / "weights.pt")]
    return ship(base, *words)


@pytest.fixture
def reproduce(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Callable[..., tuple[int, str, str]]:
    """The command as in a clone: (exit status, what it printed, what it said on standard error)."""
    monkeypatch.setattr(command, "DEFAULT_RESULTS", tmp_path / "runs")
    monkeypatch.delenv("FER_DATA", raising=False)

    def run(reference: Path, name: str, *words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        status = benchmark(["reproduce", name, "--results", str(reference), *words])
        return status, *capsys.readouterr()

    return run


def test_drawn_faces_and_their_start_weights_are_made_again_aside(faces, reproduce, tmp_path: Path) -> None:
    reference, name = faces
    path = reference / name[:2] / f"{name}.json"
    record = json.loads(path.read_text()) | {"code": "statements:00000000000000000000"}
    path.write_text(json.dumps(record | {"hash": content_hash(record)}))
    before = listed(reference)
    status, printed, said = reproduce(reference, name)
    assert status == 0 and "the same bits" in printed, printed + said
    assert "making the start weights landmarks:" in said and "differ from the recorded" not in said
    assert listed(reference) - before == {"reproduced.json"}
    weights = record["spec"]["weights"].removeprefix("landmarks:")
    assert (tmp_path / "runs" / "weights" / f"{weights}.pt").exists()
    status, printed, said = reproduce(reference, name)
    assert status == 0 and said == "", said  # nothing is made a second time


def test_faces_drawn_with_other_options_are_refused(faces, reproduce) -> None:
    status, printed, said = reproduce(*faces, "--set", "faces.train=110")
    assert status == 2 and printed == "" and "gives other data than the record's (fingerprint " in said


def test_other_start_weights_than_the_recorded_ones_are_named(faces, reproduce, tmp_path: Path) -> None:
    reference, name = faces
    path = reference / name[:2] / f"{name}.json"
    whole = path.read_text()
    record = json.loads(whole)
    record["resolved"]["weights"]["loaded"]["sha256"] = "0" * 64
    path.write_text(json.dumps(record | {"hash": content_hash(record)}))
    said = reproduce(reference, name)[2]
    path.write_text(whole)
    assert "the start weights made here differ from the recorded ones" in said


def test_a_real_data_set_is_read_from_where_it_is_said_to_lie(pictures, reproduce) -> None:
    reference, name = pictures
    base = reference.parent
    draw_pictures(base / "others", seed=1)
    weights = ["--weights", str(base / "weights.pt")]
    for words, expected in [
        ([], "the start weights sha256:"),
        (["--weights", __file__], "another file than the record's start weights, sha256:"),
        (weights, "the data of the job are not here; give them with --data folder=PATH"),
        ([*weights, "--data", f"folder={base / 'others'}"], "not the data of the record (fingerprint "),
    ]:
        status, printed, said = reproduce(reference, name, *words)
        assert status == 2 and printed == "" and expected in said, said
    status, printed, said = reproduce(reference, name, *weights, "--data", f"folder={base / 'pictures'}")
    assert status == 0 and "the same bits" in printed, printed + said
