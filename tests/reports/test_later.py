"""The table of later methods: ten rows in one block, printed values with their sources, and its place in `--all`."""

from pathlib import Path

import pytest
from records import cell, request, write_record

from benchmark.commands import arguments
from benchmark.commands.options import parser
from benchmark.plan.experiments import find_experiment
from benchmark.terminal import Usage
from reports import Options
from reports.asked import AskedCell
from reports.tables.accuracy import accuracy_table
from results import published
from results.records import Records


def test_printed_values_of_other_papers_keep_their_source_rule_and_classes() -> None:
    clex = published.find_published("symmetric", "0.1", "clex", "rafdb")
    assert clex.text == "88.91±0.09" and clex.classes == 7 and "mean of the last five epochs" in clex.source
    assert published.find_published("symmetric", "0.3", "clex", "ferplus").classes is None
    assert "reading note" in clex.source and clex.source.startswith("CLEX (")
    assert published.find_published("none", None, "resup", "affectnet", 7).mean == 65.46
    assert published.find_published("asymmetric", "0.5", "otp_ns", "rafdb").mean == 52.90
    assert published.find_published("symmetric", "0.1", "dnfer", "rafdb") is None
    assert published.find_published("symmetric", "0.2", "nla", "rafdb") is None
    assert "IDFER" in published.find_published("symmetric", "0.3", "jocor", "rafdb").source


def test_the_papers_own_values_are_as_they_were() -> None:
    assert published.find_published("asymmetric", "0.1", "baseline", "rafdb").text == "80.93±0.49"
    assert published.find_published("symmetric", "0.1", "scn", "rafdb").source == ""
    assert published.find_published("asymmetric", "0.1", "eac", "ferplus").classes is None  # LA-Net's authors ran it


def test_ten_rows_in_one_block_a_condition(tmp_path: Path) -> None:
    methods = [row.method for row in find_experiment("table", "later").rows]
    assert len(set(methods)) == 10
    cells = [
        cell(m, m, "rafdb", "0.1", [write_record(tmp_path, method=m, noise=noise)], noise=noise)
        for noise in ("asymmetric", "symmetric")
        for m in methods
    ]
    table = accuracy_table(request("table", "later", cells), Records(tmp_path), Options())
    assert [len(block.rows) for block in table.blocks] == [10, 10]
    assert "shown here" not in table.title
    printed = {row[0].text: row for row in table.blocks[1].rows}
    assert any(entry.text == "88.83 (7 classes)" and entry.published for entry in printed["nla"])
    said = " ".join(table.stands_on)
    assert "NLA (best epoch on the test set), reading note" in said and "LA-Net (ICCV 2023), Table 1" in said


def test_a_method_beside_the_table_stands_in_a_block_below(tmp_path: Path) -> None:
    cells = [cell(m, m, "rafdb", "0.1", [write_record(tmp_path, method=m)], noise="asymmetric") for m in ("nla", "gce")]
    table = accuracy_table(request("table", "later", cells), Records(tmp_path), Options())
    assert [[row[0].text for row in block.rows] for block in table.blocks] == [["nla"], ["gce"]]


def test_rows_that_no_search_chose_for_are_named_beside_rows_that_have_one(tmp_path: Path) -> None:
    chosen = {
        "parameters": {"margin": 0.3},
        "method_title": "SCN",
        "scale_notes": ["SCN: margin 0.3 (chosen by a search)"],
    }
    declared = {"parameters": {"q": 0.7}, "method_title": "My own"}
    cells = [
        cell(name, name, "rafdb", "0.1", [write_record(tmp_path, method=name, resolved=resolved)])
        for name, resolved in (("baseline", {}), ("scn", chosen), ("my_own", declared))
    ]

    def unsearched(*shown: AskedCell) -> list[str]:
        stands_on = accuracy_table(request("table", "1", shown), Records(tmp_path), Options()).stands_on
        return [line for line in stands_on if line.startswith("No search")]

    (line,) = unsearched(*cells)
    assert line == "No search chose the settings of My own: they are those of the methods' files, or set by hand."
    assert unsearched(*cells[:2]) == [] and unsearched(cells[0], cells[2]) == []


def asked(tmp_path: Path, *words: str) -> list[str]:
    typed = parser().parse_args([*words, "--results", str(tmp_path), "--devices", "cpu"])
    return [experiment.name for experiment in arguments.read_request(typed).experiments]


def test_all_draws_it_only_when_asked(tmp_path: Path) -> None:
    plain = asked(tmp_path, "--all")
    assert "later" not in plain and asked(tmp_path, "--all", "--with", "later") == [*plain, "later"]
    assert asked(tmp_path, "--table", "later") == ["later"]
    with pytest.raises(Usage, match="--with later: goes with --all"):
        asked(tmp_path, "--table", "1", "--with", "later")
    with pytest.raises(Usage, match="optional table"):
        asked(tmp_path, "--all", "--with", "matched")
