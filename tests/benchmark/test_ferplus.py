"""FERPlus: label rules, three containers of the same data, and what is refused."""

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pictures import encode_pixels as png
from pictures import open_pictures
from PIL import Image

from benchmark.cache.decoded import Data
from benchmark.datasets.base import DataError
from benchmark.datasets.ferplus import EMOTIONS, FERPlus
from benchmark.datasets.points import reduce_to_19_points

SHARED = Path(__file__).parents[2].parent / "shared"
FULL, MINI = SHARED / "data" / "ferplus", SHARED / "data" / "ferplus-mini"
full = pytest.mark.skipif(not FULL.is_dir(), reason="../shared/data/ferplus is not here")
mini = pytest.mark.skipif(not MINI.is_dir(), reason="../shared/data/ferplus-mini is not here")

SPLITS = ("FER2013Train", "FER2013Valid", "FER2013Test")
USAGE = dict(zip(SPLITS, ("Training", "PublicTest", "PrivateTest")))
BOX = "(0, 0, 48, 48)"
VOTES = {  # name: ten votes; columns neutral happiness surprise sadness anger disgust fear contempt unknown NF
    "FER2013Train": {
        "fer0000001.png": (10, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        "fer0000002.png": (0, 4, 1, 1, 1, 1, 1, 1, 0, 0),  # single votes do not count
        "fer0000003.png": (5, 5, 0, 0, 0, 0, 0, 0, 0, 0),  # exactly half is no majority
        "fer0000004.png": (1, 1, 0, 0, 0, 0, 0, 0, 8, 0),  # unknown wins
        "fer0000005.png": (0, 0, 0, 0, 0, 0, 0, 9, 0, 1),  # contempt
    },
    "FER2013Valid": {"fer0000006.png": (0, 0, 0, 0, 7, 3, 0, 0, 0, 0)},
    "FER2013Test": {"fer0000007.png": (0, 0, 0, 8, 0, 0, 2, 0, 0, 0), "fer0000008.png": (0, 0, 0, 0, 0, 0, 0, 8, 0, 2)},
}


def pixels(name: str) -> np.ndarray:
    return np.random.default_rng(int(name[3:10])).integers(0, 256, (48, 48), np.uint8)


def label_csv(rows: dict[str, tuple]) -> str:
    return "".join(f'{name},"{BOX}",{",".join(map(str, votes))}\n' for name, votes in rows.items())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base = tmp_path / "ferplus"
    for split, rows in VOTES.items():
        (base / split).mkdir(parents=True)
        (base / split / "label.csv").write_text(label_csv(rows))
        for name in rows:
            (base / split / name).write_bytes(png(pixels(name)))
    return base


def zipped(folder: Path, to: Path) -> Path:
    to.mkdir()
    for split in SPLITS:
        with zipfile.ZipFile(to / f"{split}.zip", "w") as archive:
            for path in sorted((folder / split).iterdir()):
                archive.write(path, f"{split}/{path.name}")
    return to


def csv_pair(to: Path, splits: dict[str, dict[str, tuple]], image=pixels) -> Path:
    to.mkdir()
    with (to / "fer2013.csv").open("w", newline="") as a, (to / "fer2013new.csv").open("w", newline="") as b:
        kaggle, votes = csv.writer(a), csv.writer(b)
        kaggle.writerow(["emotion", "pixels", "Usage"])
        votes.writerow(["Usage", "Image name", *EMOTIONS, "unknown", "NF"])
        for split, rows in splits.items():
            for name, counts in rows.items():
                kaggle.writerow([0, " ".join(map(str, image(name).ravel().tolist())), USAGE[split]])
                votes.writerow([USAGE[split], name, *counts])
    return to


def read(path: Path, **options):
    dataset = FERPlus()
    return dataset.read(path, dataset.Options(**options))


def opened(path: Path, root: Path, **options) -> Data:
    return open_pictures(path, root, FERPlus, **options)


def labels(rows, classes) -> dict[str, str]:
    return {name: classes[label] for name, label in zip(rows.names, rows.labels)}


def test_majority_rule(folder: Path):
    source = read(folder)
    assert labels(source.train, source.classes) == {
        "FER2013Train/fer0000001.png": "neutral",
        "FER2013Train/fer0000002.png": "happiness",
        "FER2013Train/fer0000005.png": "contempt",
        "FER2013Valid/fer0000006.png": "anger",
    }
    assert labels(source.test, source.classes) == {
        "FER2013Test/fer0000007.png": "sadness",
        "FER2013Test/fer0000008.png": "contempt",
    }
    assert source.dropped == {
        "no majority": ["FER2013Train/fer0000003.png"],
        "unknown or not a face by majority": ["FER2013Train/fer0000004.png"],
    }
    assert source.facts["dropped"] == {"no majority": 1, "unknown or not a face by majority": 1}
    assert source.facts["licence"].endswith("pictures: no licence to pass on")


def test_votes_stand_in_class_order_without_unknown(folder: Path):
    train = read(folder).train
    row = train.names.index("FER2013Valid/fer0000006.png")
    assert train.votes[row].tolist() == [7, 3, 0, 0, 0, 0, 0, 0]
    assert np.array_equal(train.image(row), pixels("fer0000006.png"))


def test_plurality_takes_the_first_of_a_tie_and_drops_only_images_without_emotion(folder: Path):
    (folder / "FER2013Train" / "label.csv").write_text(
        label_csv(VOTES["FER2013Train"] | {"fer0000005.png": (0,) * 8 + (3, 7)})
    )
    source = read(folder, rule="plurality")
    found = labels(source.train, source.classes)
    assert found["FER2013Train/fer0000003.png"] == "neutral" and found["FER2013Train/fer0000004.png"] == "neutral"
    assert source.dropped == {"no vote for an emotion": ["FER2013Train/fer0000005.png"]}


def test_seven_classes_and_train_only(folder: Path):
    source = read(folder, classes=7, train="train")
    assert "contempt" not in source.classes and source.classes[-1] == "neutral"
    assert labels(source.train, source.classes) == {
        "FER2013Train/fer0000001.png": "neutral",
        "FER2013Train/fer0000002.png": "happiness",
    }
    assert source.train.votes.shape == (2, 7)
    assert source.dropped["contempt (7 classes)"] == ["FER2013Train/fer0000005.png", "FER2013Test/fer0000008.png"]


@pytest.mark.parametrize("option", [{"rule": "median"}, {"classes": 9}, {"train": "valid"}])
def test_unknown_option_value_is_refused(option: dict):
    with pytest.raises(DataError, match=rf"ferplus\.{next(iter(option))}=.*choose one of"):
        FERPlus.Options(**option)


def test_leaks_are_dropped_by_exact_pixels(folder: Path):
    (folder / "FER2013Train" / "fer0000001.png").write_bytes(png(pixels("fer0000007.png")))
    assert "FER2013Train/fer0000001.png" in read(folder).train.names
    source = read(folder, drop_leaks=True)
    assert source.dropped["exact copy of a used test image"] == ["FER2013Train/fer0000001.png"]
    assert "FER2013Train/fer0000001.png" not in source.train.names
    row = source.train.names.index("FER2013Train/fer0000002.png")
    assert np.array_equal(source.train.image(row), pixels("fer0000002.png")) and source.train.votes[row].sum() == 10


def test_folder_zip_csv_and_parent_are_the_same_data(folder: Path, tmp_path: Path):
    (tmp_path / "parent").mkdir()
    (tmp_path / "parent" / "data").symlink_to(folder)
    sources = [folder, zipped(folder, tmp_path / "zip"), csv_pair(tmp_path / "csv", VOTES), tmp_path / "parent"]
    found = [opened(path, tmp_path / f"root{number}") for number, path in enumerate(sources)]
    assert len({data.fingerprint for data in found}) == 1
    for data in found[1:]:
        assert np.array_equal(data.train.images, found[0].train.images)
        assert data.train.names.tolist() == found[0].train.names.tolist()


def test_size_differs_from_published_is_said(folder: Path):
    (warning,) = read(folder).warnings
    assert "FER2013Train 3 (-25,042)" in warning and "25,045 / 3,191 / 3,137" in warning


def test_csv_pair_drops_nameless_rows_and_repeated_names(tmp_path: Path):
    base = csv_pair(tmp_path / "csv", VOTES)
    with (base / "fer2013.csv").open("a") as a, (base / "fer2013new.csv").open("a") as b:
        for name, votes in (
            ("", "0,0,0,0,0,0,0,0,0,10"),
            ("fer0000007.png", "0,0,9,0,0,0,0,0,0,1"),
            ("fer0000007.png", "0,0,0,0,0,0,0,0,0,10"),
        ):
            a.write(f"0,{' '.join(['7'] * 2304)},PrivateTest\n")
            b.write(f"PrivateTest,{name},{votes}\n")
    source = read(base)
    assert source.dropped["no image name (not a face)"] == ["fer2013new.csv, line 10"]
    repeated = [f"FER2013Test/fer0000007.png#{line}" for line in (11, 12)]
    assert source.dropped["a name that stands before it, too"] == repeated
    assert labels(source.test, source.classes)["FER2013Test/fer0000007.png"] == "sadness"
    assert source.facts["labels"] == "fer2013new.csv" and "label.csv" in source.warnings[0]


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("fer2013.csv", "PublicTest", "Training", r"fer2013new.csv, line 7: Usage is PublicTest, but 'Training'"),
        ("fer2013new.csv", ",0,8,0,0,2,0,0,0", ",0,8,0,0,2,0,0", r"line 8: 9 vote columns, expected 10"),
        ("fer2013new.csv", "PublicTest", "Secret", r"line 7: Usage 'Secret', expected one of Training"),
        ("fer2013.csv", "emotion,pixels,Usage", "a,b,c", r"fer2013.csv, line 1: columns a,b,c, expected emotion"),
        ("fer2013.csv", "PublicTest\n", "PublicTest\n0,1 2 3,PublicTest\n", r"Usage is PrivateTest, but 'PublicTest'"),
        ("fer2013.csv", "\n0,", "\n0,999 ", r"fer2013.csv, line 2: pixels are not 2304 whole numbers"),
        (
            "fer2013.csv",
            "\n0,",
            "\n0," + "1 " * 600_000,
            r"fer2013.csv, after line 1: .*more than 1,000,000 characters",
        ),
        ("fer2013new.csv", "fer0000007.png", "../fer0000007.png", r"line 8: .*leads outside"),
    ],
)
def test_csv_pair_that_does_not_fit_is_refused(tmp_path: Path, file: str, old: str, new: str, message: str):
    base = csv_pair(tmp_path / "csv", VOTES)
    edit(base / file, old, new)
    with pytest.raises(DataError, match=message) as error:
        read(base)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400


def test_csv_pair_of_different_lengths_is_refused(tmp_path: Path):
    base = csv_pair(tmp_path / "csv", VOTES)
    with (base / "fer2013.csv").open("a") as file:
        file.write("0,1,PrivateTest\n")
    with pytest.raises(DataError, match=r"fer2013.csv, line 10: fer2013new.csv has no such row"):
        read(base)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",0,4,1,1,1,1,1,1,0,0", ",0,4,1,1,1,1,1,1,0", "line 2: 9 vote columns, expected 10. Is this the label.csv of"),
        (",0,4,1,1", ",0,six,1,1", "line 2: votes for happiness 'six', expected a whole number"),
        (",0,4,1,1", ",0,-6,1,1", "line 2: votes for happiness '-6'"),
        (",0,4,1,1", ",0,6.5,1,1", "line 2: votes for happiness '6.5'"),
        (",0,4,1,1", ",0,101,1,1", "line 2: votes for happiness '101', expected a whole number from 0 to 100"),
        ("fer0000002.png", "fer0000001.png", r"line 2: fer0000001.png was listed before \(line 1\)"),
        ("fer0000002.png", "../fer0000002.png", "line 2: .*leads outside"),
        ("fer0000002.png", "/etc/passwd", "line 2: .*leads outside"),
        ("fer0000002.png", "fer\x1b[2J.png", "line 2: .*control character"),
        ("fer0000002.png", "fer0000099.png", "1 of 5 images in label.csv are not there: fer0000099.png"),
        ("fer0000002.png", '"' + "a" * 1_000_001 + '"', "after line 1: .*more than 1,000,000 characters"),
    ],
)
@pytest.mark.parametrize("container", ["folder", "zip"])
def test_bad_label_csv_is_refused(folder: Path, tmp_path: Path, container: str, old: str, new: str, message: str):
    edit(folder / "FER2013Train" / "label.csv", old, new)
    path = folder if container == "folder" else zipped(folder, tmp_path / "zip")
    with pytest.raises(DataError, match=rf"ferplus: .*FER2013Train.*{message}") as error:
        read(path)
    assert "\n" not in str(error.value) and "\x1b" not in str(error.value) and len(str(error.value)) < 400


def test_missing_and_misplaced_folders_are_explained(folder: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere: there is no such folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=rf"give the folder above: {folder}$"):
        read(folder / "FER2013Train")
    with pytest.raises(DataError, match=rf"one folder below; give {folder}$"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"not a folder; give the one that holds it"):
        read(folder / "FER2013Train" / "label.csv")
    (folder / "FER2013Valid").rename(folder / "Valid")
    with pytest.raises(DataError, match=r"found FER2013Train, FER2013Test but not FER2013Valid"):
        read(folder)
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "fer2013.csv").touch()
    with pytest.raises(DataError, match=r"fer2013.csv is here but fer2013new.csv is not"):
        read(tmp_path / "alone")


def test_label_csv_must_be_there(folder: Path):
    (folder / "FER2013Test" / "label.csv").unlink()
    with pytest.raises(DataError, match=r"FER2013Test: 0 files named label.csv"):
        read(folder)


def test_truncated_zip_is_refused(folder: Path, tmp_path: Path):
    base = zipped(folder, tmp_path / "zip")
    whole = (base / "FER2013Test.zip").read_bytes()
    (base / "FER2013Test.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"ferplus: FER2013Test.zip: not a whole zip archive"):
        read(base)


def test_a_list_that_is_damaged_inside_its_zip_is_refused(folder: Path, tmp_path: Path):
    base = zipped(folder, tmp_path / "zip")
    whole = (base / "FER2013Test.zip").read_bytes()
    first_row = (folder / "FER2013Test" / "label.csv").read_bytes()[:9]
    (base / "FER2013Test.zip").write_bytes(whole.replace(first_row, first_row[::-1]))
    with pytest.raises(DataError, match=r"FER2013Test.zip/.*label.csv, after line \d+: cannot be read \(Bad CRC-32"):
        read(base)


@pytest.mark.parametrize("member", ["../outside.txt", "/etc/passwd", "a\\..\\b", "bell\x07.png"])
def test_zip_members_that_lead_outside_are_refused(folder: Path, tmp_path: Path, member: str):
    base = zipped(folder, tmp_path / "zip")
    with zipfile.ZipFile(base / "FER2013Test.zip", "a") as archive:
        archive.writestr(member, b"x")
    with pytest.raises(DataError, match=r"ferplus: FER2013Test.zip: .*(leads outside|control character)"):
        read(base)


def test_zip_that_unpacks_to_a_hundred_times_its_size_is_refused(folder: Path, tmp_path: Path):
    base = zipped(folder, tmp_path / "zip")
    with zipfile.ZipFile(base / "FER2013Test.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("FER2013Test/label.csv", b"0" * 30_000_000)
    with pytest.raises(DataError, match=r"FER2013Test.zip: would unpack to 30,000,000 bytes"):
        read(base)


def test_unusable_images_are_listed_in_one_error(folder: Path, tmp_path: Path):
    (folder / "FER2013Train" / "fer0000001.png").write_bytes(b"not a picture")
    whole = (folder / "FER2013Train" / "fer0000002.png").read_bytes()
    (folder / "FER2013Train" / "fer0000002.png").write_bytes(whole[: len(whole) // 2])
    (folder / "FER2013Test" / "fer0000007.png").write_bytes(png(np.zeros((1, 5000), np.uint8)))
    with pytest.raises(DataError) as error:
        opened(folder, tmp_path / "root")
    message = str(error.value)
    assert message.startswith("ferplus: 3 images cannot be used: FER2013Train/fer0000001.png")
    assert "FER2013Train/fer0000002.png" in message and "5000 x 1 pixels, at most 4096 a side" in message
    left = [p.name for p in (tmp_path / "root").rglob("*") if p.is_file() and p.suffix != ".lock"]
    assert left == [], "no half cache is left"


def landmark_file(folder: Path, images: list[str], status: list[int], points: int = 68) -> np.ndarray:
    xy = np.random.default_rng(0).integers(0, 2240, (len(images), points, 2)).astype(np.int16)
    arrays = {"names": np.array(images), "xy": xy, "status": np.array(status, np.uint8)}
    np.savez(folder / "landmarks_68.npz", unit=np.float32(0.1), frame=np.int32(224), **arrays)
    return xy


def test_landmarks_are_matched_by_name_and_doubtful_ones_are_not_used(folder: Path, tmp_path: Path):
    names = [f"FER2013Train/fer000000{n}.png" for n in (5, 2, 1)] + ["FER2013Test/fer0000007.png"]
    xy = landmark_file(folder, names, [1, 0, 2, 0])
    data = opened(folder, tmp_path / "root")
    found = dict(zip(data.train.names.tolist(), data.train.landmarks))
    assert np.allclose(found[names[1]], xy[1] / 2240, atol=1e-6)
    for name in (names[0], names[2], "FER2013Valid/fer0000006.png"):
        assert np.isnan(found[name]).all()
    assert np.allclose(data.test.landmarks[0], xy[3] / 2240, atol=1e-6)
    assert data.info["facts"]["landmarks"] == "68 points from landmarks_68.npz, usable for 1 of 4 training images"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": np.array(["a", "b"], object)}, "not readable as plain arrays"),
        ({"names": np.array(["a", "a"])}, "same name twice"),
        ({"xy": np.zeros((2, 67, 2))}, r"array 'xy' is float64 of shape \(2, 67, 2\)"),
        ({"xy": np.zeros((3, 68, 2))}, r"array 'xy' is float64 of shape \(3, 68, 2\)"),
        ({"status": np.zeros(5)}, "array 'status'"),
        (
            {"xy": np.arange(272.0).reshape(2, 68, 2) % 51},
            "points up to 50 images away, expected fractions of the image",
        ),
    ],
)
def test_bad_landmark_files_are_refused(folder: Path, change: dict, message: str):
    arrays = {"names": np.array(["a", "b"]), "xy": np.zeros((2, 68, 2))} | change
    np.savez(folder / "landmarks_68.npz", **arrays)
    with pytest.raises(DataError, match=rf"ferplus: landmarks_68.npz: .*{message}"):
        read(folder)


def test_truncated_landmark_file_is_refused(folder: Path):
    landmark_file(folder, ["a", "b"], [0, 0])
    whole = (folder / "landmarks_68.npz").read_bytes()
    (folder / "landmarks_68.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"landmarks_68.npz: not a whole zip archive"):
        read(folder)


def test_nineteen_follows_the_table():
    points = np.random.default_rng(0).random((3, 68, 2)).astype(np.float32)
    found = reduce_to_19_points(points)
    assert found.shape == (3, 19, 2) and found.dtype == np.float32
    assert np.array_equal(found[:, [0, 13, 18]], points[:, [17, 30, 8]])
    assert np.allclose(found[:, 7], points[:, 36:42].mean(1)) and np.allclose(found[:, 10], points[:, 42:48].mean(1))
    assert np.isnan(reduce_to_19_points(np.full((68, 2), np.nan))).all()
    with pytest.raises(ValueError, match=r"expected"):
        reduce_to_19_points(points[:, :67])


@full
def test_nineteen_agrees_with_the_published_table():
    points = np.random.default_rng(0).random((68, 2))
    with (FULL / "landmarks_19_from_68.csv").open() as file:
        for row in csv.DictReader(file):
            expected = points[[int(index) for index in row["from68"].split(";")]].mean(0)
            assert np.allclose(reduce_to_19_points(points)[int(row["index19"])], expected), row["name"]


@full
@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({}, (25045, 3191, 3137)),
        ({"rule": "plurality"}, (28556, 3579, 3573)),
        ({"classes": 7}, (24925, 3175, 3122)),
    ],
)
def test_published_sizes(options: dict, counts: tuple):
    source = read(FULL, **options)
    assert tuple(source.facts["images used"].values()) == counts
    assert (len(source.train.names), len(source.test.names)) == (counts[0] + counts[1], counts[2])
    assert source.warnings == []


@mini
def test_mini_from_archives_folder_and_csv(tmp_path: Path):
    data = opened(MINI, tmp_path / "root")
    assert data.train.images.shape == (2060, 48, 48, 1) and data.test.images.shape == (500, 48, 48, 1)
    assert data.info["facts"]["images used"] == {"FER2013Train": 2000, "FER2013Valid": 60, "FER2013Test": 500}
    expected = {"anger": 43, "disgust": 10, "fear": 14, "happiness": 142, "sadness": 61, "surprise": 63, "contempt": 10}
    assert data.info["counts"]["test"] == expected | {"neutral": 157}
    assert data.info["dropped"]["no majority"]["count"] + 1 == 40 + 5 + 10
    assert data.info["test_images_also_in_train"] == 0 and len(data.info["warnings"]) == 2
    assert "2 of 500 test images have a near or mirrored copy" in data.info["warnings"][1]
    with np.load(MINI / "landmarks_68.npz") as marks:
        good = set(marks["names"][marks["status"] == 0].tolist())
        row = {name: i for i, name in enumerate(marks["names"].tolist())}
        for i in (0, 1000, 2059):
            if data.train.names[i] in good:
                xy = marks["xy"][row[data.train.names[i]]] / 2240
                assert np.allclose(data.train.landmarks[i], xy, atol=1e-6)
    usable = np.isfinite(data.train.landmarks).all((1, 2))
    assert [name in good for name in data.train.names.tolist()] == usable.tolist()
    mean, deviation = data.train.images[:].mean() / 255, data.train.images[:].std() / 255
    assert 0.45 < mean < 0.55 and 0.2 < deviation < 0.3

    folder = tmp_path / "folder"
    for split in SPLITS:
        with zipfile.ZipFile(MINI / f"{split}.zip") as archive:
            archive.extractall(folder)
    assert opened(folder, tmp_path / "root2").fingerprint == data.fingerprint

    rows = {
        split: {row[0]: row[2:] for row in csv.reader((folder / split / "label.csv").open(newline=""))}
        for split in SPLITS
    }
    where = {name: split for split in SPLITS for name in rows[split]}
    pair = csv_pair(tmp_path / "csv", rows, lambda n: np.asarray(Image.open(folder / where[n] / n)))
    again = opened(pair, tmp_path / "root3")
    assert again.fingerprint == data.fingerprint and np.array_equal(again.train.labels, data.train.labels)


@full
@pytest.mark.slow
def test_full_decode_and_leaks(tmp_path: Path):
    data = opened(FULL, tmp_path / "root")
    train = {split: data.train.images[np.char.startswith(data.train.names, split)] for split in SPLITS[:2]}
    assert abs(train["FER2013Train"].mean() / 255 - 0.5070) < 5e-5
    assert abs(train["FER2013Train"].std() / 255 - 0.2542) < 5e-5
    assert data.info["test_images_also_in_train"] == 254
    clean = opened(FULL, tmp_path / "root", drop_leaks=True)
    assert clean.info["test_images_also_in_train"] == 0 and clean.fingerprint != data.fingerprint
    assert 254 <= clean.info["dropped"]["exact copy of a used test image"]["count"] == 28236 - len(clean.train.labels)
