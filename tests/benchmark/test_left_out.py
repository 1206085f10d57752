"""Nothing is left out in silence: other folders, pictures that no list names, splits of other names, CSVs of other tools."""

from pathlib import Path

import pytest
from pictures import encode_pixels, random_pixels
from test_forms import KAGGLE, folders, opened

from benchmark.datasets.base import DataError
from benchmark.datasets.folder import ImageFolder
from benchmark.datasets.rafdb import RAFDB


def picture(seed: int) -> bytes:
    return encode_pixels(random_pixels(seed))


def listed(base: Path, mark: str = ",", encoding: str = "utf-8", rows: slice = slice(None)) -> Path:
    """images.csv of the pictures below `base`."""
    lines = [
        mark.join([p.relative_to(base).as_posix(), p.parent.name, p.parts[-3]]) for p in sorted(base.rglob("*.jpg"))
    ]
    text = "\r\n".join([mark.join(("path", "label", "split")), *lines[rows]])
    (base / "images.csv").write_bytes(text.encode(encoding))
    return base


@pytest.mark.parametrize("dataset", [ImageFolder, RAFDB])
def test_pictures_beside_the_splits_are_counted_and_said(tmp_path: Path, dataset: type) -> None:
    base = folders(tmp_path / "own", splits=("train", "test", "extra"))
    (base / "stray.png").write_bytes(picture(0))
    (base / "train" / "readme.txt").write_text("x")
    card = opened(base, tmp_path, dataset).info
    assert card["dropped"]["pictures that no split and no list names"]["count"] == 15
    assert any("15 pictures are left out, which lie in no split's folder" in line for line in card["warnings"])
    assert any("1 file is left out as no pictures" in line for line in card["warnings"])


def test_pictures_that_a_list_leaves_out_are_counted_and_said(tmp_path: Path) -> None:
    card = opened(listed(folders(tmp_path / "own"), rows=slice(0, None, 2)), tmp_path).info
    assert card["dropped"]["pictures that no split and no list names"]["count"] == 14
    assert any("14 pictures are left out" in line for line in card["warnings"])


def test_a_dev_split_is_a_third_split(tmp_path: Path) -> None:
    data = opened(folders(tmp_path / "own", splits=("train", "dev", "test")), tmp_path)
    assert (len(data.train.labels), len(data.test.labels)) == (28, 14)
    assert "14 pictures) is trained on" in data.info["warnings"][0]


def test_a_parquet_file_of_no_split_is_not_shared_among_the_others(tmp_path: Path) -> None:
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    (tmp_path / "hf").mkdir()
    for s, split in enumerate(("train", "test", "more")):
        rows = [{"image": {"bytes": picture(100 * s + c)}, "label": name} for c, name in enumerate(KAGGLE)]
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "hf" / f"{split}-00000-of-00001.parquet")
    with pytest.raises(DataError, match=r"more-00000-of-00001.parquet: which split is it\?"):
        opened(tmp_path / "hf", tmp_path)


def test_a_folder_in_a_folder_of_its_own_name(tmp_path: Path) -> None:
    base = folders(tmp_path / "own", splits=("train/train", "test/test/test"))
    assert len(opened(base, tmp_path).train.labels) == len(opened(base, tmp_path).test.labels) == 14


def test_data_that_lies_deeper_is_pointed_to(tmp_path: Path) -> None:
    folders(tmp_path / "own" / "archive" / "data")
    with pytest.raises(DataError, match=r"lies deeper; give .*own/archive/data"):
        opened(tmp_path / "own", tmp_path)


@pytest.mark.parametrize(("mark", "encoding"), [(";", "utf-8"), ("\t", "utf-8-sig"), (", ", "utf-16"), (";", "utf-16")])
def test_csv_files_of_other_tools(tmp_path: Path, mark: str, encoding: str) -> None:
    data = opened(listed(folders(tmp_path / "own"), mark, encoding), tmp_path)
    assert len(data.train.labels) == len(data.test.labels) == 14 and len(data.classes) == 7


def test_a_list_beside_one_folder_of_pictures_says_the_labels(tmp_path: Path) -> None:
    for s, split in enumerate(("train", "test")):
        base = tmp_path / "own" / split
        (base / "images").mkdir(parents=True)
        for c, name in enumerate(KAGGLE):
            (base / "images" / f"{name}.png").write_bytes(picture(10 * s + c))
        rows = "".join(f"images/{name}.png,{name}\n" for name in KAGGLE)
        (base / "metadata.csv").write_text("file_name,label\n" + rows)
    assert len(opened(tmp_path / "own", tmp_path).classes) == 7


def test_a_link_into_its_own_folder_is_named_with_the_reason(tmp_path: Path) -> None:
    base = folders(tmp_path / "own")
    (base / "train" / "loop").symlink_to(base)
    with pytest.raises(DataError, match=r"own/train/loop/.*: Too many levels of symbolic links") as error:
        opened(base, tmp_path)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("images.csv", "emotion,pixels,Usage\n0,1 2 3,Training\n", "FER2013's file of pixels.*--data ferplus=PATH"),
        ("images.csv", "path,happy,sad\n1.png,1,0\n", "one column 'label'"),
        ("images.csv", "1.png,happy,train\n", "names of the columns above it"),
        ("images.csv", "sep=;\npath;label\n1.png;happy\n", "the first line is for Excel alone: remove it"),
        ("images.csv", "path,label,label\n1.png,happy,sad\n", "line 1: two columns 'label'; keep one of them"),
        ("fer2013.csv", "emotion,pixels,Usage\n", "FER2013's pixels are here.*--data ferplus=PATH"),
        ("metadata.jsonl", "{}", "metadata.jsonl is not read: write it as metadata.csv"),
    ],
)
def test_what_is_not_read_is_named_by_its_form(tmp_path: Path, name: str, text: str, words: str) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / name).write_text(text)
    with pytest.raises(DataError, match=words):
        opened(tmp_path / "own", tmp_path)


@pytest.mark.parametrize(("name", "said"), [("valid.zip", True), ("train.zip", False), ("notes.zip", False)])
def test_a_further_split_in_an_archive_is_said(tmp_path: Path, name: str, said: bool) -> None:
    base = folders(tmp_path / "own")
    (base / name).write_bytes(b"PK")
    lines = opened(base, tmp_path).info["warnings"]
    assert any("(1 .zip): valid.zip" in line for line in lines) == said


def test_names_may_hold_the_spaces_of_any_language(tmp_path: Path) -> None:
    base = folders(tmp_path / "own")
    for n, name in enumerate(("Screenshot 3.00\u202fPM.png", "a\u00a0b.png", "\u5168\u3000\u89d2.png")):
        (base / "train" / "happy" / name).write_bytes(picture(500 + n))
    assert len(opened(base, tmp_path).train.labels) == 17
    (base / "train" / "happy" / "new\nline.png").write_bytes(picture(1))
    with pytest.raises(
        DataError, match=r"new.nline.png': a control character in a file name, or none of UTF-8; rename"
    ):
        opened(base, tmp_path)
