"""Lists of noisy labels: what is read, and every broken form with its message."""

import numpy as np
import pytest

from benchmark import find
from noise.base import NoiseError, Training
from noise.expressions import EIGHT, SEVEN
from noise.file import RAF_DB

NAMES = [f"train_{i:05}.jpg" for i in range(1, 8)]


def read(tmp_path, text, names=NAMES, classes=SEVEN):
    path = tmp_path / "list.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    data = Training(np.zeros(len(names), np.int64), classes, names=np.array(names))
    return find.noise(f"file:{path}").labels(data, 0.5, 3)


def rows(labels, names=NAMES):
    return "".join(f"{name} {label}\n" for name, label in zip(names, labels))


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_are_in_raf_order_from_zero_or_one(tmp_path, first):
    found = read(tmp_path, rows(range(first, first + 7)))
    assert found.dtype == np.int64
    assert [SEVEN[c] for c in found] == list(RAF_DB)


def test_raf_order_is_converted_as_published(tmp_path):
    assert read(tmp_path, rows(range(7))).tolist() == [5, 2, 1, 3, 4, 0, 6]


def test_the_order_of_rows_does_not_matter(tmp_path):
    text = rows(range(7))
    backwards = "\n".join(reversed(text.splitlines()))
    np.testing.assert_array_equal(read(tmp_path, text), read(tmp_path, backwards))


def test_test_rows_decide_the_numbering_but_nothing_else(tmp_path):
    plain = rows([1, 2, 3, 4, 5, 6, 6])
    found = read(tmp_path, "test_0001.jpg 7\ntest_0001.jpg 7\n" + plain)
    assert [SEVEN[c] for c in found] == [RAF_DB[i] for i in (0, 1, 2, 3, 4, 5, 5)]


@pytest.mark.parametrize("ending", ["_aligned.jpg", ".png", "_aligned.png", "", ".JPG"])
def test_names_may_be_written_in_several_ways(tmp_path, ending):
    listed = [name.removesuffix(".jpg") + ending for name in NAMES]
    np.testing.assert_array_equal(read(tmp_path, rows(range(7), listed)), read(tmp_path, rows(range(7))))
    np.testing.assert_array_equal(read(tmp_path, rows(range(7)), listed), read(tmp_path, rows(range(7))))


def test_blank_lines_tabs_marks_and_windows_endings_are_read(tmp_path):
    text = b"\xef\xbb\xbf" + rows(range(7)).replace(" ", "\t").replace("\n", "\r\n\r\n").encode()
    np.testing.assert_array_equal(read(tmp_path, text), read(tmp_path, rows(range(7))))


def test_class_names_serve_for_any_classes(tmp_path):
    names = [f"fer{i}.png" for i in range(8)]
    found = read(tmp_path, rows(["Contempt", *EIGHT[:7]], names), names, EIGHT)
    assert found.tolist() == [6, 0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "no rows"),
        ("\n \n", "no rows"),
        (rows(range(7)) + "train_00003.jpg\n", r"line 8: expected 'name label', found 'train_00003.jpg'"),
        (rows(range(7)) + "a b 3\n", r"line 8: expected 'name label'"),
        (rows([*range(6), 8]), r"line 7: label 8 is outside"),
        (rows([*range(6), -1]), r"line 7: label '-1' is not a number"),
        (rows([*range(6), 2.5]), r"line 7: label '2.5' is not a number"),
        (rows([0, 1, 2, 3, 4, 5, 7]), r"line 7: label 7, but line 1 has label 0"),
        (rows([1, 2, 3, 4, 5, 6, 6]), r"no label is 0 or 7.*class names"),
        (rows([*range(6), "anger"]), r"line 7: label 'anger' is not a number, as in line 1"),
        (rows(["angry", *SEVEN[:6]]), r"line 1: label 'angry' is no class; classes: anger"),
        (rows(["contempt", *SEVEN[:6]]), r"line 1: label 'contempt' is no class"),
        (rows(range(7)) + "train_00002_aligned.jpg 1\n", r"line 8: image 'train_00002_aligned.jpg'.*line 2"),
        (rows(range(7)).replace("train_00004", "train_40000"), r"1 of 7.*'train_00004.jpg'"),
        (b"\xff\xfe\x00 1\n", "UTF-8"),
    ],
)
def test_broken_lists_are_refused_in_one_clear_line(tmp_path, text, message):
    with pytest.raises(NoiseError, match=message) as caught:
        read(tmp_path, text)
    assert "list.txt" in str(caught.value) and "\n" not in str(caught.value)


def test_numbers_are_refused_for_eight_classes(tmp_path):
    with pytest.raises(NoiseError, match="line 1: numbers are defined for RAF-DB's seven classes only"):
        read(tmp_path, rows(range(7)), classes=EIGHT)


def test_images_that_a_list_cannot_tell_apart_are_refused(tmp_path):
    with pytest.raises(NoiseError, match=r"'train_00001.jpg' and 'train_00001.png'"):
        read(tmp_path, rows(range(7)), ["train_00001.jpg", "train_00001.png"])


@pytest.mark.parametrize("path", ["missing.txt", "."])
def test_an_unreadable_path_is_named(tmp_path, path):
    kind = find.noise(f"file:{tmp_path / path}")
    with pytest.raises(NoiseError, match="cannot be read"):
        kind.labels(Training(np.zeros(7, int), SEVEN, names=np.array(NAMES)), 0.0, 0)


def test_a_list_needs_image_names(tmp_path):
    with pytest.raises(NoiseError, match="names"):
        find.noise(f"file:{tmp_path}").labels(Training(np.zeros(7, int), SEVEN), 0.0, 0)


def test_identity_is_the_content_and_not_the_path(tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text(rows(range(7)))
    second.write_text(rows(range(7)))
    identity = find.noise(f"file:{first}").identity()
    assert identity == find.noise(f"file:{second}").identity() and str(tmp_path) not in identity
    second.write_text(rows(range(1, 8)))
    assert identity != find.noise(f"file:{second}").identity()
