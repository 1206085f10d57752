"""A table as a picture: every entry in it, bold and grey as the other formats have them, nothing cut off or on top of another."""

import pytest
from matplotlib.text import Text

from reports.pictures.table import draw_table, table_picture
from reports.table import Block, Entry, Table, measured_columns

WIDE = "a method with a long name"
ROWS = [
    [Entry(WIDE), Entry("84.1±1.0", best=True), Entry("no data"), Entry("82.98±0.09", published=True)],
    [Entry("B $x$"), Entry("7.0±0.1"), Entry("0.5"), Entry("", published=True)],
]
TABLE = Table(
    "table1",
    "Table 1. Accuracy",
    "A caption of some length that goes on over more than one line of a narrow picture, and on.",
    [Block(f"noise, {rate} %", ["Method", "Faces", "FERPlus", "published"], ROWS) for rate in (10, 20)],
    notes=["†: a note."],
    stands_on=["five seeds"],
    facts=[{"method": "b", "mean": 0.5}],
)


@pytest.fixture
def texts() -> list[Text]:
    figure = draw_table(TABLE)
    figure.canvas.draw()
    return [text for text in figure.axes[0].texts if text.get_text()]


def test_every_entry_is_there_as_it_looks_elsewhere(texts: list[Text]) -> None:
    shown = [text.get_text() for text in texts]
    for words in (TABLE.title, "noise, 10 %", "noise, 20 %", "Method", WIDE, "84.1±1.0", r"B \$x\$", "†: a note."):
        assert shown.count(words) == (1 if "noise" in words or words in (TABLE.title, "†: a note.") else 2)
    assert " ".join(shown).replace("  ", " ").count(TABLE.caption) == 1
    look = {text.get_text(): (text.get_weight(), text.get_color()) for text in texts}
    assert look["84.1±1.0"][0] == "bold" and look["7.0±0.1"][0] == "normal"
    assert look["82.98±0.09"][1] != look["7.0±0.1"][1]


def test_nothing_is_cut_off_or_lies_on_another(texts: list[Text]) -> None:
    boxes = [text.get_window_extent() for text in texts]
    whole = texts[0].figure.bbox
    assert all(box.x0 >= 0 and box.x1 <= whole.x1 and box.y0 >= 0 and box.y1 <= whole.y1 for box in boxes)
    overlapping = [(a, b) for n, a in enumerate(boxes) for b in boxes[:n] if a.shrunk(0.98, 0.9).overlaps(b)]
    assert overlapping == []


def test_the_file_says_what_it_stands_on_and_of_which_numbers_it_is() -> None:
    content = table_picture(TABLE).png
    assert content.startswith(b"\x89PNG") and b"five seeds" in content and b"table1.csv, sha256 " in content


def test_data_sets_without_runs_are_left_out_with_what_stands_beside_them() -> None:
    columns = ["Method", "Faces", "rank", "RAF-DB", "published", "FERPlus", "published", "difference"]
    row = [Entry(text) for text in ("A", "80.0", "1", "no data", "88.5", "66.0", "87.2", "−21.2")]
    shown = measured_columns(Block("noise", columns, [row, row]))
    assert shown.columns == ["Method", "Faces", "rank", "FERPlus", "published", "difference"]
    assert [entry.text for entry in shown.rows[1]] == ["A", "80.0", "1", "66.0", "87.2", "−21.2"]
    nothing = Block("noise", ["Method", "RAF-DB", "published"], [[Entry("A"), Entry("no data"), Entry("88.5")]])
    assert measured_columns(nothing) == nothing
