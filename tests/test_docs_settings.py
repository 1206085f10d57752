"""The pages print the settings that the methods have: published, and of the demo scale."""

import ast
import re
from pathlib import Path

import pytest

from benchmark.plan import catalogue

DOCS = Path(__file__).resolve().parent.parent / "docs"
TUNED = ("scn", "rul", "eac", "lanet")
PAGES = [path.stem for path in (DOCS / "methods").glob("*.md") if path.stem not in ("baseline", "more")]


def page(method: str) -> str:
    path = DOCS / "methods" / f"{method}.md"
    return (path if path.exists() else DOCS / "methods" / "more.md").read_text()


def table_column(method: str, heading: str) -> dict[str, str]:
    """A column of the table of settings; a row may have several options, with a value for each."""
    (header,) = re.findall(rf"^\| option \|.* {heading} .*\|$", page(method), re.M)
    place = header.split(" | ").index(heading)
    values = {}
    for row in re.findall(r"^\| `.*\|$", page(method), re.M):
        cells = row.strip("| ").split(" | ")
        options, texts = re.findall("`(.*?)`", cells[0]), re.findall(r"\([^)]*\)|[^,\s]+", cells[place])
        values |= dict(zip(options, texts, strict=True))
    return values


def printed(default: object) -> object:
    """As `read` gives it back from a page."""
    if default is None or isinstance(default, bool):
        return str(default).lower()
    return tuple(default) if isinstance(default, list) else default


def read(text: str) -> object:
    try:
        return ast.literal_eval(text.replace("−", "-"))
    except (ValueError, SyntaxError):
        return text


@pytest.mark.parametrize("method", TUNED)
def test_each_page_prints_what_the_search_chose(method: str, tmp_path: Path) -> None:
    chosen = {option: f"{value:g}" for option, (value, _) in catalogue.read_catalogue(tmp_path)[method]["demo"].items()}
    assert table_column(method, "demo") == table_column(method, "published") | chosen


def test_only_methods_of_the_page_have_settings_of_their_own(tmp_path: Path) -> None:
    cards = catalogue.read_catalogue(tmp_path)
    assert {name for name, card in cards.items() if card["demo"]} == set(TUNED)


@pytest.mark.parametrize("method", PAGES)
def test_the_settings_of_a_page_are_those_of_the_method(method: str, tmp_path: Path) -> None:
    info = catalogue.read_catalogue(tmp_path)[method]
    defaults = {name: printed(option["default"]) for name, option in info["parameters"].items()}
    defaults["recipe.augment.erase"] = info["recipe"]["augment"]["erase"]
    values = table_column(method, "published" if method in TUNED else "default")
    assert values and {name: read(text) for name, text in values.items()} == {name: defaults[name] for name in values}


def test_the_page_of_general_methods_prints_their_settings(tmp_path: Path) -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| (.*?) \|$", page("more"), re.M)
    infos = catalogue.read_catalogue(tmp_path)
    assert len(rows) == 15
    for method, options in rows:
        values = {name: read(text) for name, text in re.findall(r"`(\w+)` ([^,]+)", options) if "⁻" not in text}
        defaults = {name: printed(option["default"]) for name, option in infos[method]["parameters"].items()}
        assert values == {name: defaults[name] for name in values}, method


def test_each_option_of_a_method_is_on_its_page(tmp_path: Path) -> None:
    for method, info in catalogue.read_catalogue(tmp_path).items():
        missing = [name for name in info["parameters"] if not re.search(rf"[`.]{name}[`=]", page(method))]
        assert missing == [], method
