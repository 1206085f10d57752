"""LaTeX of a table: what is left out, how it is cut to fit a page, and that pdflatex finds room for it."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from records import cell, request, table1, write_record

import reports
from reports.latex import HEIGHT, PAGE, fill_floats, fit_block, latex_text, width_of
from reports.table import Block, Entry

ROW = ("84.12±0.35", "1-4", "82.98±0.09 (8 classes)", "+1.1")
DOCUMENT = r"""\documentclass[%s]{article}
\usepackage{booktabs,xcolor}
\begin{document}
Text before it, as in a paper.
\input{%s}
\appendix
\section{Conditions}
\input{%s_notes}
\end{document}
"""


def draw(asked: reports.Asked, folder: Path, **options: Any) -> str:
    reports.Report(folder, folder / "out", reports.Options(**options)).draw(asked)
    return (folder / "out" / f"{reports.output_stem(asked)}.tex").read_text()


def wide_block(sets: int, rows: int = 3) -> Block:
    columns = ["Method", *[name for k in range(sets) for name in (f"Set {k}", "rank", "published", "difference")]]
    entries = [[Entry(f"Method {row}"), *[Entry(text) for _ in range(sets) for text in ROW]] for row in range(rows)]
    return Block("noise", columns, entries, ruled=rows - 1)


def test_data_sets_without_runs_are_left_out(tmp_path: Path) -> None:
    what = replace(table1(tmp_path, rates=("0.1",)), columns=("rafdb", "affectnet"))
    text = draw(what, tmp_path)
    assert "no data" not in text and "62.45" not in text and "AffectNet" not in text
    assert "no data" in (tmp_path / "out" / "table1.md").read_text()
    assert "80.93" in text


def test_a_block_of_published_values_alone_keeps_them() -> None:
    block = Block("Published", ["Labels", "published"], [[Entry("LA-Net"), Entry("0.0909", published=True)]])
    assert fit_block(block) == [block]


def test_what_it_stands_on_lies_in_a_file_beside_it(tmp_path: Path) -> None:
    text = draw(table1(tmp_path), tmp_path)
    notes = (tmp_path / "out" / "table1_notes.tex").read_text()
    assert "Backbone" not in text and "Backbone resnet10" in notes and "table1_notes.tex" in text
    assert text.count("\\begin{table") == 1 and text.count("\\begin{tabular}") == 3
    assert "\\caption{Accuracy under asymmetric noise. Accuracy in per cent" in text  # LaTeX counts tables itself


def test_few_notes_stand_in_the_caption_and_many_beside_the_table(tmp_path: Path) -> None:
    def failed(many: int) -> reports.Asked:
        names = [f"{number:020x}" for number in range(many)]
        cells = [cell("SCN", "scn", "rafdb", "0.1", names, failures=dict.fromkeys(names, "the loss is not a number"))]
        return request("table", "1", [*cells, *table1(tmp_path, rates=("0.1",)).cells])

    assert "the loss is not a number" in draw(failed(1), tmp_path)
    assert "the loss is not a number" not in draw(failed(20), tmp_path)
    assert (tmp_path / "out" / "table1_notes.tex").read_text().count("the loss is not a number") == 20


@pytest.mark.parametrize("sets", [1, 2, 3, 6])
def test_a_wide_block_is_cut_between_data_sets(sets: int) -> None:
    block = wide_block(sets)
    parts = fit_block(block)
    assert all(width_of(part) <= PAGE for part in parts)
    assert [name for part in parts for name in part.columns if name.startswith("Set")] == [
        f"Set {k}" for k in range(sets)
    ]
    for part in parts:
        assert part.columns[0] == "Method" and part.columns[1].startswith("Set") and part.ruled == 2
        assert all(len(row) == len(part.columns) and row[0].text.startswith("Method") for row in part.rows)
    assert sum(len(part.columns) - 1 for part in parts) == 4 * sets


def test_a_long_block_is_cut_and_its_line_stays_where_it_was() -> None:
    parts = fit_block(wide_block(1, rows=70))
    assert [len(part.rows) for part in parts] == [30, 30, 10]
    assert [row[0].text for part in parts for row in part.rows] == [f"Method {row}" for row in range(70)]
    assert parts[2].ruled == 9 and parts[2].rows[9][0].text == "Method 69"


def test_floats_are_filled_in_order_and_no_higher_than_a_page() -> None:
    blocks = [replace(wide_block(1, rows=10), heading=str(number)) for number in range(7)]
    pages = fill_floats(blocks)
    assert [[block.heading for block in page] for page in pages] == [["0", "1"], ["2", "3"], ["4", "5"], ["6"]]
    assert all(sum(56 + 11.4 * len(block.rows) for block in page) <= HEIGHT for page in pages)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("δ, α ≥ β", r"\ensuremath{\delta}, \ensuremath{\alpha} \ensuremath{\geq} \ensuremath{\beta}"),
        ("λ → ω × 3", r"\ensuremath{\lambda} {\textrightarrow} \ensuremath{\omega} {\texttimes} 3"),
        ("50 % & a_b #1 $x {y}", r"50 \% \& a\_\allowbreak{}b \#1 \$x \{y\}"),
        ("−0.3 – 1", r"\ensuremath{-}0.3 {\textendash} 1"),
        ("a\n b", "a b"),
    ],
)
def test_signs_and_greek_letters_are_translated(text: str, expected: str) -> None:
    assert latex_text(text) == expected


def compile_latex(folder: Path, name: str, style: str) -> str:
    """pdflatex's log of a plain article with the table and its notes."""
    (folder / "paper.tex").write_text(DOCUMENT % (style, name, name))
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "paper.tex"], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stdout[-2000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("style", ["twocolumn,10pt", "10pt"])
def test_every_table_fits_a_page_of_a_plain_article(tmp_path: Path, style: str) -> None:
    """Three data sets at paper scale with ranks, published values and differences; sixteen methods; a bad name; classes."""
    cells = []
    for dataset in ("rafdb", "ferplus", "affectnet"):
        for rate in ("0.1", "0.2", "0.3"):
            for place, method in enumerate(("baseline", "scn", "rul", "eac", "lanet")):
                which = {"method": method, "dataset": dataset, "rate": rate, "scale": "paper"}
                ids = [
                    write_record(tmp_path, seed=s, accuracy=0.7 + 0.02 * place + 0.003 * s, **which) for s in range(5)
                ]
                cells.append(cell(method.upper(), method, dataset, rate, ids))
    paper = request("table", "1", cells)
    many = []
    for number in range(16):
        title = f"Method {number} (δ ≥ 0.7)"
        for noise in ("asymmetric", "symmetric"):
            for rate in ("0.1", "0.2", "0.3"):
                ids = [write_record(tmp_path, method=f"m{number}", noise=noise, rate=rate, dataset="ferplus")]
                many.append(cell(title, f"m{number}", "ferplus", rate, ids, noise=noise))
    failing = cell(
        "100% & _bad_ name", "bad", "ferplus", "0.1", ["1" * 20], failures={"1" * 20: "a/very/long/path_" * 12}
    )
    asked = [
        paper,
        replace(request("table", "general", many), name="general"),
        replace(request("table", "1", [failing, *cells[:15]]), name="failed"),
        replace(request("table", "classes", cells), name="classes"),
    ]
    for one in asked:
        reports.Report(tmp_path, tmp_path / "out", reports.Options(decimals=2)).draw(one)
        log = compile_latex(tmp_path / "out", reports.output_stem(one), style)
        assert not re.findall(r"Overfull.*|.*too large.*", log), reports.output_stem(one)
        assert "Output written" in log
    text = draw(paper, tmp_path, decimals=2)
    assert all(word in text for word in ("rank", "published", "difference", "textbf", "RAF-DB"))
