"""`python -m benchmark reference`: the pages' tables, figures, findings and report, drawn anew from the records that ship."""

import contextlib
import io
import re
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from benchmark.cache.lookup import open_data
from benchmark.commands import tuning
from benchmark.commands.command_line import command_parser, run_command
from benchmark.commands.options import parser
from benchmark.commands.show import asked_cell, draw_results, make_asked, plan_drawing
from benchmark.datasets.faces import Faces
from benchmark.plan import catalogue
from benchmark.plan.experiments import EXPERIMENTS
from benchmark.plan.narrow import drop_unmeasured, measured_share
from benchmark.scale import SCALES
from benchmark.terminal import Usage, count_things, print_note
from reports.asked import Asked
from reports.statements.evidence import Evidence, read_evidence
from reports.statements.findings import (
    comparisons_markdown,
    findings_markdown,
    idle_mechanisms,
    make_comparisons,
    readme_table,
)
from results.records import Records
from results.store import Store

ROOT = Path(__file__).resolve().parents[2]
OPTIONAL = [experiment.name for experiment in EXPERIMENTS if experiment.optional]
SUFFIXES = (".md", ".csv", ".png")  # of what is drawn; of Table 1 every format
MARKED = re.compile(r"(?s)(<!-- drawn from results/reference -->\n).*?(\n<!-- end -->)")
INTRO = """# Findings

What the records that ship (`results/reference/`) say. `python -m benchmark reference` writes this page.

"Better" and "worse" mean that a difference is told from 0: p is below 0.05, with five seeds or more. Brackets are 95 % intervals
of paired differences, for new seeds and new test images. p is multiplied by the number of pairs in the smallest table that
has both rows: 10 for the paper's five methods, 45 with a later one, 120 with a general one, and 21 with any other row. A
number that a run has once, such as a share of labels, is compared over seeds alone.

The intervals take one training subset, one file of start weights and this test set as given. Flips depend on the seed alone,
so both data sets have theirs at the same positions. What else they stand on is listed below [Table 1](examples/table1.md).
[One table](examples/comparisons.md) ([CSV](examples/comparisons.csv)) has every comparison with its interval, p and verdict.

Everything here is {scale} scale{about}.
"""
ABOUT_SCALES = {
    "demo": ": a small network that memorises a thousand images. It says nothing about the paper's scale",
}
ABOUT_IDLE = """\
## Ideas that idle

Each method declares curves that show its idea at work, with the values at which it does nothing. An accuracy of such a row says
what the rest of the method does.
"""
ABOUT_CLAIMS = """\
## The paper's claims on these records

A claim holds if every difference that it needs is surely above 0. The smallest one stands beside the verdict. The paper's numbers
are of another scale, and it has no drawn faces.
"""
COMPARISONS = """# Comparisons

Every comparison behind the [findings](../findings.md): paired differences with 95 % intervals. Bold: told from 0. The same as
[CSV](comparisons.csv).

"""


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = command_parser("reference", __doc__)
    parser.add_argument("--results", type=Path, default=ROOT / "results" / "reference", help="the records")
    parser.add_argument("--pages", type=Path, default=ROOT, help="the folder with README.md and docs/")
    return run_command(parser, lambda args: draw_reference(args.results, args.pages), arguments)


def draw_reference(results: Path, pages: Path) -> int:
    """Write docs/examples/, findings.md and report.html in docs/, and the marked table of README.md."""
    readme = pages / "README.md"
    if not readme.is_file() or not MARKED.search(readme.read_text(encoding="utf-8")):
        marks = "'<!-- drawn from results/reference -->' and '<!-- end -->'"
        raise Usage(f"--pages: {readme} has no table between {marks}")
    records = Records(results)
    specs = [record["spec"] for record in records.records()]
    records_by_scale = Counter(spec["scale"]["name"] for spec in specs)
    scale, *other_scales = [name for name, _ in records_by_scale.most_common() if name in SCALES] or [""]
    mechanisms_by_method = {name: card.get("mechanism", []) for name, card in catalogue.read_catalogue(results).items()}
    evidence = read_evidence(records, scale, mechanisms_by_method)
    if not evidence.cells:
        raise Usage(f"--results: there are no records of whole data sets in {results}; nothing was written")
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as second_folder:
        words_by_scale = {name: words_at_another_scale(name, specs) for name in other_scales}
        for name in words_by_scale:
            print_note(f"at {name} scale: {count_things(records_by_scale[name], 'record')} in no finding")
        further_tables = [asked for words in words_by_scale.values() if words for asked in all_asked(results, words)]
        drawn_faces = with_faces(results, Path(second_folder))
        searches = read_search(results.resolve().parent / "search")
        status = draw_quietly(
            drawn_faces, words_for_all(drawn_faces, scale), Path(folder), searches, further_tables, "results/reference"
        )
        for name, words in words_by_scale.items():
            status = max(status, at_another_scale(results, name, words, Path(folder)) if words else 0)
        frame = make_comparisons(evidence)
        frame.to_csv(Path(folder) / "comparisons.csv", index=False, lineterminator="\n")
        text = COMPARISONS + comparisons_markdown(frame, "results/reference")
        (Path(folder) / "comparisons.md").write_text(text, encoding="utf-8")
        examples = pages / "docs" / "examples"
        examples.mkdir(parents=True, exist_ok=True)
        for path in examples.iterdir():  # what these records do not hold would be of others
            if path.name != "README.md":
                path.unlink()
        for path in sorted(Path(folder).iterdir()):
            is_table_picture = path.suffix == ".png" and path.with_suffix(".md").exists()  # the README shows one
            if path.stem == "table1" or (path.suffix in SUFFIXES and not is_table_picture and path.name != "claims.md"):
                (shrink_picture if path.suffix == ".png" else shutil.copyfile)(path, examples / path.name)
        claims = (Path(folder) / "claims.md").read_text(encoding="utf-8")
        shutil.copyfile(Path(folder) / "report.html", pages / "docs" / "report.html")
    findings_text = findings_markdown(frame, "examples/comparisons.md")
    page_text = format_findings_page(findings_text, evidence, claims, scale)
    (pages / "docs" / "findings.md").write_text(page_text, encoding="utf-8")
    table = readme_table(evidence)
    text = readme.read_text(encoding="utf-8")
    readme.write_text(MARKED.sub(lambda m: m[1] + table + m[2], text), encoding="utf-8")
    return status


def shrink_picture(picture: Path, target: Path) -> None:
    """The same PNG in 256 colours, a third of its bytes: a clone takes all of them along. What it says of itself stays."""
    with Image.open(picture) as image:
        picture_text = PngInfo()
        for name, text in image.text.items():  # type: ignore[attr-defined]
            picture_text.add_text(name, text)
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(target, pnginfo=picture_text, optimize=True)


def with_faces(results: Path, linked_folder: Path) -> Path:
    """The same records in a folder that has the drawn faces too, for the gallery; they are embedded, so nobody ships them."""
    results = results.resolve()
    data_folder = linked_folder / "data"
    data_folder.mkdir()
    face_folders = list((results / "data").glob(f"{Faces.name}-*"))
    aside_paths = [results / "data", results / "data" / "stamps", *face_folders]
    for path in {*results.iterdir(), *(results / "data").glob("*")} - set(aside_paths):
        (linked_folder / path.relative_to(results)).symlink_to(path)
    if face_folders:
        open_data(Faces(), None, Faces.Options(), data_folder)
    return linked_folder


def draw_quietly(results: Path, words: list[str], out: Path, *more_on_page: Any) -> int:
    """What `run_all.py` draws for what one types; returns its exit status. more_on_page: as of `draw_results`."""
    words = [*words, "--results", str(results), "--out", str(out)]
    plan = plan_drawing(words)
    if "--datasets" not in words:
        drop_unmeasured(plan)
    store = Store(results)
    with store.remembering(), contextlib.redirect_stdout(io.StringIO()):
        return draw_results(plan, store, parser().read(words), {}, *more_on_page)


def words_for_all(results: Path, scale: str) -> list[str]:
    """What one types behind `run_all.py` for every table and figure that was measured."""
    words = ["--all", "--draw", "--scale", scale]
    has_crossed = (results / "crossed").is_dir()  # networks were kept, and tested on other data
    optional_names = [name for name in OPTIONAL if name != "cross" or has_crossed]
    whole_names = whole_tables(results, ["--all", "--with", *optional_names, "--scale", scale])
    whole_optional = [name for name in whole_names if name in optional_names]
    return [*words, "--with", *whole_optional] if whole_optional else words


def read_search(search_folder: Path) -> list[Asked]:
    """The table and figures of the search whose records lie in that folder; none where it holds no records."""
    if not any(True for _ in Records(search_folder).records()):
        return []
    experiment_words = [word for found in EXPERIMENTS if found.searched for word in (f"--{found.kind}", found.name)]
    option_words = [word for name, value in tuning.DEFAULTS.items() for word in (name, value)]
    searches = []
    for search in all_asked(search_folder, [*experiment_words, *option_words]):
        cells = [replace(cell, elsewhere=dict.fromkeys(cell.ids, search_folder)) for cell in search.cells]
        searches.append(replace(search, cells=tuple(cells)))
    return searches


def all_asked(results: Path, words: list[str]) -> list[Asked]:
    """What `run_all.py` asks of the reports for what one types."""
    plan = plan_drawing([*words, "--results", str(results)])
    store = Store(results)
    if "--datasets" not in words:
        drop_unmeasured(plan)
    return [
        make_asked(kind, name, plan, tuple(asked_cell(cell, plan, store, {}) for cell in cells))
        for (kind, name), cells in plan.cells.items()
        if cells
    ]


def whole_tables(results: Path, words: list[str]) -> list[str]:
    """Which of the tables and figures that are asked for in words have every cell measured on some data set."""
    plan = plan_drawing([*words, "--results", str(results)])
    return [
        name
        for (_, name), cells in plan.cells.items()
        if any(measured_share(plan, cells, data) == 1 for data in dict.fromkeys(cell.dataset for cell in cells))
    ]


def at_another_scale(results: Path, scale: str, words: list[str], out: Path) -> int:
    """Table 1 as far as it was measured at a scale beside that of the findings, as table1_<scale>; returns the exit status."""
    if not whole_tables(results, words):
        print_note(f"Table 1 is not whole at {scale} scale, so it is not among the pages")
        return 0
    with tempfile.TemporaryDirectory() as aside:
        status = draw_quietly(results, words, Path(aside))
        for path in Path(aside).glob("table1.*"):
            if path.suffix in (".md", ".csv"):
                shutil.copyfile(path, out / f"table1_{scale}{path.suffix}")
    return status


def words_at_another_scale(scale: str, specs: list[dict[str, Any]]) -> list[str]:
    """What one types for Table 1 there, of the seeds those that every method has; empty where there are none."""
    scale_specs = [s for s in specs if s["scale"]["name"] == scale and s["part"] == "all"]
    table_specs = [s for s in scale_specs if s["noise"]["kind"] == "asymmetric"]
    seeds_by_method: dict[str, set[int]] = {}
    for spec in table_specs:
        seeds_by_method.setdefault(spec["method"], set()).add(spec["seed"])
    common_seeds = sorted(set.intersection(*seeds_by_method.values())) if seeds_by_method else []
    if not common_seeds:
        return []
    words = ["--table", "1", "--scale", scale, "--draw", "--seeds", *map(str, common_seeds)]
    words += ["--datasets", *sorted({s["data"]["name"] for s in table_specs})]
    return [*words, "--rates", *sorted({s["noise"]["rate"] for s in table_specs})]


def format_findings_page(findings_text: str, evidence: Evidence, claims: str, scale: str) -> str:
    """docs/findings.md."""
    page_parts = [INTRO.format(scale=scale, about=ABOUT_SCALES.get(scale, "")), findings_text]
    if idle_sentences := idle_mechanisms(evidence):
        page_parts += [ABOUT_IDLE, "\n".join([*(f"- {sentence}" for sentence in idle_sentences), ""])]
    return "\n".join([*page_parts, ABOUT_CLAIMS, claims])
