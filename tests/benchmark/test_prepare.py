"""`python -m benchmark data-card`: pictures of one's own in both layouts, the data card, and what it finds in FERPlus."""

import json
from pathlib import Path

import numpy as np
import pytest
from pictures import open_pictures as opened
from pictures import save_pixels as save
from PIL import Image

from benchmark.cache import copies
from benchmark.cache.data_card import format_page, make_data_card, read_published_counts
from benchmark.cache.decoded import open_decoded
from benchmark.cache.lookup import open_data
from benchmark.commands import data_card
from benchmark.datasets.base import DataError
from benchmark.datasets.faces import Faces

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "data"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not there")


def picture(seed: int, size: tuple[int, int] = (40, 48)) -> np.ndarray:
    """Smooth random colours [H, W, 3] uint8: a picture of its own for every seed."""
    rough = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return np.asarray(Image.fromarray(rough).resize(size[::-1], Image.Resampling.BICUBIC))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Ten training and four test pictures of two classes; one test picture is a copy, one a mirror image."""
    base = tmp_path / "own"
    for n in range(10):
        save(base / "train" / ("Happy" if n % 2 else "neutral") / f"{n}.png", picture(n))
    save(base / "test" / "Happy" / "copy.png", picture(1))
    save(base / "test" / "Happy" / "turned.png", picture(3)[:, ::-1])
    save(base / "test" / "neutral" / "new.png", picture(100, (60, 60)))
    save(base / "test" / "neutral" / "brighter.png", np.minimum(picture(2).astype(int) + 2, 255).astype(np.uint8))
    (base / "train" / "Happy" / "Thumbs.db").write_bytes(b"no picture")
    return base


def test_a_plain_image_folder(folders: Path, tmp_path: Path) -> None:
    data = opened(folders, tmp_path / "cache")
    assert data.classes == ("happiness", "neutral") and data.title == "Own pictures"
    assert data.train.images.shape == (10, 112, 112, 3) and data.test.labels.tolist() == [0, 0, 1, 1]
    assert data.info["facts"]["image sizes"] == {"smallest": "48 x 40", "largest": "60 x 60"}
    assert opened(folders, tmp_path / "cache", size=48).train.images.shape[1] == 48


def test_a_csv_with_and_without_splits(folders: Path, tmp_path: Path) -> None:
    files = sorted(p.relative_to(folders).as_posix() for p in folders.rglob("*.png"))
    label = {name: name.split("/")[1] for name in files}
    lines = [f"{name},{label[name]},{name.split('/')[0]}" for name in files]
    (folders / "images.csv").write_text("path,label,split\n" + "\n".join(lines) + "\n")
    data = opened(folders, tmp_path / "cache")
    assert len(data.train.labels) == 10 and len(data.test.labels) == 4 and data.classes == ("happiness", "neutral")
    (folders / "list.csv").write_text("label,path\n" + "\n".join(f"{label[n]},{n}" for n in files) + "\n")
    data = opened(folders / "list.csv", tmp_path / "cache")
    assert len(data.test.labels) == 4 and np.bincount(data.test.labels).tolist() == [2, 2]
    again = opened(folders / "list.csv", tmp_path / "other")
    assert again.fingerprint == data.fingerprint


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("what,label\na,b\n", "path,label"),
        ("path,label,split\ntrain/Happy/1.png,Happy,more\n", "line 2: split 'more'"),
        ("path,label\ntrain/Happy/1.png\n", "line 2: 1 cells"),
        ("path,label\ntrain/Happy/1.png,\n", "line 2: an empty"),
        ("path,label,split\ntrain/Happy/1.png,Happy,train\n2.png,neutral,train\n", "no image for test"),
        ("path,label,split\n1.png,Happy,train\n3.png,happy,test\n", "only the class happiness"),
        ("path,label,split\n../a.png,Happy,train\nb.png,sad,test\n", "outside"),
    ],
)
def test_a_wrong_csv_is_refused_in_one_line(folders: Path, tmp_path: Path, text: str, words: str) -> None:
    (folders / "images.csv").write_text(text)
    with pytest.raises(DataError) as error:
        opened(folders, tmp_path / "cache")
    assert words in str(error.value) and "\n" not in str(error.value)


def test_wrong_folders_are_refused_in_one_line(folders: Path, tmp_path: Path) -> None:
    (tmp_path / "else" / "pictures").mkdir(parents=True)
    with pytest.raises(DataError, match=r"expected folders train/<class name>/.*found pictures/"):
        opened(tmp_path / "else", tmp_path / "cache")
    save(folders / "train" / "loose.png", picture(1))
    with pytest.raises(DataError, match=r"loose.png: expected train/<class name>/"):
        opened(folders, tmp_path / "cache")
    (folders / "train" / "loose.png").unlink()
    (folders / "train" / "Happy" / "1.png").write_bytes(b"broken")
    with pytest.raises(DataError, match=r"1.png: not a readable image"):
        opened(folders, tmp_path / "cache")


def test_the_card_finds_the_copy_the_near_copy_and_the_mirror_image(folders: Path, tmp_path: Path) -> None:
    data = opened(folders, tmp_path / "cache")
    found = make_data_card(data)
    assert found["exact"]["test_images_also_in_train"] == 1 and found["exact"]["by_class"] == {"happiness": 1}
    pairs = {(*sorted(pair[:2]), pair[2]) for pair in found["near"]["names"]}
    assert ("test/neutral/brighter.png", "train/neutral/2.png", False) in pairs
    assert ("test/Happy/turned.png", "train/Happy/3.png", True) in pairs
    assert not any("copy.png" in name for pair in pairs for name in pair[:2])
    assert found["near"]["train and test"] == 2 == found["near"]["test_images"] and found["near"]["mirrored"] == 1


def test_near_copies_of_dark_and_bright_pictures_are_found_and_one_that_mirrors_itself_counts_once(
    folders: Path, tmp_path: Path
) -> None:
    half = picture(200)[:, :24] // 8
    dark = np.concatenate([half, half[:, ::-1]], axis=1)
    for name, shade in (("dark", dark), ("bright", picture(201) // 8 + 220)):
        save(folders / "train" / "neutral" / f"{name}.png", shade)
        save(folders / "test" / "neutral" / f"{name}er.png", shade + np.uint8(3))
    named = make_data_card(opened(folders, tmp_path / "cache"))["near"]["names"]
    pairs = [pair for pair in named if "dark" in pair[0] or "bright" in pair[0]]
    assert pairs == [
        ["train/neutral/bright.png", "test/neutral/brighter.png", False],
        ["train/neutral/dark.png", "test/neutral/darker.png", False],
    ]


def test_a_chance_agreement_of_outlines_is_no_near_copy(folders: Path, tmp_path: Path) -> None:
    right = np.indices((40, 48))[1][..., None] * np.ones(3)
    save(folders / "train" / "neutral" / "ramp.png", (right * 5).astype(np.uint8))
    save(folders / "test" / "neutral" / "steps.png", np.where(right < 40, right, right * 5).astype(np.uint8))
    data = opened(folders, tmp_path / "cache")
    codes = {
        str(name): copies.hash_outlines(copies.shrink_image(image)[None])[0]
        for split in (data.train, data.test)
        for name, image in zip(split.names, split.images)
    }
    assert int(codes["train/neutral/ramp.png"] ^ codes["test/neutral/steps.png"]).bit_count() <= 3
    named = make_data_card(data)["near"]["names"]
    assert named and not any("ramp" in one + two for one, two, _ in named)


def test_near_pairs_are_those_of_the_definition() -> None:
    draw = np.random.default_rng(0)
    hashes = draw.integers(0, 2**63, 300, np.uint64)
    hashes[100:200] = hashes[:100] ^ (np.uint64(1) << draw.integers(0, 64, 100).astype(np.uint64))
    hashes[200:250] = hashes[100:150] ^ np.uint64(0x8000_0000_0001_0100)
    hashes[250:255] = hashes[0]
    distances = np.array([[int(a ^ b).bit_count() for b in hashes] for a in hashes])
    expected = {(i, j) for i, j in np.argwhere(distances <= 3).tolist() if i < j}
    assert {tuple(pair) for pair in copies.pair_hashes(hashes, 3).tolist()} == expected and len(expected) > 150


def test_outlines_that_differ_in_any_three_bits_are_a_pair_and_in_any_four_are_none() -> None:
    draw = np.random.default_rng(1)
    for bits in (0, 1, 2, 3, 4, 5):
        for _ in range(60):
            mask = sum(1 << int(bit) for bit in draw.choice(64, bits, replace=False))
            hashes = np.array([12345, 12345 ^ mask], np.uint64)
            assert copies.pair_hashes(hashes, 3).tolist() == ([[0, 1]] if bits <= 3 else [])
    for few in (0, 1):
        assert copies.pair_hashes(np.zeros(few, np.uint64), 3).shape == (0, 2)


def test_candidates_are_compared_in_any_portions(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(folders, tmp_path / "cache")
    whole = make_data_card(data)["near"]
    assert len(whole["rows"]) > 1
    monkeypatch.setattr(copies, "CHUNK", 1)
    assert make_data_card(data)["near"] == whole


def test_the_page_of_the_drawn_faces_has_its_parts_and_the_shares_of_votes(tmp_path: Path) -> None:
    data = open_data(Faces(), None, Faces.Options(train=100, test=100), tmp_path)
    page = format_page(make_data_card(data))
    assert [line for line in page.splitlines() if line.startswith("#")] == [
        "# Faces (rendered)",
        "## Images: 100 to train on, 100 to test on",
        "## Left out",
        "## Copies",
        "## People's votes, train: mean share of each class (row) for each class",
        "## People's votes, test: mean share of each class (row) for each class",
    ]
    facts = [line.partition(":")[0] for line in page.splitlines() if line.startswith("- ")]
    assert facts[:4] == ["- fingerprint", "- landmarks", "- usable landmarks", "- card"]
    assert facts[4:7] == ["- options", "- label rule", "- stored images"]
    happy = data.classes.index("happiness")
    votes = data.train.votes[data.train.labels == happy]
    shares = " | ".join(f"{share:.3f}" for share in (votes / votes.sum(1, keepdims=True)).mean(0))
    assert f"| happiness | {shares} |" in page.split("## People's votes, train")[1].split("##")[0]


def test_the_command_writes_the_card_beside_the_images(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    arguments = ["folder", str(folders), "--results", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    assert data_card.main([*arguments, "--set", "folder.title=Mine"]) == 0
    shown = capsys.readouterr().out
    (cache,) = (tmp_path / "runs" / "data").glob("folder-*")
    assert (cache / "data_card.md").read_text() in shown and shown.startswith("# Mine")
    assert json.loads((cache / "data_card.json").read_text())["card_hash"] == open_decoded(cache).info_hash
    assert "1 of the 4 test images have an exact copy" in shown and "(happiness 1)" in shown
    with Image.open(tmp_path / "out" / "folder_classes.png") as sheet:
        assert sheet.size[1] == 2 * data_card.SIDE


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["folders", "."], "did you mean 'folder'?"),
        (["folder"], "give --data PATH"),
        (["folder", "/nowhere"], "/nowhere does not exist"),
        (["folder", ".", "--set", "folder.sise=3"], "did you mean 'size'?"),
        (["folder", ".", "--set", "folder.size=3"], "32 to 512"),
        (["folder", ".", "--set", "ferplus.classes=7"], "only options of folder"),
        (["ferplus", "."], "ferplus"),
    ],
)
def test_wrong_arguments_end_with_status_2_and_one_line(
    arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    assert data_card.main([*arguments, "--results", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert words in error and len(error.strip().splitlines()) == 1


def test_published_counts_are_those_of_the_papers() -> None:
    class Named:
        def __init__(self, name: str, classes: tuple[str, ...], options: dict) -> None:
            self.name, self.classes, self.info = name, classes, {"options": options}

    eight = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "contempt", "neutral")
    seven = (*eight[:6], "neutral")

    def sums(*named: object) -> dict[str, int]:
        return {split: sum(counts.values()) for split, counts in read_published_counts(Named(*named)).items()}

    assert sums("rafdb", seven, {}) == {"train": 12271, "test": 3068}
    assert sums("ferplus", eight, {"train": "train+valid"}) == {"train": 28236, "test": 3137}
    assert sums("ferplus", eight, {"train": "train"}) == {"train": 25045, "test": 3137}
    assert sums("affectnet", eight, {}) == {"train": 287651, "test": 4000}
    assert sums("affectnet", seven, {}) == {"train": 283901, "test": 3500}
    assert sums("faces", eight, {}) == {}


@needs_shared
def test_the_small_part_of_ferplus_agrees_with_its_readme(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["ferplus", str(SHARED / "ferplus-mini"), "--results", str(tmp_path / "runs"), "--out", str(tmp_path)]
    assert data_card.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "## Images: 2,060 to train on, 500 to test on" in shown
    assert "| neutral | 651 | 9,913 (-9,262) | 157 | 1,083 (-926) |" in shown
    assert "0 of the 500 test images have an exact copy" in shown and "People's votes, train" in shown


@pytest.mark.slow
@needs_shared
def test_the_leak_of_ferplus_comes_out(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    arguments = ["ferplus", str(SHARED / "ferplus"), "--results", str(tmp_path / "runs"), "--out", str(tmp_path)]
    assert data_card.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "254 of the 3,137 test images have an exact copy among the training images" in shown
    assert "surprise 110" in shown and "| all | 28,236 | 28,236 | 3,137 | 3,137 |" in shown
