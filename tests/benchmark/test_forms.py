"""The forms in which pictures are handed round: read by their names and columns, or refused by what they are."""

import json
import unicodedata
from pathlib import Path

import pytest
from pictures import encode_pixels, open_pictures, random_pixels, save_pixels
from PIL import Image

from benchmark.cache.decoded import Data
from benchmark.datasets.base import DataError, DataSet
from benchmark.datasets.folder import ImageFolder
from benchmark.datasets.rafdb import RAFDB

RAF = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")  # 1 to 7
SEVEN = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
KAGGLE = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def save(path: Path, seed: int) -> None:
    save_pixels(path, random_pixels(seed))


def folders(
    base: Path, names: tuple[str, ...] = KAGGLE, splits: tuple[str, ...] = ("train", "test"), each: int = 2
) -> Path:
    """{split}/{class}/{split}_00001.png with numbers that run through a split."""
    for s, split in enumerate(splits):
        for c, name in enumerate(names):
            for n in range(each):
                file = f"{Path(split).name}_{c * each + n:05}_aligned.jpg"
                save(base / split / name / file, 1000 * s + 10 * c + n)
    return base


def opened(path: Path, tmp_path: Path, dataset: type[DataSet] = ImageFolder, **options: object) -> Data:
    return open_pictures(path, tmp_path / "cache", dataset, **options)


def labelled(data: Data, split: str = "train") -> dict[str, str]:
    part = getattr(data, split)
    return {str(name): data.classes[label] for name, label in zip(part.names, part.labels)}


@pytest.mark.parametrize(
    "names",
    [
        ("0 neutral", "1 happy", "2 sad", "3_surprise", "4-fear", "5.disgust", "6) Angry"),
        ("Neutral", "HAPPINESS", "Sadness", "Surprised", "Fearful", "Disgusted", "anger"),
    ],
)
def test_class_folders_are_called_as_people_call_them(tmp_path: Path, names: tuple[str, ...]) -> None:
    data = opened(folders(tmp_path / "own", names), tmp_path)
    meant = dict(zip(names, ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger")))
    assert data.classes == SEVEN
    assert all(label == meant[name.split("/")[1]] for name, label in labelled(data).items())


@pytest.mark.parametrize(
    "splits", [("Train", "Test"), ("training", "testing"), ("train", "valid"), ("Training", "PrivateTest")]
)
def test_splits_are_called_as_people_call_them_also_one_folder_below(tmp_path: Path, splits: tuple[str, str]) -> None:
    folders(tmp_path / "own" / "DATASET", splits=splits)
    data = opened(tmp_path / "own", tmp_path)
    assert len(data.train.labels) == len(data.test.labels) == 14


def test_a_third_split_is_trained_on_and_said_or_left_out(tmp_path: Path) -> None:
    base = folders(tmp_path / "own", splits=("train", "validation", "test"))
    both, alone = opened(base, tmp_path), opened(base, tmp_path, train="train")
    assert (len(both.train.labels), len(alone.train.labels), len(both.test.labels)) == (28, 14, 14)
    assert "14 pictures) is trained on" in both.info["warnings"][0] and "left out" in alone.info["warnings"][0]
    assert both.info["facts"]["train_set"] == "train and validation"


def test_what_systems_leave_beside_pictures_is_passed_over(tmp_path: Path) -> None:
    base = folders(tmp_path / "own")
    clean = opened(base, tmp_path)
    for litter in (
        "train/.ipynb_checkpoints/a.jpg",
        "train/happy/.ipynb_checkpoints/a.jpg",
        "__MACOSX/train/happy/a.jpg",
    ):
        save(base / litter, 5)
    for name in ("train/happy/._train_00001.jpg", "test/.DS_Store", "train/sad/Thumbs.db"):
        (base / name).write_bytes(b"\0\5\x16\7")
    again = opened(base, tmp_path)
    assert again.fingerprint == clean.fingerprint and not again.info["dropped"]


def test_other_endings_are_read_and_what_is_not_read_is_counted(tmp_path: Path) -> None:
    base = folders(tmp_path / "own")
    for n, path in enumerate(sorted((base / "train").rglob("*.jpg"))):
        if n % 3 == 0:
            Image.open(path).save(path.with_suffix(".webp"))
            path.unlink()
        elif n % 3 == 1:
            path.rename(path.with_suffix(".jfif"))
    (base / "train" / "sad" / "a.heic").write_bytes(b"x")
    (base / "train" / "notes.txt").write_text("x")
    data = opened(base, tmp_path)
    assert len(data.train.labels) == 14
    assert "2 files are left out" in data.info["warnings"][0] and ".heic" in data.info["warnings"][0]
    assert sum(held["count"] for held in data.info["dropped"].values()) == 2


@pytest.mark.parametrize(
    ("split", "old", "new", "words"),
    [
        ("both", "happy", "hapyness", "did you mean 'happiness'"),
        ("test", "surprise", "surpise", r"did you mean 'surprise'"),
        (
            "test",
            "surprise",
            "excited",
            "class 'surprise' has no picture in test|class 'excited' has no picture in train",
        ),
        ("both", "fear", "nan", "label 'nan' is no class"),
    ],
)
def test_classes_that_are_none_stop(tmp_path: Path, split: str, old: str, new: str, words: str) -> None:
    base = folders(tmp_path / "own")
    for part in ("train", "test") if split == "both" else (split,):
        (base / part / old).rename(base / part / new)
    with pytest.raises(DataError, match=words):
        opened(base, tmp_path)


def test_a_known_misspelling_is_read_and_said(tmp_path: Path) -> None:
    base = folders(tmp_path / "own")
    (base / "test" / "surprise").rename(base / "test" / "suprise")
    data = opened(base, tmp_path)
    assert data.classes == SEVEN and data.info["facts"]["note"] == "'suprise' read as surprise"
    assert any("'suprise' read as surprise" in line for line in data.info["warnings"])


def test_other_classes_stay_what_they_are(tmp_path: Path) -> None:
    data = opened(folders(tmp_path / "own", ("happy", "awe", "boredom")), tmp_path)
    assert data.classes == ("happiness", "awe", "boredom")


def test_numbered_folders_need_an_order(tmp_path: Path) -> None:
    base = folders(tmp_path / "own", tuple("1234567"))
    with pytest.raises(DataError, match=r"numbers .*folder.order=rafdb.*--data rafdb=PATH"):
        opened(base, tmp_path)
    read = labelled(opened(base, tmp_path, order="rafdb"))
    assert all(label == RAF[int(name.split("/")[1]) - 1] for name, label in read.items())
    assert opened(base, tmp_path, order="names").classes == tuple("1234567")
    zero = folders(tmp_path / "zero", tuple("01234567"))
    assert labelled(opened(zero, tmp_path, order="affectnet"))["train/3/train_00006_aligned.jpg"] == "surprise"


def test_a_number_stands_for_its_class_also_where_the_first_class_is_left_out(tmp_path: Path) -> None:
    base = folders(tmp_path / "own", tuple("234567"))
    data = opened(base, tmp_path, order="rafdb")
    assert all(label == RAF[int(name.split("/")[1]) - 1] for name, label in labelled(data).items())
    assert "surprise" not in data.classes and len(data.classes) == 6
    (line,) = [line for line in data.info["warnings"] if "labels" in line]
    assert "labels 2 to 7 are read as fear, disgust, happiness, sadness, anger, neutral, counted from 1" in line
    (tmp_path / "raf").mkdir()
    for split in ("train", "test"):
        (base / split).rename(tmp_path / "raf" / split)
    data = opened(tmp_path / "raf", tmp_path, RAFDB)
    assert labelled(data)["train_00001.jpg"] == "fear"
    assert any("no picture of class surprise in train" in line for line in data.info["warnings"])


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("{}.0", r"numbers \(0.0.*folder.order=rafdb"),
        ("{},0", r"numbers \(0,0.*folder.order=rafdb"),
        ("+{}", r"numbers .*folder.order=rafdb"),
        ("{}", r"numbers"),
    ],
)
def test_numbers_are_numbers_however_they_are_written(tmp_path: Path, written: str, words: str) -> None:
    base = folders(tmp_path / "own", tuple(written.format(n) for n in range(8)))
    with pytest.raises(DataError, match=words):
        opened(base, tmp_path)
    read = labelled(opened(base, tmp_path, order="affectnet"))
    assert read[f"train/{written.format(3)}/train_00006_aligned.jpg"] == "surprise"


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (("-1", *"123456"), "label '-1' is no class"),
        ((*KAGGLE, "3"), r"some labels are numbers \(3\) and some are words \(angry\)"),
    ],
)
def test_a_number_that_is_none_or_stands_among_words_stops(tmp_path: Path, names: tuple[str, ...], words: str) -> None:
    with pytest.raises(DataError, match=words):
        opened(folders(tmp_path / "own", names), tmp_path)


@pytest.mark.parametrize(("one", "other"), [("train", "test"), ("train/happy", "train/sad")])
def test_folders_that_changed_their_names_are_read_again(tmp_path: Path, one: str, other: str) -> None:
    base = folders(tmp_path / "own")
    before = {split: labelled(opened(base, tmp_path), split) for split in ("train", "test")}
    for old, new in ((one, "x"), (other, one), ("x", other)):
        (base / old).rename(base / new)
    after = opened(base, tmp_path)
    assert {split: labelled(after, split) for split in before} != before


def test_files_that_came_later_are_counted_though_the_pictures_are_the_same(tmp_path: Path) -> None:
    base = folders(tmp_path / "own")
    first = opened(base, tmp_path)
    (base / "train" / "happy" / "more.heic").write_bytes(b"x")
    again = opened(base, tmp_path)
    assert again.fingerprint == first.fingerprint and "1 file is left out" in again.info["warnings"][0]


def test_raf_db_is_the_same_data_in_every_form(tmp_path: Path) -> None:
    numbered, kaggle, authors = tmp_path / "numbered", tmp_path / "kaggle", tmp_path / "authors"
    rows: dict[str, list[tuple[Path, int]]] = {"train": [], "test": []}
    for s, (split, width) in enumerate((("train", 5), ("test", 4))):
        for n in range(14):
            label, name = n % 7 + 1, f"{split}_{n + 1:0{width}}_aligned.jpg"
            for path in (
                numbered / split / str(label),
                kaggle / "DATASET" / split / str(label),
                authors / "Image" / "aligned",
            ):
                save(path / name, 100 * s + n)
            rows[split].append((name, label))
    (authors / "EmoLabel").mkdir()
    lines = [f"{name.replace('_aligned', '')} {label}\n" for part in rows.values() for name, label in part]
    (authors / "EmoLabel" / "list_patition_label.txt").write_text("".join(lines))
    for split, part in rows.items():
        text = "".join(f"{name},{label}\n" for name, label in part)
        (kaggle / f"{split}_labels.csv").write_text("image,label\n" + text)
    (numbered / "test").rename(numbered / "valid")
    found = [opened(path, tmp_path, RAFDB) for path in (authors, numbered, kaggle)]
    assert len({data.fingerprint for data in found}) == 1
    assert labelled(found[1])["train_00003.jpg"] == "disgust"


def images_csv(base: Path, write: object, head: str = "path,label,split", name: str = "images.csv") -> Path:
    lines = [write(p.relative_to(base).as_posix(), p.parent.name) for p in sorted(base.rglob("*.jpg"))]
    (base / name).write_text("\n".join([head, *lines]) + "\n")
    return base


@pytest.mark.parametrize(
    "spelled",
    [
        lambda path: path.replace("/", "\\"),
        lambda path: "D:\\faces\\" + path.replace("/", "\\"),
        lambda path: f"/home/somebody/faces/{path}",
        lambda path: f"./{path}",
        lambda path: f"faces/{path}",
        lambda path: path.rsplit("/", 1)[-1],
    ],
)
def test_paths_of_other_systems_and_folders_lead_to_the_pictures(tmp_path: Path, spelled: object) -> None:
    base = images_csv(folders(tmp_path / "own"), lambda path, label: f"{spelled(path)},{label},{path.split('/')[0]}")
    data = opened(base, tmp_path)
    assert (len(data.train.labels), len(data.test.labels)) == (14, 14)
    assert labelled(data)["train/happy/train_00006_aligned.jpg"] == "happiness"


def test_names_that_macos_wrote_in_two_parts_are_the_same_names(tmp_path: Path) -> None:
    base = tmp_path / "own"
    for c in range(7):
        for split in ("train", "test"):
            save(base / "images" / unicodedata.normalize("NFD", f"é_{split}_{c}.jpg"), c + 10 * (split == "test"))
    rows = [f"é_{split}_{c}.jpg,{name},{split}" for c, name in enumerate(KAGGLE) for split in ("train", "test")]
    (base / "images.csv").write_text("\n".join(["path,label,split", *rows]))
    assert len(opened(base, tmp_path).train.labels) == 7


def test_a_name_that_two_pictures_have_is_not_guessed(tmp_path: Path) -> None:
    base = folders(tmp_path / "own")
    save(base / "more" / "train_00000_aligned.jpg", 9)
    images_csv(base, lambda path, label: f"{path.rsplit('/', 1)[-1]},{label},train")
    with pytest.raises(DataError, match=r"'train_00000_aligned.jpg' may be"):
        opened(base, tmp_path)


def test_absent_pictures_are_said_of_the_list_that_names_them(tmp_path: Path) -> None:
    base = tmp_path / "own"
    for split, more in (("train", "gone.jpg,happy\n"), ("test", "")):
        for c in range(7):
            save(base / "images" / f"{split}{c}.jpg", c + 10 * (split == "test"))
        rows = "".join(f"{split}{c}.jpg,{name}\n" for c, name in enumerate(KAGGLE))
        (base / f"{split}_labels.csv").write_text("path,label\n" + rows + more)
    with pytest.raises(DataError, match=r"train_labels.csv.*1 listed pictures are not in .*: gone.jpg"):
        opened(base, tmp_path)


def test_absent_pictures_are_counted(tmp_path: Path) -> None:
    base = images_csv(folders(tmp_path / "own"), lambda path, label: f"{path},{label},{path.split('/')[0]}")
    (base / "images.csv").write_text((base / "images.csv").read_text() + "gone.jpg,happy,train\n")
    with pytest.raises(DataError, match=r"1 listed pictures are not in .*: gone.jpg"):
        opened(base, tmp_path)


@pytest.mark.parametrize("name", ["metadata.csv", "labels.csv"])
def test_other_names_of_lists_and_columns(tmp_path: Path, name: str) -> None:
    base = folders(tmp_path / "own", splits=("a", "b"))
    images_csv(base, lambda path, label: f"7,{path},{label},{'PrivateTest' if path[0] == 'b' else 'Training'}",
               ",file_name,Emotion,Usage", name)  # fmt: skip
    assert labelled(opened(base, tmp_path), "test")["b/sad/b_00008_aligned.jpg"] == "sadness"


def test_metadata_in_each_split(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for c in range(7):
            save(tmp_path / "own" / split / f"{c}.jpg", c + 10 * (split == "test"))
        rows = "".join(f"{c}.jpg,{name}\n" for c, name in enumerate(KAGGLE))
        (tmp_path / "own" / split / "metadata.csv").write_text("file_name,label\n" + rows)
    data = opened(tmp_path / "own", tmp_path)
    assert labelled(data, "test")["test/4.jpg"] == "sadness" and len(data.train.labels) == 7


def test_parquet_of_hugging_face(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    features = {"info": {"features": {"label": {"names": list(KAGGLE), "_type": "ClassLabel"}}}}
    (tmp_path / "own" / "data").mkdir(parents=True)
    for split, count in (("train", 14), ("test", 7)):
        rows = []
        for n in range(count):
            picture = encode_pixels(random_pixels(n, 9))
            rows.append({"image": {"bytes": picture, "path": f"{n}.png"}, "label": n % 7})
        table = pyarrow.Table.from_pylist(rows).replace_schema_metadata({"huggingface": json.dumps(features)})
        parquet.write_table(table, tmp_path / "own" / "data" / f"{split}-00000-of-00001.parquet")
    data = opened(tmp_path / "own", tmp_path, size=32)
    assert data.classes == SEVEN and (len(data.train.labels), len(data.test.labels)) == (14, 7)
    assert list(labelled(data).values())[3] == "happiness"
    (tmp_path / "own" / "data" / "train-00000-of-00001.parquet").write_bytes(b"PAR1xxxxPAR1")
    with pytest.raises(DataError, match=r"train-00000-of-00001.parquet: not a whole parquet file"):
        opened(tmp_path / "own", tmp_path)


def test_affectnet_as_folders_of_classes_is_named_as_that(tmp_path: Path) -> None:
    from benchmark.datasets.affectnet import AffectNet

    with pytest.raises(
        DataError, match=r"affectnet: .*folders or lists of pictures \(read them with --data folder=PATH\)"
    ):
        AffectNet().read(folders(tmp_path / "own"), AffectNet.Options())
