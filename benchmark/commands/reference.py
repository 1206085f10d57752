"""`python -m benchmark reference`: tables, figures and findings of the pages, drawn anew from the records that ship."""

import argparse
import contextlib
import io
import re
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmark.cache.lookup import open_data
from benchmark.commands.errors import answered
from benchmark.datasets.faces import Faces
from benchmark.plan import catalogue
from benchmark.plan.experiments import EXPERIMENTS
from benchmark.scale import SCALES
from benchmark.terminal import Usage
from reports.statements.findings import findings, idle_mechanisms, readme_table, stands_on
from reports.statements.measured import Measured
from reports.statements.wording import markdown
from results.records import Records

ROOT = Path(__file__).resolve().parents[2]
OPTIONAL = [experiment.name for experiment in EXPERIMENTS if experiment.optional]
SUFFIXES = (".md", ".csv", ".png")  # of what is drawn; of Table 1 every format
MARKED = re.compile(r"(?s)(<!-- drawn from results/reference -->\n).*?(\n<!-- end -->)")
INTRO = """# Findings

What the records that ship (`results/reference/`) say, drawn by `python -m benchmark reference`. No sentence knows its
outcome: words follow the intervals, and only comparisons with at least five seeds are made. Intervals are 95 %, of paired
differences over seeds and images, both of which vary (variance components, closed form; `reports/statistics.py`). A number that
there is once a seed, such as the share of memorised labels, is compared over seeds alone. p is by Holm: over all pairs of rows of
the table where two rows of a table are compared, so that it is the p of the ranks there, else over the lines of the finding.
Bold: p below 0.05. The intervals are for new seeds and images. They are conditional on one training subset, one file of start
weights and this test set. Flips depend on the seed alone, so both data sets have theirs at the same positions. All of this is of
one scale, {scale}{about}.
"""
ABOUT_SCALES = {
    "demo": ": a small network that memorises a thousand images. It says nothing about the\npaper's scale",
}
ABOUT_IDLE = """\
Each method declares curves that show its idea at work (`--figure mechanisms`), with the values at which it does nothing. An
accuracy of such a row says what the rest of the method does:
"""
ABOUT_CLAIMS = """\
A verdict a data set, by the rule of `reports/statements/claims.py`. Intervals are not adjusted; p is that of the
ranks where rows of Table 1 are compared, else by Holm over the comparisons that a claim needs. The
paper's numbers are of another scale; it has no drawn faces.
"""


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmark reference", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "reference", help="the records")
    parser.add_argument("--pages", type=Path, default=ROOT, help="the folder with README.md and docs/")
    args = parser.parse_args(arguments)
    return answered("benchmark reference", lambda: draw(args.results, args.pages))


def draw(results: Path, pages: Path) -> int:
    """Write docs/examples/, docs/findings.md and the marked table of README.md and docs/index.md below `pages`."""
    readme, first_page = pages / "README.md", pages / "docs" / "index.md"
    if not readme.is_file() or not MARKED.search(readme.read_text(encoding="utf-8")):
        raise Usage(
            f"--pages: {readme} has no table between '<!-- drawn from results/reference -->' and '<!-- end -->'"
        )
    records = Records(results)
    specs = [record["spec"] for record in records.records()]
    held = Counter(spec["scale"]["name"] for spec in specs)
    scale, *others = [name for name, _ in held.most_common() if name in SCALES] or [""]
    declared = {name: card.get("mechanism", []) for name, card in catalogue.read(results).items()}
    measured = Measured(records, scale, declared)
    if not measured.cells:
        raise Usage(f"--results: there are no records of whole data sets in {results}; nothing was written")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as beside:
        status = everything(with_faces(results, Path(beside)), Path(folder), scale)
        for name in others:
            print(f"at {name} scale: {held[name]} records, which are in no finding", file=sys.stderr)
            status = max(status, at_another_scale(results, name, specs, Path(folder)))
        if status == 2:  # said already
            return status
        examples = pages / "docs" / "examples"
        examples.mkdir(parents=True, exist_ok=True)
        for path in examples.iterdir():  # what these records do not hold would be of others
            if path.name != "README.md":
                path.unlink()
        for path in sorted(Path(folder).iterdir()):
            picture = path.suffix == ".png" and path.with_suffix(".md").exists()  # of a table; the README shows one
            if path.stem == "table1" or (path.suffix in SUFFIXES and not picture and path.name != "claims.md"):
                (smaller if path.suffix == ".png" else shutil.copyfile)(path, examples / path.name)
        claims = (Path(folder) / "claims.md").read_text(encoding="utf-8")
    (pages / "docs" / "findings.md").write_text(page(measured, claims, scale), encoding="utf-8")
    table = readme_table(measured)
    for path in (readme, first_page):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            path.write_text(MARKED.sub(lambda m: m[1] + table + m[2], text), encoding="utf-8")
    return status


def smaller(picture: Path, place: Path) -> None:
    """The same PNG in 256 colours, a third of its bytes: a clone takes all of them along. What it says of itself stays."""
    with Image.open(picture) as image:
        told = PngInfo()
        for name, text in image.text.items():  # type: ignore[attr-defined]
            told.add_text(name, text)
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(place, pnginfo=told, optimize=True)


def with_faces(results: Path, beside: Path) -> Path:
    """The same records in a folder that has the drawn faces too, for the gallery; they are embedded, so nobody ships them."""
    results, data = results.resolve(), beside / "data"
    data.mkdir()
    faces = list((results / "data").glob(f"{Faces.name}-*"))
    linked = [path for path in results.iterdir() if path.name != "data"]
    linked += [path for path in (results / "data").glob("*") if path not in faces and path.name != "stamps"]
    for path in linked:
        (beside / path.relative_to(results)).symlink_to(path)
    if faces:
        open_data(Faces(), None, Faces.Options(), data)
    return beside


def everything(results: Path, out: Path, scale: str) -> int:
    """Every table and figure that was measured, as `run_all.py --all --draw` draws them."""
    from benchmark.commands.run_all import main as run_all

    words = ["--all", "--draw", "--scale", scale]
    if optional := whole_tables(results, scale):
        words += ["--with", *optional]
    with contextlib.redirect_stdout(io.StringIO()):
        return run_all([*words, "--results", str(results), "--out", str(out)])


def whole_tables(results: Path, scale: str) -> list[str]:
    """The optional tables and figures of which every cell was measured on some data set."""
    from benchmark.commands.arguments import request
    from benchmark.commands.options import parser
    from benchmark.plan.matrix import make
    from benchmark.plan.narrow import share

    words = ["--all", "--with", *OPTIONAL, "--draw", "--scale", scale, "--results", str(results)]
    plan = make(request(parser().read(words)))
    return [
        name
        for (_, name), cells in plan.cells.items()
        if name in OPTIONAL
        and any(share(plan, cells, data) == 1 for data in dict.fromkeys(cell.dataset for cell in cells))
    ]


def at_another_scale(results: Path, scale: str, specs: list[dict[str, Any]], out: Path) -> int:
    """Table 1 as far as it was measured at a scale beside that of the findings, as table1_<scale>; returns the exit status.

    Of the seeds, those that every method there has.
    """
    from benchmark.commands.run_all import main as run_all

    here = [s for s in specs if s["scale"]["name"] == scale and s["part"] == "all"]
    of_table = [s for s in here if s["noise"]["kind"] == "asymmetric"]
    seeds = [{s["seed"] for s in of_table if s["method"] == method} for method in {s["method"] for s in of_table}]
    if not seeds or not set.intersection(*seeds):
        return 0
    words = ["--table", "1", "--scale", scale, "--draw", "--seeds", *map(str, sorted(set.intersection(*seeds)))]
    words += ["--datasets", *sorted({s["data"]["name"] for s in of_table})]
    words += ["--rates", *sorted({s["noise"]["rate"] for s in of_table})]
    with tempfile.TemporaryDirectory() as aside, contextlib.redirect_stdout(io.StringIO()):
        status = run_all([*words, "--results", str(results), "--out", aside])
        if status == 1:
            print(f"Table 1 is not whole at {scale} scale, so it is not among the pages", file=sys.stderr)
            return 0
        for path in Path(aside).glob("table1.*"):
            if path.suffix in (".md", ".csv"):
                shutil.copyfile(path, out / f"table1_{scale}{path.suffix}")
    return status


def page(measured: Measured, claims: str, scale: str) -> str:
    """docs/findings.md."""
    facts = "\n".join(f"- {fact}" for fact in stands_on(measured))
    found = markdown(findings(measured), "results/reference")
    idle = idle_mechanisms(measured)
    if idle:
        found += "\n".join(["", "## Ideas that idle", "", ABOUT_IDLE, *(f"- {sentence}" for sentence in idle), ""])
    verdicts = f"## The paper's claims on these records\n\n{ABOUT_CLAIMS}\n{claims}"
    intro = INTRO.format(scale=scale, about=ABOUT_SCALES.get(scale, ""))
    return "\n".join([intro, "Stands on:\n", facts, "", found, verdicts])
