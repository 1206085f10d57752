"""The labels of fer2013.csv beside FERPlus: read, kept beside the images, part of a job only where its noise is `fer2013`."""

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from test_ferplus import SPLITS, USAGE, label_csv, opened, pixels, png, read

from benchmark.__main__ import main as command
from benchmark.cache import decoded
from benchmark.commands.run_all import main
from benchmark.train.training_set import training_set
from noise.expressions import EIGHT, ORDERS
from results.job import Job

COUNTS = dict(zip(SPLITS, (60, 12, 40)))
CLEAN = ORDERS["ferplus"]
EMOTIONS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")  # 0 to 6 in Kaggle's fer2013.csv
TYPED = ["--table", "clean", "--methods", "baseline", "--datasets", "ferplus", "--seeds", "0", "--scale", "demo"]
TYPED += ["--set", "recipe.epochs=1", "--weights", "random", "--precision", "fp32", "--devices", "cpu"]


def list_images() -> dict[str, dict[str, int]]:
    """{split: {image: its class by FER+, a place in CLEAN}}."""
    numbers = iter(range(1, 1000))
    return {split: {f"fer{n:07d}.png": n % 8 for n, _ in zip(numbers, range(many))} for split, many in COUNTS.items()}


def earlier_emotion(name: str, step: int) -> str:
    """What fer2013.csv says of an image; nothing of every tenth."""
    number = int(name[3:10])
    return "" if number % 10 == 0 else str(number * step % 7)


def votes_of(place: int) -> tuple[int, ...]:
    return tuple(10 * (column == place) for column in range(10))


def write_pair(base: Path, step: int = 3) -> None:
    """fer2013.csv and fer2013new.csv, with a row that is no face in front of each split."""
    with (base / "fer2013.csv").open("w", newline="") as a, (base / "fer2013new.csv").open("w", newline="") as b:
        kaggle, votes = csv.writer(a), csv.writer(b)
        kaggle.writerow(["emotion", "pixels", "Usage"])
        votes.writerow(["Usage", "Image name", *CLEAN, "unknown", "NF"])
        for split, images in list_images().items():
            kaggle.writerow([6, " ".join(["7"] * 2304), USAGE[split]])
            votes.writerow([USAGE[split], "", *votes_of(9)])
            for name, place in images.items():
                text = " ".join(map(str, pixels(name).ravel().tolist()))
                kaggle.writerow([earlier_emotion(name, step), text, USAGE[split]])
                votes.writerow([USAGE[split], name, *votes_of(place)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The official layout, without fer2013.csv."""
    base = tmp_path / "ferplus"
    for split, images in list_images().items():
        (base / split).mkdir(parents=True)
        (base / split / "label.csv").write_text(label_csv({name: votes_of(place) for name, place in images.items()}))
        for name in images:
            (base / split / name).write_bytes(png(pixels(name)))
    return base


def expected(names: np.ndarray, step: int = 3) -> list[str | None]:
    texts = [earlier_emotion(str(name).rsplit("/", 1)[-1], step) for name in names]
    return [EMOTIONS[int(text)] if text else None for text in texts]


def earlier_of(data: decoded.Data) -> list[str | None]:
    return [None if label < 0 else data.classes[label] for label in data.train.earlier_labels]


def test_both_layouts_give_every_image_the_label_of_its_own_row(folder: Path, tmp_path: Path) -> None:
    write_pair(folder)
    (tmp_path / "pair").mkdir()
    write_pair(tmp_path / "pair")
    for number, path in enumerate((folder, tmp_path / "pair")):
        for classes in (8, 7):
            data = opened(path, tmp_path / f"root{number}", classes=classes)
            assert len(data.train.names) == (72 if classes == 8 else 63)
            assert earlier_of(data) == expected(data.train.names)
            assert data.test.earlier_labels is None
    left = opened(folder, tmp_path / "leaks", train="train", drop_leaks=True)
    assert len(left.train.names) == 60 and earlier_of(left) == expected(left.train.names)


def test_they_lie_beside_the_same_images_and_stay(folder: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    without = opened(folder, root)
    card = (without.folder / "card.json").read_bytes()
    assert without.train.earlier_labels is None and b"earlier" not in card
    write_pair(folder)
    added = opened(folder, root)
    assert (added.folder, added.fingerprint) == (without.folder, without.fingerprint)
    assert earlier_of(added) == expected(added.train.names)
    (folder / "fer2013.csv").rename(folder / "elsewhere.csv")
    (folder / "fer2013new.csv").touch()
    (folder / "FER2013Test" / "label.csv").touch()
    assert earlier_of(opened(folder, root)) == expected(added.train.names)
    write_pair(folder, step=5)
    changed = opened(folder, root)
    assert changed.fingerprint == without.fingerprint and earlier_of(changed) == expected(added.train.names, step=5)
    assert changed.info["earlier_labels"] != added.info["earlier_labels"]
    assert earlier_of(added) == expected(added.train.names)  # what runs have open is not written over
    assert (
        len(list(added.folder.glob("train_earlier_labels-*.npy"))) == 2
    )  # a card never stands beside labels of another


def read_records(results: Path) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(results.glob("??/*.json"))]


@pytest.mark.slow
def test_a_run_trains_on_them_and_other_runs_stay_the_same_jobs(folder: Path, tmp_path: Path, capsys) -> None:
    words = [*TYPED, "--data", f"ferplus={folder}", "--results", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    (before,) = read_records(tmp_path / "runs")
    capsys.readouterr()
    assert main([*words, "--noise", "fer2013"]) == 2
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "--noise" in line)
    assert "ferplus has no earlier labels; put fer2013.csv and fer2013new.csv beside the FERPlus data" in line
    write_pair(folder)
    assert main([*words, "--noise", "none", "fer2013"]) == 0
    found = {record["spec"]["noise"]["kind"]: record for record in read_records(tmp_path / "runs")}
    assert found["none"] == before
    record = found["fer2013"]
    data = opened(folder, tmp_path / "runs" / "data")
    hash_of_labels = data.info["earlier_labels"][:20]
    assert record["spec"]["noise"] == {"kind": "fer2013", "rate": None, "version": 1, "earlier_labels": hash_of_labels}
    labels = np.load(tmp_path / "runs" / "noise" / f"{record['noise']['hash']}.npz")["labels"]
    clean = [EIGHT[label] for label in data.train.labels]
    wanted = [earlier or own for earlier, own in zip(expected(data.train.names), clean)]
    assert [EIGHT[label] for label in labels] == wanted
    assert record["noise"]["realised"] == np.mean([one != other for one, other in zip(wanted, clean)])
    kept = [name for name, own in zip(wanted, clean) if own == "contempt"]
    assert kept.count("contempt") == sum(own == "contempt" and not earlier for earlier, own in
                                         zip(expected(data.train.names), clean)) < len(kept)  # fmt: skip
    write_pair(folder, step=5)
    assert main([*words, "--noise", "fer2013"]) == 0
    assert len(read_records(tmp_path / "runs")) == 3


def test_labels_that_were_changed_since_planning_are_refused(folder: Path, tmp_path: Path) -> None:
    write_pair(folder)
    data = opened(folder, tmp_path / "root")
    noise = {"kind": "fer2013", "rate": None, "version": 1, "earlier_labels": data.info["earlier_labels"][:20]}
    job = Job(
        method="baseline",
        method_version=1,
        data={"name": "ferplus", "fingerprint": data.fingerprint, "landmarks": None},
        noise=noise,
        seed=0,
        precision="fp32",
        preset="comparison",
        scale={"name": "demo", "version": 1},
        weights="random",
    )
    assert training_set(data, job).noise["realised"] > 0
    for other in ({"earlier_labels": "0" * 20}, {"kind": "none"}):
        with pytest.raises(ValueError, match="the earlier labels of ferplus were changed since this job was planned"):
            training_set(data, Job(**asdict(job) | {"noise": noise | other}))


def test_a_description_of_the_data_has_them_for_drawing(folder: Path, tmp_path: Path, capsys) -> None:
    write_pair(folder)
    words = [*TYPED, "--noise", "fer2013", "--out", str(tmp_path / "out")]
    assert main([*words, "--data", f"ferplus={folder}", "--results", str(tmp_path / "runs")]) == 0
    described = str(tmp_path / "described")
    assert command(["import", str(tmp_path / "runs"), "--results", described, "--describe"]) == 0
    assert main([*words, "--draw", "--results", described]) == 0
    assert "n = 1 seed" in capsys.readouterr().out


def test_more_seeds_beside_a_description_are_trained_on_its_pictures(folder: Path, tmp_path: Path, capsys) -> None:
    """The pictures come into the place of the description, which keeps what they do not say: here, earlier labels."""
    write_pair(folder)
    words = [*TYPED, "--noise", "fer2013", "--out", str(tmp_path / "out"), "--data", f"ferplus={folder}"]
    assert main([*words, "--results", str(tmp_path / "runs")]) == 0
    described = tmp_path / "described"
    assert command(["import", str(tmp_path / "runs"), "--results", str(described), "--describe"]) == 0
    (data_folder,) = (described / "data").glob("ferplus-*")
    labels_before = decoded.open_decoded(data_folder).train.earlier_labels.tolist()

    typed_again = [*words, "--results", str(described)]
    typed_again[typed_again.index("--seeds") + 1] = "0-1"
    assert main([*typed_again, "--plan"]) == 0 and decoded.open_decoded(data_folder).lacks_images
    (folder / "fer2013.csv").unlink()  # so the pictures are read anew
    assert main(typed_again) == 0
    printed = capsys.readouterr()
    assert "n = 2 seeds" in printed.out and "do not count" not in printed.err
    data = decoded.open_decoded(data_folder)
    assert not data.lacks_images and data.train.earlier_labels.tolist() == labels_before
    assert data.train.images.any() and "described" not in data.info
    assert list((described / "data").glob("ferplus-*")) == [data_folder]


def test_a_list_of_them_is_written_for_other_programs(folder: Path, tmp_path: Path) -> None:
    write_pair(folder)
    words = ["noise-list", "ferplus", "--data", str(folder), "--kind", "fer2013", "--results", str(tmp_path / "runs")]
    assert command([*words, "--out", str(tmp_path / "list.txt")]) == 0
    lines = [line.split() for line in (tmp_path / "list.txt").read_text().splitlines()]
    known = dict(zip((name for name, _ in lines), expected([name for name, _ in lines])))
    own = {f"{split}/{name}": CLEAN[place] for split, images in list_images().items() for name, place in images.items()}
    assert len(lines) == 72 and all(label == (known[name] or own[name]) for name, label in lines)
    assert sum(known[name] is None for name, _ in lines) == 7


def test_a_file_beside_that_cannot_be_used_is_named_and_the_images_are_read(folder: Path, tmp_path: Path) -> None:
    write_pair(folder)
    whole = (folder / "fer2013.csv").read_text()
    (folder / "fer2013.csv").write_text(whole.replace("\n3,", "\n9,", 1))
    source = read(folder)
    (line,) = (line for line in source.warnings if "emotion" in line)
    assert (
        "line 3: emotion '9', expected a whole number from 0 to 6" in line and "--noise fer2013 cannot be had" in line
    )
    assert source.train.earlier_labels is None and len(source.train.names) == 72
    (folder / "fer2013.csv").write_text(whole.rsplit("\n", 2)[0] + "\n")
    assert any("the two files must have as many rows" in line for line in read(folder).warnings)


def test_a_name_that_stands_for_two_emotions_has_none(folder: Path) -> None:
    write_pair(folder)
    with (folder / "fer2013.csv").open("a") as a, (folder / "fer2013new.csv").open("a") as b:
        for name, emotion in (("fer0000001.png", 5), ("fer0000002.png", 6)):  # the second agrees with its first row
            a.write(f"{emotion},{' '.join(['7'] * 2304)},Training\n")
            b.write(f"Training,{name},{','.join(map(str, votes_of(0)))}\n")
    train = read(folder).train
    found = dict(zip(train.names, train.earlier_labels.tolist()))
    assert found["FER2013Train/fer0000001.png"] == -1
    assert found["FER2013Train/fer0000002.png"] == EIGHT.index(EMOTIONS[6])
