"""report.html in headless Chromium: no errors, tables that sort, figures that grow, nothing clipped on a phone.

The page is opened with a probe appended that does what a reader would do and leaves what it saw in the document.
Screenshots are left in FER_ARTEFACTS, where it is set.
"""

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from records import table1
from test_divergence import table2
from test_figures import sweep

import reports

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium")]
ALONE = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
ALONE += " --disable-component-update --disable-sync --hide-scrollbars --disable-dev-shm-usage"
DESKTOP, PHONE = (1280, 1000), (390, 844)
WATCH = "<script>window.errors = []; window.onerror = (...e) => { errors.push(String(e[0])); };"
WATCH += "addEventListener('securitypolicyviolation', e => errors.push('policy: ' + e.violatedDirective));</script>"
PROBE = """
<script>
const seen = {errors, width: innerWidth, page: document.documentElement.scrollWidth};
const wide = [...document.querySelectorAll("main *")].filter(e => e.getBoundingClientRect().right > innerWidth + 1);
seen.over = wide.filter(e => !e.closest(".scroll") && e.getBoundingClientRect().width > 0).map(e => e.outerHTML.slice(0, 120));
const table = document.querySelector("#table1 table.sortable"), button = table.querySelectorAll("thead button")[1];
const column = () => [...table.tBodies[0].rows].map(row => Number(row.cells[1].dataset.sort));
seen.before = column(); button.click(); seen.once = column(); button.click(); seen.twice = column();
const image = document.images[0], small = image.getBoundingClientRect().width;
image.click(); seen.grows = [small, image.getBoundingClientRect().width]; image.click();
document.querySelectorAll("details").forEach(d => { d.open = true; });
seen.opened = document.documentElement.scrollWidth;
seen.small = [...document.querySelectorAll("body *")].filter(e => e.childNodes.length && [...e.childNodes].some(
  n => n.nodeType === 3 && n.textContent.trim()) && parseFloat(getComputedStyle(e).fontSize) < 11).length;
seen.colours = [getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor];
const left = document.createElement("pre"); left.id = "seen"; left.textContent = JSON.stringify(seen); document.body.append(left);
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole report of records that tests make."""
    folder = tmp_path_factory.mktemp("page")
    whats = [table1(folder, seeds=2), sweep(folder, "tau", {"temperature": (0.05, 0.1, 0.2)}, ("0.2",))]
    whats.append(table2(folder)[0])
    return reports.draw_page(whats, folder, folder / "out").files[0]


def browse(page: Path, size: tuple[int, int], *more: str) -> dict:
    """What the probe saw of the page in a window of that size."""
    probed = page.with_name(f"probed{size[0]}.html")
    text = page.read_text().replace("<head>", "<head>" + WATCH, 1).replace("</body>", PROBE + "</body>", 1)
    probed.write_text(text)
    dump = chromium(probed, size, "--dump-dom", "--virtual-time-budget=5000", *more)
    return json.loads(html.unescape(re.search(r'<pre id="seen">(.*?)</pre>', dump, re.S)[1]))


def chromium(page: Path, size: tuple[int, int], *options: str) -> str:
    command = [CHROMIUM, *ALONE.split(), f"--user-data-dir={page.parent}/browser", f"--window-size={size[0]},{size[1]}"]
    done = subprocess.run([*command, *options, page.as_uri()], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_it_opens_without_errors_and_fits_the_window(page: Path, size: tuple[int, int]) -> None:
    seen = browse(page, size)
    assert seen["errors"] == []
    assert seen["page"] <= seen["width"] and seen["opened"] <= seen["width"] and seen["over"] == []
    assert seen["small"] == 0  # text that a phone's reader could not read


def test_a_click_on_a_columns_name_sorts_the_rows(page: Path) -> None:
    seen = browse(page, DESKTOP)
    assert sorted(seen["before"]) == seen["once"] == seen["twice"][::-1] and len(set(seen["before"])) == 5


def test_a_click_on_a_figure_enlarges_it(page: Path) -> None:
    before, after = browse(page, PHONE)["grows"]
    assert after > before


def test_the_dark_has_light_text(page: Path) -> None:
    bright = {}
    for name, options in (("light", ()), ("dark", ("--force-dark-mode", "--blink-settings=preferredColorScheme=0"))):
        colours = browse(page, DESKTOP, *options)["colours"]
        bright[name] = [sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours]
    assert bright["light"][0] < bright["light"][1] and bright["dark"][0] > bright["dark"][1]


def test_screenshots_are_artefacts(page: Path, tmp_path: Path) -> None:
    folder = Path(os.environ.get("FER_ARTEFACTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in (("desktop", (1280, 2400)), ("phone", (390, 2400))):
        path = folder / f"report_{name}.png"
        chromium(page, size, f"--screenshot={path}")
        assert path.stat().st_size > 20_000
