"""The table of equal tuning: each method as published, and with the settings that held-out noisy labels choose."""

from statistics import median
from typing import Any

import numpy as np

from reports.asked import Asked, Options, stem
from reports.captions import UNMEASURED, dataset_title, foundation, noise_text, scale_text, unique
from reports.cells import Cell, read_cells
from reports.notes import against_note, failure_notes, gaps
from reports.paired import Hits, rank, rank_text
from reports.search import Search, protocol_text, read_searches
from reports.statistics import Interval, crossed_interval, in_points
from reports.table import Block, Entry, Table, signed
from results.records import Records

COLUMNS = ["Method", "published settings", "tuned", "gain", "rank", "chosen on the test set", "draws"]
HEADER = (
    *("row", "method", "dataset", "noise", "rate", "n", "draws", "draws_asked", "published_mean", "published_std"),
    *("tuned_mean", "tuned_std", "gain", "gain_low", "gain_high", "gain_p", "test_chosen_mean", "test_chosen_std"),
    *("rank_low", "rank_high", "chosen", "ids"),
)


def tuned_table(asked: Asked, records: Records, options: Options) -> Table:
    """A block a data set and noise, and below it the values that were chosen."""
    cells = read_cells(asked, records, "last")
    searches = read_searches(cells)
    tuned = {id(one): one.cell_of(one.chosen) for one in searches}
    hits = Hits(records, "last")
    rank(list(tuned.values()), hits)
    conditions = list(dict.fromkeys((one.dataset, one.noise, one.rate) for one in searches))
    blocks, facts = [], []
    for condition in conditions:
        here = [one for one in searches if (one.dataset, one.noise, one.rate) == condition]
        rows = [row_of(one, tuned[id(one)], hits) for one in here]
        heading = f"{dataset_title(cells, condition[0])}, {noise_text(*condition[1:])}"
        blocks += [Block(heading, COLUMNS, [entries for entries, _ in rows])]
        blocks += [chosen_block(here, f"{heading}: chosen values")]
        facts += [fact for _, fact in rows]
    return Table(
        name=stem(asked),
        title=asked.heading,
        caption=f"{tuned_caption(searches, cells)}.",
        blocks=blocks,
        notes=[*against_note(cells), *failure_notes(cells)],
        stands_on=[*rule_text(searches), *foundation([cell for one in searches for cell in one.draws])],
        header=HEADER,
        facts=facts,
        gaps=gaps(cells),
    )


def tuned_caption(searches: list[Search], cells: list[Cell]) -> str:
    if not searches:
        return UNMEASURED.rstrip(".")
    seeds = unique(str(len(one.seeds)) for one in searches)
    return (
        f"Accuracy in per cent, last epoch; mean ± sample standard deviation; n = {' or '.join(seeds)} seeds; "
        f"{scale_text(cells)}; bold: none shown to be better; grey or italic: what a look at the test images would have printed"
    )


def rule_text(searches: list[Search]) -> list[str]:
    if not searches:
        return []
    return [
        "Tuned: in each seed, of the draws of settings the one with the best accuracy on noisy labels of held-out images (of "
        "equal ones the first); its test accuracy in the last epoch is the seed's number.",
        f"Held out: {protocol_text(searches)}.",
        "Draw 0 is the method with its published settings; the others are quasi-random, the same for every seed and data set.",
        "Gain and ranks: paired differences over seeds and test images, closed form; ranks at 5 %, Holm over all pairs of rows.",
    ]


def row_of(one: Search, tuned: Cell, hits: Hits) -> tuple[list[Entry], dict[str, Any]]:
    """A row of the table and its line of the CSV."""
    published = one.cell_of(np.zeros(len(one.seeds), int))
    on_test = one.cell_of(one.chosen_on_test)
    gain = gain_over(tuned, published, one.seeds, hits)
    first = tuned.places is not None and tuned.places[0] == 1
    detail = (
        f"chosen draws {', '.join(f'seed {s}: {d}' for s, d in zip(one.seeds, numbers(one, one.chosen), strict=True))}"
    )
    entries = [
        Entry(one.title, detail=one.method),
        Entry(published.text, sort=published.mean),
        Entry(tuned.text, first, sort=tuned.mean, detail=detail),
        Entry(gain_text(gain), sort=gain and gain.mean),
        Entry(rank_text(tuned), sort=tuned.places and float(sum(tuned.places))),
        Entry(on_test.text, published=True, sort=on_test.mean),
        Entry(f"{len(one.draws)} of {one.asked}", sort=float(len(one.draws))),
    ]
    low, high = tuned.places or ("", "")
    fact = {
        **{"row": one.title, "method": one.method, "dataset": one.dataset, "noise": one.noise, "rate": one.rate or ""},
        **{"n": len(one.seeds), "draws": len(one.draws), "draws_asked": one.asked},
        **spread("published", published),
        **spread("tuned", tuned),
        **{"gain": six(gain and gain.mean), "gain_low": six(gain and gain.low), "gain_high": six(gain and gain.high)},
        "gain_p": six(gain and gain.p),
        **spread("test_chosen", on_test),
        **{"rank_low": low, "rank_high": high},
        "chosen": " ".join(
            f"{number}:{draw}" for number, draw in zip(one.seeds, numbers(one, one.chosen), strict=True)
        ),
        "ids": " ".join(record["id"] for record in tuned.records),
    }
    return entries, fact


def numbers(one: Search, choice: np.ndarray) -> list[int]:
    """The numbers of the draws at these places."""
    return [int(one.draws[place].draw or 0) for place in choice]


def spread(name: str, cell: Cell) -> dict[str, float | str]:
    return {f"{name}_mean": six(cell.mean), f"{name}_std": six(cell.std)}


def six(value: float | None) -> float | str:
    return "" if value is None else round(value, 6)


def gain_over(tuned: Cell, published: Cell, seeds: list[int], hits: Hits) -> Interval | None:
    """Tuned less published settings in points, over seeds and test images."""
    right = hits.of_cells([tuned, published], seeds)
    return None if right is None or not right.size else in_points(crossed_interval(right[0] - right[1]))


def gain_text(gain: Interval | None) -> str:
    return "" if gain is None else f"{signed(gain.mean)} [{signed(gain.low)}, {signed(gain.high)}]"


def chosen_block(searches: list[Search], heading: str) -> Block:
    """A row a method and searched option: published value, and what was chosen over seeds."""
    rows = []
    for one in searches:
        for key, published in one.draws[0].published_settings.items():
            values = [one.draws[place].settings.get(key, published) for place in one.chosen]
            rows.append([Entry(one.title), Entry(key), Entry(published), *map(Entry, value_texts(values))])
    return Block(heading, ["Method", "option", "published", "median", "range"], rows)


def value_texts(values: list[str]) -> tuple[str, str]:
    """Median and range of numbers, or how often each word was chosen."""
    try:
        chosen = [float(value) for value in values]
    except ValueError:
        return "", ", ".join(f"{value} ({values.count(value)})" for value in unique(values))
    return f"{median(chosen):.3g}", f"{min(chosen):.3g} to {max(chosen):.3g}"
