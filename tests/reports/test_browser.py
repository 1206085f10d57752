"""report.html in a real browser: what is chosen is what the CSVs say, by keyboard too, without errors, at two widths.

Screenshots are left in FER_ARTEFACTS, where it is set.
"""

import csv
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from records import cell, request, table1, write_record
from test_divergence import table2
from test_figures import sweep
from test_tuned import searched

import reports
from reports.metrics import METRICS

playwright = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
MORE_THAN_A_PAGE = 400  # presses of the tabulator


def two_data_sets(folder: Path) -> Any:
    """Table 1 of two data sets with different orders of the rows and predictions of every epoch."""
    one, two = (
        table1(folder, seeds=5, rates=("0.1", "0.3"), step=0.02),
        table1(folder, "ferplus", 5, ("0.3",), step=-0.03),
    )
    return replace(one, cells=(*one.cells, *two.cells), columns=("rafdb", "ferplus"))


def with_mechanism(folder: Path) -> Any:
    """A table of one rate whose rows keep predictions of as many epochs as their history, and a curve that idles."""
    curve = {"name": "relabelled", "title": "Relabelled (%)", "idle": [0.0, 0.2], "idle_text": "nothing was relabelled"}
    history = {"test_accuracy": [0.5, 0.8], "relabelled": [0.1, 0.1]}
    cells = []
    for method, title, accuracy in (("baseline", "Baseline", 0.7), ("scn", "SCN", 0.85)):
        ids = [
            write_record(
                folder,
                method=method,
                noise="symmetric",
                rate="0.2",
                seed=seed,
                accuracy=accuracy + 0.005 * seed,
                history=history,
                resolved={"mechanism": [curve] if method == "scn" else [], "parameters": {"beta": 0.5, "kept": True}},
                noise_per_class=[0.2] * 8,
            )
            for seed in range(5)
        ]
        published = {"recipe": {"epochs": 60}, "parameters": {"beta": 0.7, "kept": True}}
        cells.append(cell(title, method, "rafdb", "0.2", ids, noise="symmetric", as_published=published))
    return request("table", "symmetric", cells)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Any]]:
    """A folder of records that tests make, and everything that is asked of it."""
    folder = tmp_path_factory.mktemp("page")
    whats = [two_data_sets(folder), with_mechanism(folder), table2(folder)[0]]
    whats += [sweep(folder, "tau", {"temperature": (0.05, 0.1, 0.2)}, ("0.2",))]
    whats += [request("figure", name, whats[1].cells) for name in ("mechanisms", "confusion")]
    whats += [request("figure", "2", [whats[2].cells[1]])]
    whats += [
        searched(folder, "table", "tuned"),
        searched(folder, "figure", "budget"),
        searched(folder, "figure", "sensitivity"),
    ]
    return folder, whats


@pytest.fixture(scope="module")
def report(asked: tuple[Path, list[Any]]) -> Path:
    folder, whats = asked
    return reports.Report(folder, folder / "out").draw_page(whats, folder="results/mine").files[0]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser: Any, report: Path) -> Iterator[Any]:
    """Opens the report; at the end says that there was no error and that nothing was loaded."""
    pages, wrong = [], []

    def start(viewport: dict[str, int] = DESKTOP, **options: Any) -> Any:
        page = browser.new_page(viewport=viewport, **options)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda one: one.url.startswith(("file:", "data:")) or wrong.append(f"loads {one.url}"))
        page.goto(report.as_uri())
        pages.append(page)
        return page

    yield start
    for page in pages:
        page.close()
    assert wrong == []


def choose(page: Any, **fields: str) -> None:
    for name, value in fields.items():
        page.select_option(f"select[name={name}]", value)


def options_of(page: Any, name: str) -> list[str]:
    return page.eval_on_selector_all(f"select[name={name}] option", "all => all.map(one => one.value)")


def shown_rows(page: Any) -> list[list[str]]:
    """Texts of the rows of the chosen table, best first."""
    read = "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))"
    return page.eval_on_selector_all("#rows tbody tr", read)


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_fits_the_window_with_everything_open(open_page: Any, viewport: dict[str, int]) -> None:
    page = open_page(viewport)
    choose(page, noise="symmetric")
    page.click("#rows .open >> nth=0")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    wide, small = page.evaluate("""() => {
        const all = [...document.querySelectorAll("main *")], start = one => one.outerHTML.slice(0, 120);
        const box = one => one.getBoundingClientRect(), size = one => parseFloat(getComputedStyle(one).fontSize);
        const hasText = one => [...one.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
        return [all.filter(one => box(one).right > innerWidth + 1 && !one.closest(".scroll")).map(start),
                all.filter(one => hasText(one) && size(one) < 11 && box(one).width).map(start)];
    }""")
    assert wide == []  # nothing that a reader cannot reach
    assert small == []  # or not read
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_every_choice_shows_the_numbers_of_the_csv(open_page: Any, asked: tuple[Path, list[Any]]) -> None:
    folder, whats = asked
    page, seen = open_page(), set()
    for what in whats[:2]:
        name = reports.output_stem(what)
        for measure in METRICS:
            for rule in ("last", "best", "last5"):
                options = reports.Options(rule=rule, metric=measure)
                reports.Report(folder, folder / "csv", options).draw(what)
                rows = [row for row in csv.DictReader((folder / "csv" / f"{name}.csv").open()) if row["n"] != "0"]
                for row in rows:
                    choose(page, dataset=row["dataset"], noise=row["noise"], rate=row["rate"], table=name)
                    choose(page, measure=measure)
                    assert rule in options_of(page, "rule")
                    choose(page, rule=rule)
                    by_title = {texts[0]: texts for texts in shown_rows(page)}
                    found = by_title[row["row"]]
                    assert found[1] == f"{float(row['mean']):.1f}±{float(row['std']):.1f}"
                    places = sorted({row["rank_low"], row["rank_high"]})
                    assert found[2] == "-".join(places)
                    seen.add((name, row["dataset"], row["rate"], measure, rule, row["row"], found[1]))
                if not rows:  # a combination that the records do not hold is not offered
                    choose(page, table=name, measure=measure)
                    assert rule not in options_of(page, "rule")
    assert len({one[-1] for one in seen}) > 20  # the numbers do change


def test_the_answer_names_the_best_and_whether_it_is_told_apart(open_page: Any) -> None:
    page = open_page(PHONE)
    choose(page, dataset="rafdb", rate="0.3", measure="accuracy", rule="last")
    assert page.inner_text("#answer").startswith("Best: LA-Net 59.0±0.8 %. It is ")
    assert "from the second, EAC (57.0±0.8 %): +2.0 [" in page.inner_text("#answer")
    choose(page, dataset="ferplus")
    assert page.inner_text("#answer").startswith("Best: Baseline 51.0±0.8 %. It is ")
    assert [row[0] for row in shown_rows(page)] == ["Baseline", "SCN", "RUL", "EAC", "LA-Net"]


def test_two_rows_are_compared_in_both_directions(open_page: Any, asked: tuple[Path, list[Any]]) -> None:
    from reports.cells import read_cells
    from reports.paired import Hits, compare_cells
    from results.records import Records

    folder, whats = asked
    records = Records(folder)
    cells = [cell for cell in read_cells(whats[0], records, "last") if (cell.dataset, cell.rate) == ("rafdb", "0.3")]
    wanted, seeds = compare_cells(cells[4], cells[0], Hits(records, "last"))
    low, mean, high = wanted.low, wanted.mean, wanted.high
    page = open_page()
    choose(page, dataset="rafdb", rate="0.3")
    page.click("#rows .open:text-is('LA-Net')")
    page.select_option("#row select", label="Baseline")
    assert f"LA-Net less Baseline: {mean:+.1f} [{low:+.1f}, {high:+.1f}] points" in page.inner_text("#row .said")
    assert f"{seeds} seeds: told apart" in page.inner_text("#row .said")
    page.click("#rows .open:text-is('Baseline')")
    page.select_option("#row select", label="LA-Net")
    turned = f"Baseline less LA-Net: {-mean:+.1f} [{-high:+.1f}, {-low:+.1f}] points".replace("-", "−")
    assert turned.replace("LA−Net", "LA-Net") in page.inner_text("#row .said")
    assert page.inner_text("#row figcaption >> nth=0").startswith("Baseline less LA-Net, each class")


def test_a_row_opens_with_its_curves_confusions_settings_and_runs(
    open_page: Any, asked: tuple[Path, list[Any]]
) -> None:
    page = open_page()
    choose(page, noise="symmetric")
    page.click("#rows .open:text-is('SCN')")
    page.evaluate("document.querySelectorAll('#row details').forEach(one => { one.open = true; })")
    text = page.inner_text("#row")
    assert "Relabelled (%); shaded: the idea is idle. Idle here: nothing was relabelled" in text
    assert "best epoch 88.0" in text and "last 86.0" in text  # as the records say, means over seeds
    assert "1 of 3 settings differ" in text or "Settings: 2 of" in text
    assert re.search(r"scn\.beta\s+0\.7\s+0\.5", text)
    ids = asked[1][1].cells[1].ids
    assert f"python -m benchmark reproduce {ids[0]} --results results/mine" in text
    page.click(f"#row .id:text-is('{ids[3]}')")
    assert f"python -m benchmark reproduce {ids[3]} --results results/mine" in page.inner_text("#row code")
    assert page.inner_text("#row .heat td >> nth=0") == "100"  # an identity matrix


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_three_choices_answer_which_is_best_how_surely_and_what_becomes_of_the_rarest_class(
    open_page: Any, viewport: dict[str, int]
) -> None:
    page = open_page(viewport)
    page.click("nav a:text-is('Explore')")
    choose(page, dataset="ferplus", measure="balanced")  # the highest rate is chosen from the start
    assert options_of(page, "rate") and page.eval_on_selector("select[name=rate]", "box => box.value") == "0.3"
    assert re.match(r"Best: \w+ [\d.±]+ %\. It is (not )?told apart from the second", page.inner_text("#answer"))
    page.click("#answer button")
    assert page.evaluate("document.activeElement.id") == "row"
    box = page.locator("#row .rarest").bounding_box()
    assert box["y"] >= 0 and box["y"] + box["height"] <= viewport["height"]  # seen without a further movement
    assert page.inner_text("#row .rarest") == "" or "of its test images are right" in page.inner_text("#row .rarest")


def test_what_was_opened_stays_open_if_the_window_changes_its_width(open_page: Any) -> None:
    page = open_page()
    page.click("#rows .open >> nth=0")
    page.click("#row details summary:has-text('Runs') >> nth=0")
    page.set_viewport_size(PHONE)
    page.wait_for_function("document.querySelector('#row svg').getBoundingClientRect().width < 390")
    assert page.eval_on_selector_all("#row details[open] > summary", "all => all.map(one => one.textContent)") == [
        page.inner_text("#row details summary:has-text('Runs') >> nth=0")
    ]


def test_each_control_works_by_keyboard(open_page: Any) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the numbers"
    page.evaluate("""() => {
        window.missing = [...document.querySelectorAll("a[href], button:enabled, select, summary, img[tabindex]")]
            .filter(one => one.checkVisibility()); }""")
    for _ in range(MORE_THAN_A_PAGE):
        page.evaluate("missing = missing.filter(one => one !== document.activeElement)")
        page.keyboard.press("Tab")
    assert page.evaluate("missing.map(one => one.outerHTML.slice(0, 100))") == []
    page.focus("select[name=dataset]")
    before = shown_rows(page)
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.name") == "dataset" and shown_rows(page) != before
    page.focus("#rows .open >> nth=1")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "row" and "SCN: FERPlus" in page.inner_text("#row h3")
    page.keyboard.press("Tab")  # Close
    page.keyboard.press("Tab")  # Compare with
    page.keyboard.press("ArrowDown")
    assert "SCN less Baseline" in page.inner_text("#row .said")
    assert page.evaluate("document.activeElement.tagName") == "SELECT"
    page.evaluate("document.querySelectorAll('#row details').forEach(one => { one.open = true; })")
    before = page.inner_text("#row code")
    page.focus("#row .id >> nth=2")
    page.keyboard.press("Enter")
    assert page.inner_text("#row code") != before
    page.focus("#row h3 button")
    page.keyboard.press("Enter")
    assert page.inner_text("#row") == "" and page.evaluate("document.activeElement.textContent") == "SCN"
    for name in ("people", "tuning", "mechanisms", "sweeps", "confusions", "noise"):
        page.focus(f"#{name} select")
        before = page.inner_text(f"#{name} .shown")
        page.keyboard.press("ArrowDown")
        if page.eval_on_selector(f"#{name} select", "box => box.options.length > 1"):
            assert page.inner_text(f"#{name} .shown") != before, name
    page.focus("#table1 thead button >> nth=1")
    page.keyboard.press("Enter")
    column = "rows => rows.map(row => Number(row.cells[1].dataset.sort))"
    values = page.eval_on_selector_all("#table1 table >> nth=0 >> tbody tr", column)
    assert values == sorted(values) and len(set(values)) == 5
    page.focus("#claims td a >> nth=0")
    page.keyboard.press("Enter")
    assert page.locator("#behind-claims .stands >> nth=0").is_visible()
    page.evaluate("document.querySelector('#figures details').open = true")
    page.focus("#figures img")
    small = page.locator("#figures img").bounding_box()["width"]
    page.keyboard.press("Enter")
    assert page.locator("#figures img").bounding_box()["width"] > small
    page.keyboard.press("Escape")
    assert page.locator("#figures img").bounding_box()["width"] == small


def test_every_picture_has_its_numbers_as_text(open_page: Any) -> None:
    page = open_page()
    page.click("#rows .open >> nth=0")
    found = page.eval_on_selector_all(
        "main svg",
        """all => all.map(one => [one.getAttribute("aria-label"),
        one.closest("figure").querySelectorAll("details table tbody tr").length])""",
    )
    assert len(found) > 8 and all(label and rows for label, rows in found)
    assert page.eval_on_selector_all("img", "all => all.every(one => one.alt.length > 20)")
    assert page.evaluate("[...document.querySelectorAll('select')].every(one => one.labels.length === 1)")


def test_without_scripts_table_1_is_there_and_no_control_that_does_nothing(open_page: Any) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator("#top table").is_visible()
    first = page.locator("#top tbody tr").first.inner_text()
    assert re.search(r"Baseline\s+71\.0±0\.8\s+51\.0±0\.8\s+51\.0±0\.8", first), first
    assert page.locator("select:visible, button:visible").count() == 0
    assert page.locator("#claims .claims").is_visible()


def test_without_scripts_the_numbers_of_every_chart_are_tables(
    open_page: Any, asked: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    page, drawn = open_page(java_script_enabled=False), open_page()
    shown = {
        "tuning": ("Budget", "Sensitivity"),
        "mechanisms": ("Relabelled (%)",),
        "sweeps": ("lanet.temperature",),
        "confusions": ("Baseline", "SCN"),
        "noise": ("as realised",),
    }
    for section, words in shown.items():
        assert page.locator(f"nav [href='#{section}']").is_visible()
        for text in words:
            folded = page.locator(f"#{section} noscript details", has_text=text).first
            folded.locator("summary").click()
            assert folded.locator("td:visible").count() > 1
        assert drawn.locator(f"#{section} noscript").is_hidden()
    reports.Report(asked[0], tmp_path).draw(asked[1][3])
    with (tmp_path / "figure_tau.csv").open() as file:
        means = [f"{float(row['mean']):.4g}" for row in csv.DictReader(file)]
    cells = page.locator("#sweeps noscript tr td:last-child").all_inner_texts()
    assert [text.split(" ")[0] for text in cells] == means


def test_bands_say_what_they_are(open_page: Any) -> None:
    page = open_page()
    for has_band, text in page.eval_on_selector_all(
        "figure:has(svg .path)",
        "all => all.map(one => [!!one.querySelector('.band'), one.querySelector('figcaption').textContent])",
    ):
        assert ("bands: one standard deviation" in text) == has_band, text
    assert page.locator("figure svg .band").count() > 1


def contrast(page: Any, selector: str) -> float:
    """The contrast of a text with the page, by WCAG."""
    colours = page.eval_on_selector(
        selector, "one => [getComputedStyle(one).color, getComputedStyle(document.body).backgroundColor]"
    )
    lights = []
    for colour in colours:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_in_dark(open_page: Any, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    for selector in ("body", ".soft", "nav a", "#answer", "caption", ".sd"):
        assert contrast(page, selector) >= 4.5, selector
    lightness = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (lightness == "rgb(255, 255, 255)") == (scheme == "light")


def test_it_prints_without_controls(open_page: Any, tmp_path: Path) -> None:
    page = open_page(color_scheme="dark")
    assert page.locator(".printed:visible").count() == 0
    page.emulate_media(media="print")
    assert page.locator("nav:visible, form:visible, .pick:visible").count() == 0
    for name in ("people", "tuning", "mechanisms", "sweeps", "confusions", "noise"):  # what was chosen is still said
        chosen = page.eval_on_selector(f"#{name} select", "box => box.selectedOptions[0].textContent")
        assert page.inner_text(f"#{name} .printed") == chosen
    assert (
        contrast(page, "body") > 12
        and page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    )
    page.pdf(path=tmp_path / "report.pdf")
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


def test_screenshots_are_artefacts(open_page: Any, tmp_path: Path) -> None:
    folder = Path(os.environ.get("FER_ARTEFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for name, viewport in (("desktop", DESKTOP), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            page = open_page(viewport, color_scheme=scheme)
            page.click("#rows .open >> nth=0")
            path = folder / f"report_{name}_{scheme}.png"
            page.screenshot(path=path, full_page=True)
            assert path.stat().st_size > 20_000
