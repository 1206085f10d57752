"""AffectNet: the lists with face boxes, the folders of ready faces, and what is refused."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from pictures import open_pictures
from pictures import save_pixels as save
from PIL import Image

from benchmark.cache.decoded import Data
from benchmark.datasets.affectnet import AffectNet
from benchmark.datasets.base import DataError

LABELS = ["neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"]
BOX = ["face_x", "face_y", "face_width", "face_height"]
COLUMNS = ["subDirectory_filePath", *BOX, "facial_landmarks", "expression", "valence", "arousal"]


def picture(seed: int, size: tuple[int, int] = (160, 200)) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize(size))


def points_of(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(30, 150, (68, 2)).astype(float)


def row_of(number: int, label: int) -> list:
    points = ";".join(f"{value:.1f}" for value in points_of(number).ravel())
    return [f"{number % 3}/{number:04}.png", 20, 30, 112, 120, points, label, 0.1, -0.1]


def write_list(path: Path, rows: list[list], header: bool = True) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(([COLUMNS] if header else []) + rows)


@pytest.fixture
def lists(tmp_path: Path) -> Path:
    base = tmp_path / "lists"
    train = [row_of(number, number) for number in range(11)]
    test = [row_of(100 + number, number) for number in range(8)]
    for row in train[:8] + test:
        save(base / "Manually_Annotated_Images" / row[0], picture(int(row[0][2:6])))
    write_list(base / "training.csv", train)
    write_list(base / "validation.csv", test, header=False)
    return base


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    base = tmp_path / "sets"
    for folder, count in (("train_set", 9), ("val_set", 8)):
        (base / folder / "annotations").mkdir(parents=True)
        for number in range(count):
            save(base / folder / "images" / f"{number}.jpg", picture(number, (224, 224)))
            label = np.array(str(number % 8)) if number % 2 else np.array(number % 8)
            np.save(base / folder / "annotations" / f"{number}_exp.npy", label)
            points = points_of(number) if number % 2 else points_of(number).ravel()
            np.save(base / folder / "annotations" / f"{number}_lnd.npy", points)
    return base


def read(path: Path, **options):
    return AffectNet().read(path, AffectNet.Options(**options))


def opened(path: Path, root: Path, **options) -> Data:
    return open_pictures(path, root, AffectNet, **options)


def test_lists_are_cut_to_the_face_box(lists: Path, tmp_path: Path):
    data = opened(lists, tmp_path / "root")
    assert data.train.images.shape == (8, 112, 112, 3) and data.test.images.shape == (8, 112, 112, 3)
    for split, first in ((data.train, 0), (data.test, 100)):
        for name, label, image, points in zip(split.names, split.labels, split.images, split.landmarks):
            number = int(name[2:6])
            assert data.classes[label] == LABELS[number - first]
            face = picture(number)[30:150, 20:132]
            assert np.abs(image.astype(int).mean((0, 1)) - face.mean((0, 1))).max() < 1
            assert np.allclose(points, (points_of(number) - (20, 30)) / (112, 120), atol=1e-6)
    assert set(data.info["dropped"]) == {"none of the emotions", "uncertain", "no face"}
    assert data.info["facts"]["dropped"] == {"none of the emotions": 1, "uncertain": 1, "no face": 1}
    assert data.info["facts"]["note"] == "which class set the paper used is not known"


def test_pictures_of_the_lists_are_cut_as_their_files_lie_whatever_exif_says(lists: Path, tmp_path: Path):
    """Boxes and points are in the coordinates of the file: a picture that were turned first would be cut elsewhere."""
    upright = opened(lists, tmp_path / "root")
    turned_by = Image.Exif()
    turned_by[0x0112] = 6  # shown turned by a quarter
    for path in (lists / "Manually_Annotated_Images").rglob("*.png"):
        Image.open(path).save(path, exif=turned_by)
    data = opened(lists, tmp_path / "other")
    assert np.array_equal(data.train.images, upright.train.images)
    assert np.array_equal(data.test.landmarks, upright.test.landmarks)


def test_ready_faces_are_turned_as_exif_says_only_where_no_points_would_be_left_behind(sets: Path, tmp_path: Path):
    upright = opened(sets, tmp_path / "root")
    turned_by = Image.Exif()
    turned_by[0x0112] = 6
    for number in (3, 4):
        path = sets / "train_set" / "images" / f"{number}.jpg"
        Image.open(path).save(path, exif=turned_by, quality="keep")
    (sets / "train_set" / "annotations" / "4_lnd.npy").unlink()
    data = opened(sets, tmp_path / "other")
    assert np.abs(data.train.images[3].astype(int) - upright.train.images[3]).mean() < 3  # encoded again
    assert np.array_equal(data.train.landmarks[3], upright.train.landmarks[3])
    quarter = np.rot90(upright.train.images[4], -1).astype(int)
    assert np.abs(data.train.images[4].astype(int) - quarter).mean() < 3


def test_face_boxes_may_reach_over_the_edge(lists: Path, tmp_path: Path):
    rows = [row_of(number, number) for number in range(8)]
    rows[0][1:5] = [-56, 0, 112, 112]
    write_list(lists / "training.csv", rows)
    data = opened(lists, tmp_path / "root")
    stored = data.train.images[data.train.names.tolist().index(rows[0][0])]
    assert np.array_equal(stored[:, 56:], picture(0)[:112, :56])
    assert np.array_equal(stored[:, :56], np.repeat(picture(0)[:112, :1], 56, 1))


def test_seven_classes_leave_contempt_out(lists: Path, sets: Path):
    for path in (lists, sets):
        source = read(path, classes=7)
        assert "contempt" not in source.classes and len(source.test.names) == 7
        assert len(source.dropped["contempt (7 classes)"]) == 2
        assert "283,901 / 3,500" in source.warnings[0]
    with pytest.raises(DataError, match=r"affectnet.classes=6: choose one of 8, 7"):
        AffectNet.Options(classes=6)


def test_ready_faces(sets: Path, tmp_path: Path):
    data = opened(sets, tmp_path / "root")
    assert data.train.images.shape == (9, 112, 112, 3)
    for name, label, points in zip(data.train.names, data.train.labels, data.train.landmarks):
        number = int(name.removesuffix(".jpg"))
        assert data.classes[label] == LABELS[number % 8]
        assert np.allclose(points, points_of(number) / 224, atol=1e-6)
    assert "287,651 / 4,000" in data.info["warnings"][0]


def test_labels_written_again_in_place_are_read_again(sets: Path, tmp_path: Path):
    before = opened(sets, tmp_path / "root")
    for path in (sets / "train_set" / "annotations").glob("*_exp.npy"):
        label = int(np.load(path))
        np.save(path, np.array((label + 1) % 8))
    after = opened(sets, tmp_path / "root")
    assert after.fingerprint != before.fingerprint
    assert (np.asarray(after.train.labels) != np.asarray(before.train.labels)).any()


def test_two_archives_are_the_same_data(sets: Path, tmp_path: Path):
    for name in ("train_set", "val_set"):
        shutil.make_archive(str(tmp_path / "handed" / name), "tar", sets, name)
    expected = opened(sets, tmp_path / "root").fingerprint
    assert opened(tmp_path / "handed", tmp_path / "root").fingerprint == expected


def test_faces_without_points_are_not_usable(sets: Path):
    (sets / "train_set" / "annotations" / "3_lnd.npy").unlink()
    source = read(sets)
    usable = np.isfinite(source.train.landmarks).all((1, 2))
    assert [name for name, good in zip(source.train.names, usable) if not good] == ["3.jpg"]


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("expression", 11, "line 4: expression '11', expected a whole number from 0 to 10"),
        ("expression", -1, "line 4: expression '-1'"),
        ("face_width", 0, "line 4: face_width '0'"),
        ("face_height", 100000, "line 4: face_height '100000'"),
        ("facial_landmarks", "1;2;3", "line 4: facial_landmarks '1;2;3', expected 68 points"),
        ("subDirectory_filePath", "0/0000.png", r"line 4: 0/0000.png was listed before \(line 2\)"),
        ("subDirectory_filePath", "../../etc/x.png", "line 4: .*leads outside"),
        ("subDirectory_filePath", "2/\x1b.png", "line 4: .*control character"),
        ("facial_landmarks", "1" * 1_000_001, "after line 3: .*more than 1,000,000 characters"),
    ],
)
def test_bad_rows_are_refused(lists: Path, column: str, value: object, message: str):
    rows = [row_of(number, number) for number in range(8)]
    rows[2][COLUMNS.index(column)] = value
    write_list(lists / "training.csv", rows)
    with pytest.raises(DataError, match=rf"affectnet: lists/training.csv, {message}") as error:
        read(lists)
    assert "\n" not in str(error.value)


def test_missing_pictures_are_named(lists: Path):
    (lists / "Manually_Annotated_Images" / "1" / "0004.png").unlink()
    with pytest.raises(DataError, match=r"1 of 8 listed images are not in Manually_Annotated_Images/: 1/0004.png"):
        read(lists)


def test_box_outside_and_image_bomb_are_listed(lists: Path, tmp_path: Path):
    rows = [row_of(number, number) for number in range(8)]
    rows[0][1] = 161
    write_list(lists / "training.csv", rows)
    save(lists / "Manually_Annotated_Images" / "1" / "0001.png", np.zeros((1, 4097, 3), np.uint8))
    with pytest.raises(DataError, match=r"affectnet: 2 images cannot be used") as error:
        opened(lists, tmp_path / "root")
    assert "face box (161, 30, 112, 120) lies outside of 160 x 200" in str(error.value)
    assert "0001.png: 4097 x 1 pixels" in str(error.value)


class Harm:
    def __reduce__(self):
        return (print, ("ran code",))


def test_pickled_arrays_are_refused(sets: Path, capsys: pytest.CaptureFixture):
    with (sets / "train_set" / "annotations" / "2_exp.npy").open("wb") as file:
        np.save(file, np.array([Harm()], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"train_set/annotations/2_exp.npy: a pickled object.*save it again"):
        read(sets)
    assert "ran code" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("2_exp.npy", np.array(11), "label '11', expected a whole number from 0 to 10"),
        ("2_exp.npy", np.array([1, 2]), "2 values, expected one label"),
        ("2_lnd.npy", np.zeros(135), r"float64 of shape \(135,\), expected 68 points"),
        ("2_lnd.npy", np.array("x"), "expected 68 points"),
    ],
)
def test_bad_arrays_are_refused(sets: Path, name: str, value: np.ndarray, message: str):
    np.save(sets / "val_set" / "annotations" / name, value)
    with pytest.raises(DataError, match=rf"affectnet: val_set/annotations/{name}: .*{message}"):
        read(sets)


def test_missing_labels_and_broken_arrays(sets: Path):
    (sets / "train_set" / "annotations" / "5_exp.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"5_exp.npy: not a readable .npy file"):
        read(sets)
    (sets / "train_set" / "annotations" / "5_exp.npy").unlink()
    with pytest.raises(DataError, match=r"labels of 1 of 9 images are not there: 5_exp.npy"):
        read(sets)


def test_misplaced_folders_are_explained(lists: Path, sets: Path, tmp_path: Path):
    with pytest.raises(DataError, match=r"nowhere: there is no such folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(DataError, match=rf"give the folder above: {sets}$"):
        read(sets / "train_set")
    with pytest.raises(DataError, match=r"the data lies one folder below"):
        read(tmp_path)
    (lists / "validation.csv").unlink()
    with pytest.raises(DataError, match=r"found training.csv but not"):
        read(lists)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"no data as its authors hand it out; expected training.csv, validation.csv"):
        read(tmp_path / "empty")


def test_another_box_is_another_data_set(lists: Path, tmp_path: Path):
    first = opened(lists, tmp_path / "root")
    rows = [row_of(number, number) for number in range(8)]
    rows[0][1] = 21
    write_list(lists / "training.csv", rows)
    assert opened(lists, tmp_path / "root").fingerprint != first.fingerprint


def test_a_class_without_a_picture_is_said(sets: Path, tmp_path: Path):
    for part in ("train_set", "val_set"):
        (sets / part / "annotations" / "7_exp.npy").unlink()
        (sets / part / "images" / "7.jpg").unlink()
    line = "affectnet: no picture of class contempt in {} (--set affectnet.classes=7 leaves contempt out)"
    found = opened(sets, tmp_path / "root").info["warnings"]
    assert line.format("train") in found and line.format("test") in found
    assert not [
        text for text in opened(sets, tmp_path / "root", classes=7).info["warnings"] if "class contempt" in text
    ]


def test_labels_of_spreadsheets_are_whole_numbers(lists: Path, tmp_path: Path):
    expected = opened(lists, tmp_path / "a").fingerprint
    rows = [row_of(number, number) for number in range(11)]
    write_list(lists / "training.csv", [[*row[:6], f"{row[6]}.0", *row[7:]] for row in rows])
    assert opened(lists, tmp_path / "b").fingerprint == expected


def test_landmarks_that_name_no_picture_are_said(lists: Path, tmp_path: Path):
    for name, count in (("training.csv", 11), ("validation.csv", 8)):
        start = 0 if count == 11 else 100
        write_list(lists / name, [[*(r := row_of(start + n, n))[:5], "-1", *r[6:]] for n in range(count)])
    (line,) = [line for line in opened(lists, tmp_path / "root").info["warnings"] if "landmarks" in line]
    assert "usable for 0 of 8 training images; do they name these pictures?" in line
