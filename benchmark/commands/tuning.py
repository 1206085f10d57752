"""`python -m benchmark tuning`: which setting a search chooses for each method, and what was tried."""

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from benchmark.commands.command_line import Parser, by_option, handle_errors
from benchmark.commands.show import asked_cell, plan_drawing
from benchmark.terminal import Usage, count_things, print_note
from reports.asked import Asked
from reports.cells import read_cells
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
    parser = Parser(
        "python -m benchmark tuning",
        usage="python -m benchmark tuning [--csv FILE] [options of run_all.py]",
        description=(__doc__ or "").splitlines()[0],
        epilog=ABOUT_OTHERS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every draw in every seed there")
    return handle_errors("benchmark tuning", lambda: read_and_print(parser, arguments))


def read_and_print(parser: Parser, arguments: list[str]) -> int:
    by_option(arguments)  # refuses an empty value
    args, words = parser.parse_known_args(arguments)
    return print_choice(words, args.csv)


def print_choice(words: list[str], csv_path: Path | None) -> int:
    """A line a method, and every draw as a CSV where one is asked for; 1 where runs of the search are missing."""
    typed_options = {word.partition("=")[0] for word in words}
    defaults = [word for name, value in DEFAULTS.items() if name not in typed_options for word in (name, value)]
    plan = plan_drawing([*defaults, *words, f"--{TABLE[0]}", TABLE[1]])
    results = plan.request.results
    store = Store(results)
    asked_cells = tuple(asked_cell(cell, plan, store, {}) for cell in plan.cells[TABLE])
    cells = read_cells(Asked(*TABLE, title="", cells=asked_cells, drawing="tuned"), Records(results), "last")
    searches = read_searches(cells)
    if not searches:
        raise Usage(f"--results: {results} holds no run of this search; see docs/tuning.md for the command")
    for search in searches:
        print(choice_text(search))
    if csv_path:
        write_draws(csv_path, searches)
        print_note(f"wrote {csv_path}")
    missing_runs = search_gaps(cells)
    if not missing_runs:
        return 0
    chosen_cells = {search.first_draw.where for search in searches}
    unchosen_cells = [where for where in dict.fromkeys(cell.where for cell in cells) if where not in chosen_cells]
    for line in [*partial_notes(searches), *(f"{where}: no run counts yet." for where in unchosen_cells)]:
        print_note(line)
    run_count = sum(len(cell.ids) for cell in cells)
    lack = f"{len(missing_runs)} of {count_things(run_count, 'run')} missing"
    print_note(f"the search is not finished, {lack}: the choice may change")
    return 1


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
    rows: list[tuple[Any, ...]] = []
    for search in searches:
        condition = [search.facts[name] for name in COLUMNS[:4]]
        chosen_place = choose_setting(search)
        for at, cell in enumerate(search.draws):
            settings = " ".join(f"{key}={value}" for key, value in cell.settings.items())
            is_chosen = "yes" if at == chosen_place else "no"
            for seed, held_out, test in zip(search.seeds, search.held_out[at], search.test[at], strict=True):
                accuracies = (round(float(held_out), 6), round(float(test), 6))
                rows.append((*condition, cell.draw, settings, seed, *accuracies, is_chosen))
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False, lineterminator="\n")
