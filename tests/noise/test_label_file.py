"""Lists of noisy labels: what is read, and every broken form with its message."""

import numpy as np
import pytest

from benchmark import plugins
from noise.base import NoiseError, Training
from noise.expressions import EIGHT, ORDERS, SEVEN

NAMES = [f"train_{i:05}.jpg" for i in range(1, 8)]


def read(tmp_path, text, names=NAMES, classes=SEVEN, dataset="rafdb", options="wrong=most", labels=None):
    path = tmp_path / "list.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    clean = np.zeros(len(names), np.int64) if labels is None else np.array([classes.index(n) for n in labels])
    data = Training(clean, classes, names=np.array(names), dataset=dataset)
    return plugins.make_noise(f"file:{path}?{options}" if options else f"file:{path}").labels(data, 0.5, 3)


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


@pytest.mark.parametrize(
    "text",
    [
        rows(range(7)).encode("utf-16"),
        "image;label\n" + rows(range(7)).replace(" ", ";"),
        "file,y_noisy\n" + rows(range(7)).replace(" ", ", "),
        rows([f"{n}.0" for n in range(7)]),
    ],
)
def test_lists_of_other_tools_are_read(tmp_path, text):
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
        (rows(["amused", *SEVEN[:6]]), r"line 1: label 'amused' is no class; classes: anger"),
        (rows(["contempt", *SEVEN[:6]]), r"line 1: 'contempt' is no class of this data set"),
        (rows(range(7)) + "train_00002_aligned.jpg 1\n", r"line 8: image 'train_00002_aligned.jpg'.*line 2"),
        (
            rows(range(7)).replace("train_00004", "train_40000"),
            r"1 of 7.*'train_00004.jpg', and a name in the list is 'train_00001.jpg'",
        ),
        (b"\xff\x00 1\n", "UTF-8"),
    ],
)
def test_broken_lists_are_refused_in_one_clear_line(tmp_path, text, message):
    with pytest.raises(NoiseError, match=message) as caught:
        read(tmp_path, text)
    assert "list.txt" in str(caught.value) and "\n" not in str(caught.value)


RAF_DB = ORDERS["rafdb"]
OFFICIAL = ("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear")  # FER+'s columns


def test_numbers_of_other_data_sets_need_a_named_order_and_the_likely_one_is_told(tmp_path):
    with pytest.raises(
        NoiseError, match=r"line 1: label numbers have no order.*\?order=NAME.*100%, agree if it is ferplus"
    ):
        read(tmp_path, rows(range(7)), dataset="ferplus", options="", labels=OFFICIAL)


@pytest.mark.parametrize(
    "head, options", [("", "order=ferplus"), ("# order: ferplus\n", ""), ("# Order = ferplus\n", "")]
)
def test_a_named_order_is_followed(tmp_path, head, options):
    names, labels = [*NAMES, "x.png"], [*OFFICIAL, "contempt"]
    found = read(tmp_path, head + rows([0, 1, 2, 3, 4, 5, 5, 7], names), names, EIGHT, "ferplus", options, labels)
    assert [EIGHT[c] for c in found] == [*OFFICIAL[:6], "disgust", "contempt"]


def test_orders_are_those_of_the_publications():
    assert ORDERS["affectnet"] == (
        "neutral",
        "happiness",
        "sadness",
        "surprise",
        "fear",
        "disgust",
        "anger",
        "contempt",
    )
    assert ORDERS["fer2013"] == ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
    assert ORDERS["ferplus"] == (*OFFICIAL, "contempt") and ORDERS["rafdb"] == RAF_DB


def test_an_unknown_order_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(NoiseError, match=r"no order 'ferpluss' \(did you mean 'ferplus'\?\)"):
        read(tmp_path, rows(range(7)), options="order=ferpluss")
    with pytest.raises(NoiseError, match=r"there is no order ''\. Known: "):
        read(tmp_path, rows(range(7)), options="order=")


def test_the_order_belongs_to_the_identity(tmp_path):
    (tmp_path / "list.txt").write_text(rows(range(7)))
    plain, named, meant = (f"file:{tmp_path}/list.txt{o}" for o in ("", "?order=ferplus", "?wrong=most"))
    assert plugins.make_noise(plain).identity() != plugins.make_noise(named).identity()
    assert plugins.make_noise(plain).identity() == plugins.make_noise(meant).identity()  # says nothing of the labels


def test_a_list_that_contradicts_most_labels_is_refused_unless_it_is_meant_to(tmp_path):
    text, labels = rows(range(7)), ["neutral"] * 3 + list(RAF_DB[3:])
    assert read(tmp_path, text, options="", labels=labels).tolist() == [SEVEN.index(n) for n in RAF_DB]  # 4 of 7 agree
    with pytest.raises(NoiseError, match=r"contradicts 71% of.*list.txt\?wrong=most"):
        read(tmp_path, text, options="", labels=[*["neutral"] * 4, "anger", "anger", "neutral"])


@pytest.mark.parametrize(("dataset", "options"), [("rafdb", ""), ("ferplus", "order=affectnet")])
def test_numbers_that_fit_the_labels_better_in_another_order_are_refused(tmp_path, dataset, options):
    """Most faces are happy or neutral, which stand in one place in several orders: most labels agree all the same."""
    written = {"rafdb": "fer2013", "ferplus": "ferplus"}[dataset]
    labels = [*SEVEN, *["happiness", "neutral"] * 4]
    names = [f"train_{i:05}.jpg" for i in range(len(labels))]
    text = rows([ORDERS[written].index(name) for name in labels], names)
    if written == "ferplus":
        text = "x.jpg 7\n" + text
    with pytest.raises(NoiseError, match=rf"100% of .* order of {written}, \d+% in .*order={written}.*wrong=most"):
        read(tmp_path, text, names, dataset=dataset, options=options, labels=labels)
    right = read(tmp_path, text, names, dataset=dataset, options=f"order={written}", labels=labels)
    assert [SEVEN[c] for c in right] == labels
    read(tmp_path, text, names, dataset=dataset, options="&".join([*([options] if options else []), "wrong=most"]))


def test_class_words_are_understood_as_people_write_them(tmp_path):
    words = ["Angry", "3_disgusted", "Fear", "Happy", "sad", "suprise", "6. NEUTRAL"]
    found = read(tmp_path, "image,label\n" + "".join(f"{n},{w}\n" for n, w in zip(NAMES, words)), dataset="folder")
    assert found.tolist() == list(range(7))


def test_names_match_by_file_name_whatever_folder_is_in_front(tmp_path):
    listed = [f"D:\\data\\aligned\\{name}" for name in NAMES]
    np.testing.assert_array_equal(read(tmp_path, rows(range(7), listed)), read(tmp_path, rows(range(7))))
    held = [f"train/{n}/{name}" for n, name in enumerate(NAMES)]
    np.testing.assert_array_equal(read(tmp_path, rows(range(7)), held), read(tmp_path, rows(range(7))))


def test_accents_match_however_a_file_system_spells_them(tmp_path):
    one_sign, two_signs = ([f"Ren{e}{n}.jpg" for n in range(7)] for e in ("\u00e9", "e\u0301"))
    expected = read(tmp_path, rows(range(7))).tolist()
    assert read(tmp_path, rows(range(7), two_signs), one_sign).tolist() == expected
    assert read(tmp_path, rows(range(7), one_sign), two_signs).tolist() == expected
    with pytest.raises(NoiseError, match=r"line 8.*already listed in line 1"):
        read(tmp_path, rows(range(7), one_sign) + rows([0], two_signs), one_sign)


def test_equal_file_names_in_two_folders_are_not_guessed(tmp_path):
    names = ["train/a/1.png", "train/b/1.png", *NAMES[:5]]
    with pytest.raises(NoiseError, match=r"2 of 7.*'train/a/1.png'"):
        read(tmp_path, rows(range(7), ["1.png", "other/1.png", *NAMES[:5]]), names)


def test_a_name_may_hold_spaces_before_a_tab(tmp_path):
    names = [f"train/0 neutral/{name}" for name in NAMES]
    text = "".join(f"{name}\t{label}\n" for name, label in zip(names, range(7)))
    np.testing.assert_array_equal(read(tmp_path, text, names), read(tmp_path, rows(range(7))))


def test_images_that_a_list_cannot_tell_apart_are_refused(tmp_path):
    with pytest.raises(NoiseError, match=r"'train_00001.jpg' and 'train_00001.png'"):
        read(tmp_path, rows(range(7)), ["train_00001.jpg", "train_00001.png"])


@pytest.mark.parametrize("path", ["missing.txt", "."])
def test_an_unreadable_path_is_named(tmp_path, path):
    kind = plugins.make_noise(f"file:{tmp_path / path}")
    with pytest.raises(NoiseError, match="cannot be read"):
        kind.labels(Training(np.zeros(7, int), SEVEN, names=np.array(NAMES)), 0.0, 0)


def test_a_list_needs_image_names(tmp_path):
    with pytest.raises(NoiseError, match="names"):
        plugins.make_noise(f"file:{tmp_path}").labels(Training(np.zeros(7, int), SEVEN), 0.0, 0)


def test_identity_is_the_content_and_not_the_path(tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text(rows(range(7)))
    second.write_text(rows(range(7)))
    identity = plugins.make_noise(f"file:{first}").identity()
    assert identity == plugins.make_noise(f"file:{second}").identity() and str(tmp_path) not in identity
    second.write_text(rows(range(1, 8)))
    assert identity != plugins.make_noise(f"file:{second}").identity()
