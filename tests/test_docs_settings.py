"""The pages print the settings of the demo scale that the methods have."""

import re
from pathlib import Path

import pytest

from benchmark.plan import catalogue

DOCS = Path(__file__).resolve().parent.parent / "docs"
TUNED = {"scn": "SCN", "rul": "RUL", "eac": "EAC", "lanet": "LA-Net"}


@pytest.mark.parametrize("method", TUNED)
def test_each_page_prints_what_the_search_chose(method: str, tmp_path: Path) -> None:
    chosen = {option: f"{value:g}" for option, (value, _) in catalogue.read_catalogue(tmp_path)[method]["demo"].items()}
    (row,) = re.findall(rf"^\| {TUNED[method]} \| (`.*`) \| (.*) \|$", (DOCS / "tuning.md").read_text(), re.M)
    printed = dict(zip(re.findall("`(.*?)`", row[0]), row[1].split(", "), strict=True))
    assert {option: printed[option] for option in chosen} == chosen
    page = (DOCS / "methods" / f"{method}.md").read_text().partition("**At demo scale**")[2].partition("\n\n")[0]
    assert dict(re.findall(r"`([\w.]+)` ([\d.]*\d)", page)) == chosen


def test_only_methods_of_the_page_have_settings_of_their_own(tmp_path: Path) -> None:
    cards = catalogue.read_catalogue(tmp_path)
    assert {name for name, card in cards.items() if card["demo"]} == set(TUNED)
