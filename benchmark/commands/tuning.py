"""`python -m benchmark tuning`: which setting a search chooses for each method, and what was tried."""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

from benchmark.commands.command_line import handle_errors
from benchmark.commands.show import asked_cell
from benchmark.plan.matrix import make_plan
from benchmark.terminal import Usage
from reports.asked import Asked
from reports.cells import Cell, read_cells
from reports.search import (
    Search,
    choose_setting,
    name_numbers,
    number_ranges,
    partial_notes,
    read_searches,
    search_gaps,
)
from results.records import Records
from results.store import Store

SEEDS = "100-104"  # that no table uses
TABLE = ("table", "tuned")
DEFAULTS = {"--seeds": SEEDS, "--tune": "own"}  # of the search that chooses a method's own settings
ABOUT_OTHERS = f"""\
Every other option is one of run_all.py and says which search is read, for example --results, --draws, --methods, --datasets,
--rates, --set or --weights: give those that the search was run with. Without them: seeds {SEEDS}, a method's own options
(--tune own), 16 draws, records in results/runs."""
COLUMNS = ("method", "dataset", "noise", "rate", "draw", "settings", "seed", "held_out", "test_not_used", "chosen")


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        "python -m benchmark tuning",
        usage="python -m benchmark tuning [--csv FILE] [options of run_all.py]",
        description=(__doc__ or "").splitlines()[0],
        epilog=ABOUT_OTHERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every draw in every seed there")
    args, words = parser.parse_known_args(arguments)
    return handle_errors("benchmark tuning", lambda: print_choice(words, args.csv))


def print_choice(words: list[str], csv_path: Path | None) -> int:
    """A line a method, and every draw as a CSV where one is asked for; 1 where runs of the search are missing."""
    cells, results = find_cells(words)
    searches = read_searches(cells)
    if not searches:
        raise Usage(f"--results: {results} holds no run of this search; see docs/tuning.md for the command")
    for search in searches:
        print(choice_text(search))
    if csv_path:
        write_draws(csv_path, searches)
        print(f"wrote {csv_path}", file=sys.stderr)
    missing_runs = search_gaps(cells)
    if not missing_runs:
        return 0
    chosen_conditions = {(search.title, search.dataset, search.noise, search.rate) for search in searches}
    unchosen_cells = dict.fromkeys(cell.where for cell in cells if condition_of(cell) not in chosen_conditions)
    for line in [*partial_notes(searches), *(f"{where}: no run counts yet." for where in unchosen_cells)]:
        print(line, file=sys.stderr)
    runs = sum(len(cell.ids) for cell in cells)
    print(
        f"the search is not finished, {len(missing_runs)} of {runs} runs are missing: the choice may change",
        file=sys.stderr,
    )
    return 1


def condition_of(cell: Cell) -> tuple[str, str, str, str | None]:
    return cell.title, cell.dataset, cell.noise, cell.rate


def find_cells(words: list[str]) -> tuple[list[Cell], Path]:
    """The draws of the search that these options of `run_all.py` name, with the runs that are there; and their folder."""
    from benchmark.commands.arguments import read_request
    from benchmark.commands.options import parser

    typed_options = {word.partition("=")[0] for word in words}
    defaults = [word for name, value in DEFAULTS.items() if name not in typed_options for word in (name, value)]
    args = parser().read([*defaults, *words, f"--{TABLE[0]}", TABLE[1], "--draw"])
    plan = make_plan(read_request(args))
    store = Store(args.results)
    asked_cells = tuple(asked_cell(cell, plan, store, {}) for cell in plan.cells[TABLE])
    return read_cells(
        Asked(*TABLE, title="", cells=asked_cells, drawing="tuned"), Records(args.results), "last"
    ), args.results


def choice_text(search: Search) -> str:
    """SCN, faces, asymmetric 0.3: draw 5, scn.beta=0.8 ...; held out over seeds 100-104: draws 0-15: 50.9 ... %; ..."""
    chosen_place = choose_setting(search)
    chosen_cell = search.draws[chosen_place]
    settings = ", ".join(f"{key}={value}" for key, value in chosen_cell.settings.items()) or "as published"
    held_out, test = (100 * shares.mean(1) for shares in (search.held_out, search.test))
    numbers = [cell.draw or 0 for cell in search.draws]
    by_draw = " ".join(f"{value:.1f}" for value in held_out)
    return (
        f"{chosen_cell.where}: draw {chosen_cell.draw}, {settings}; held out {held_out[chosen_place]:.1f} %, mean of "
        f"{name_numbers('seed', search.seeds)} (draws {number_ranges(numbers)}: {by_draw}); test, not used in the choice: "
        f"{test[chosen_place]:.1f} %" + (f", draw 0: {test[0]:.1f} %" if chosen_place else "")
    )


def write_draws(path: Path, searches: list[Search]) -> None:
    """One line a draw and seed; accuracies are shares of 1."""
    rows: list[dict[str, Any]] = []
    for search in searches:
        chosen_place = choose_setting(search)
        search_fields = {
            "method": search.method,
            "dataset": search.dataset,
            "noise": search.noise,
            "rate": search.rate or "",
        }
        for at, cell in enumerate(search.draws):
            settings = " ".join(f"{key}={value}" for key, value in cell.settings.items())
            draw_fields = search_fields | {
                "draw": cell.draw,
                "settings": settings,
                "chosen": "yes" if at == chosen_place else "no",
            }
            for column, number in enumerate(search.seeds):
                held_out = float(search.held_out[at, column])
                test = float(search.test[at, column])
                rows.append(
                    draw_fields | {"seed": number, "held_out": round(held_out, 6), "test_not_used": round(test, 6)}
                )
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
