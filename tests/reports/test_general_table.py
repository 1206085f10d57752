"""The table of general methods: every method that ships stands in a table, and this one joins `--all` when asked for."""

from pathlib import Path

from benchmark import plugins
from benchmark.commands import arguments
from benchmark.commands.options import parser
from benchmark.plan.experiments import find_experiment


def rows(name: str) -> list[str]:
    return [row.method for row in find_experiment("table", name).rows]


def test_every_method_that_ships_is_a_row_of_one_of_the_two_tables() -> None:
    assert sorted({*rows("later"), *rows("general")}) == sorted(plugins.find_methods())
    assert set(rows("later")) & set(rows("general")) == {"baseline"} and len(set(rows("general"))) == len(
        rows("general")
    )


def test_both_optional_tables_join_all_when_asked_for(tmp_path: Path) -> None:
    words = ["--all", "--results", str(tmp_path), "--devices", "cpu"]
    plain, both = (
        [e.name for e in arguments.read_request(parser().parse_args(typed)).experiments]
        for typed in (words, [*words, "--with", "later", "general"])
    )
    assert both == [*plain, "later", "general"]


def test_both_noises_at_three_rates() -> None:
    assert find_experiment("table", "general").noise == dict.fromkeys(
        ("asymmetric", "symmetric"), ("0.1", "0.2", "0.3")
    )
