"""`python -m benchmark tuning`: which settings a finished search chooses for the demo scale, and what was tried."""

import argparse
import csv
from pathlib import Path
from typing import Any

from benchmark.commands.errors import answered
from benchmark.commands.show import asked_cell
from benchmark.plan.matrix import make
from benchmark.terminal import Usage
from reports.asked import Asked
from reports.cells import read_cells
from reports.search import Search, choose_setting, read_searches
from results.records import Records
from results.store import Store

SEEDS = "100-104"  # that no table uses
TABLE = ("table", "tuned")


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmark tuning", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, default=Path("results/runs"), help="where the search was run")
    parser.add_argument("--seeds", nargs="+", default=[SEEDS], metavar="SEED", help=f"its seeds (default: {SEEDS})")
    parser.add_argument(
        "--draws", type=int, default=16, metavar="K", help="settings tried for each method (default: 16)"
    )
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="methods (default: those of the table)")
    parser.add_argument("--methods-path", action="append", default=[], metavar="DIR", help="methods of your own")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every draw there")
    args = parser.parse_args(arguments)
    return answered("benchmark tuning", lambda: print_choice(args))


def print_choice(args: argparse.Namespace) -> int:
    """A line a method, and the draws as a CSV where one is asked for; 1 where a search is not finished."""
    searches, asked = find_searches(args)
    if not searches:
        raise Usage(f"--results: {args.results} holds no run of this search; see docs/tuning.md for the command")
    for one in searches:
        print(choice_text(one))
    if args.csv:
        write_draws(args.csv, searches)
    complete = all(len(one.draws) == one.asked and len(one.seeds) == asked for one in searches)
    if not complete:
        print("the search is not finished: the choice may change")
    return 0 if complete else 1


def find_searches(args: argparse.Namespace) -> tuple[list[Search], int]:
    """The searches as far as they were measured, and how many seeds were asked for."""
    from benchmark.commands.arguments import request
    from benchmark.commands.options import parser

    words = ["--table", TABLE[1], "--tune", "own", "--draw", "--draws", str(args.draws), "--results", str(args.results)]
    words += ["--seeds", *args.seeds, *(["--methods", *args.methods] if args.methods else [])]
    plan = make(
        request(parser().read([*words, *(word for path in args.methods_path for word in ("--methods-path", path))]))
    )
    store = Store(args.results)
    cells = tuple(asked_cell(cell, plan, store, {}) for cell in plan.cells[TABLE])
    records = Records(args.results)
    searches = read_searches(read_cells(Asked(*TABLE, title="", cells=cells, drawing="tuned"), records, "last"))
    return searches, max(len(cell.ids) for cell in cells)


def choice_text(one: Search) -> str:
    """faces, SCN: draw 5 of 16 (scn.beta=0.8 ...): held out 59.9 % over 5 seeds, as published 50.9 %; ..."""
    place = choose_setting(one)
    chosen = one.draws[place]
    settings = ", ".join(f"{key}={value}" for key, value in chosen.settings.items()) or "as published"
    held_out, test = (100 * values.mean(1) for values in (one.held_out, one.test))
    return (
        f"{one.dataset}, {one.title}: draw {chosen.draw} of {len(one.draws)} ({settings}): held out {held_out[place]:.1f} % "
        f"over {len(one.seeds)} seeds, draw 0 {held_out[0]:.1f} %; test, not used in the choice: {test[place]:.1f} and "
        f"{test[0]:.1f} %"
    )


def write_draws(path: Path, searches: list[Search]) -> None:
    """One line a draw and seed."""
    rows: list[dict[str, Any]] = []
    for one in searches:
        place = choose_setting(one)
        for at, cell in enumerate(one.draws):
            settings = " ".join(f"{key}={value}" for key, value in cell.settings.items())
            for column, number in enumerate(one.seeds):
                rows.append(
                    {
                        "method": one.method,
                        "dataset": one.dataset,
                        "noise": one.noise,
                        "rate": one.rate,
                        "draw": cell.draw,
                    }
                    | {"settings": settings, "seed": number, "held_out": round(float(one.held_out[at, column]), 6)}
                    | {"test": round(float(one.test[at, column]), 6), "chosen": int(at == place)}
                )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
