"""The table of equal tuning: each method as published, and with the settings that held-out noisy labels choose."""

from statistics import median
from typing import Any

import numpy as np

from reports.asked import Asked, Options, output_stem
from reports.captions import (
    UNMEASURED,
    dataset_title,
    describe_foundation,
    mean_text,
    noise_text,
    scale_text,
    unique_texts,
)
from reports.cells import Cell, read_cells
from reports.metrics import METRICS
from reports.notes import against_note, failure_notes
from reports.paired import COUNTED, Hits, compare_cells, rank_cells, rank_text
from reports.search import Search, held_out_notes, partial_notes, read_searches, search_gaps
from reports.statistics import Interval
from reports.table import Block, Entry, Table, format_signed
from results.records import Records

COLUMNS = ["Method", "published settings", "tuned", "gain", "rank", "chosen on the test set", "draws", "seeds"]
CHOSEN = ["Method", "option", "published", "chosen: median", "chosen: range", "tried"]
SEEDS_ALONE = "*"  # marks an interval that does not count test images
HEADER = (
    *("row", "method", "dataset", "noise", "rate", "n", "draws", "draws_asked", "published_mean", "published_std"),
    *("tuned_mean", "tuned_std", "gain", "gain_low", "gain_high", "gain_p"),
    *("gain_counts_images", "test_chosen_mean", "test_chosen_std"),
    *("rank_low", "rank_high", "chosen", "ids", "metric"),
)


def tuned_table(asked: Asked, records: Records, options: Options) -> Table:
    """A block a data set and noise, and below it the values that were chosen."""
    cells = read_cells(asked, records, "last", options)
    searches = read_searches(cells)
    tuned = {id(one): one.cell_of(one.chosen) for one in searches}
    hits = Hits(records, "last", options.metric)
    rank_cells([tuned[id(one)] for one in searches if one.is_whole], hits)
    conditions = list(dict.fromkeys((cell.dataset, cell.noise, cell.rate) for cell in cells if cell.draw is not None))
    blocks, chosen, facts = [], [], []
    for condition in conditions:
        here = [one for one in searches if (one.dataset, one.noise, one.rate) == condition]
        rows = [tuned_row(one, tuned[id(one)], hits, options) for one in here]
        heading = f"{dataset_title(cells, condition[0])}, {noise_text(*condition[1:])}"
        blocks.append(Block(heading, COLUMNS, [entries for entries, _ in rows] + empty_rows(cells, here, condition)))
        values = chosen_block(here, f"{heading}: chosen values")
        chosen += [values] if values.rows else []
        facts += [fact for _, fact in rows]
    return Table(
        name=output_stem(asked),
        title=asked.heading,
        caption=f"{tuned_caption(searches, cells, options)}.",
        blocks=[*blocks, *chosen],
        notes=[
            *held_out_notes(searches),
            *partial_notes(searches),
            *unequal_notes(searches),
            *seeds_alone_notes(blocks),
            *against_note(cells),
            *failure_notes(cells),
        ],
        stands_on=[
            *rule_text(searches, options),
            *describe_foundation([cell for one in searches for cell in one.draws]),
        ],
        header=HEADER,
        facts=facts,
        gaps=search_gaps(cells),
    )


def tuned_caption(searches: list[Search], cells: list[Cell], options: Options) -> str:
    if not searches:
        return UNMEASURED.rstrip(".")
    seeds = unique_texts(str(len(one.seeds)) for one in searches)
    return (
        f"{METRICS[options.metric].caption} in per cent, last epoch; {mean_text(options)}; n = {' or '.join(seeds)} seeds; "
        f"{scale_text(cells)}; bold: none shown to be better; grey or italic: what a look at the test images would have printed"
    )


def rule_text(searches: list[Search], options: Options) -> list[str]:
    if not searches:
        return []
    return [
        "Tuned: in each seed, of the draws of settings the one with the best accuracy on noisy labels of held-out images (of "
        f"equal ones the first); its {METRICS[options.metric].title.lower()} on the test images is the seed's number.",
        "Draw 0 is the method with its published settings; the others are quasi-random, the same for every seed and data set.",
        f"Gain and ranks: paired differences over seeds and test images, closed form, 5 %; {COUNTED}.",
    ]


def empty_rows(cells: list[Cell], measured: list[Search], condition: tuple[str, str, str | None]) -> list[list[Entry]]:
    """A row for each method of which nothing that counts was measured."""
    asked = {cell.title: cell for cell in cells if (cell.dataset, cell.noise, cell.rate) == condition}
    lacking = [title for title in asked if title not in {one.title for one in measured}]
    return [[Entry(title, detail=asked[title].method), *[Entry("–")] * (len(COLUMNS) - 1)] for title in lacking]


def unequal_notes(searches: list[Search]) -> list[str]:
    """Which rows have no rank because they were given fewer draws than were asked for."""
    rows = [f"{one.draws[0].where} ({len(one.draws)})" for one in searches if not one.is_whole]
    return [f"Without a rank, because fewer draws count than were asked for: {'; '.join(rows)}."] if rows else []


def seeds_alone_notes(blocks: list[Block]) -> list[str]:
    """What the mark at an interval means."""
    marked = any(entry.text.endswith(SEEDS_ALONE) for block in blocks for row in block.rows for entry in row)
    return (
        [f"{SEEDS_ALONE} Interval over seeds alone: predictions of some of these runs are not there."] if marked else []
    )


def tuned_row(one: Search, tuned: Cell, hits: Hits, options: Options) -> tuple[list[Entry], dict[str, Any]]:
    """A row of the table and its line of the CSV."""
    published = one.cell_of(np.zeros(len(one.seeds), int))
    on_test = one.cell_of(one.chosen_on_test)
    gain, counts_images = gain_over(tuned, published, hits)
    mean = (tuned.mean or 0.0) - (published.mean or 0.0) if gain is None else gain.mean
    first = tuned.places is not None and tuned.places[0] == 1
    detail = f"chosen draws {', '.join(f'seed {s}: {d}' for s, d in zip(one.seeds, draw_numbers(one, one.chosen), strict=True))}"
    entries = [
        Entry(one.title, detail=one.method),
        Entry(published.text, sort=published.mean),
        Entry(tuned.text, first, sort=tuned.mean, detail=detail),
        Entry(gain_text(mean, gain, counts_images, options.decimals), sort=mean),
        Entry(rank_text(tuned), sort=tuned.places and float(sum(tuned.places))),
        Entry(on_test.text, published=True, sort=on_test.mean),
        Entry(f"{len(one.draws)} of {one.asked}", sort=float(len(one.draws))),
        Entry(f"{len(one.seeds)} of {one.asked_seeds}", sort=float(len(one.seeds))),
    ]
    low, high = tuned.places or ("", "")
    fact = {
        **{"row": one.title, "method": one.method, "dataset": one.dataset, "noise": one.noise, "rate": one.rate or ""},
        **{"n": len(one.seeds), "draws": len(one.draws), "draws_asked": one.asked},
        **mean_and_std_fields("published", published),
        **mean_and_std_fields("tuned", tuned),
        **{
            "gain": round_to_six(mean),
            "gain_low": round_to_six(gain and gain.low),
            "gain_high": round_to_six(gain and gain.high),
        },
        "gain_p": round_to_six(gain and gain.p),
        "gain_counts_images": "" if gain is None else "yes" if counts_images else "no",
        **mean_and_std_fields("test_chosen", on_test),
        **{"rank_low": low, "rank_high": high},
        "chosen": " ".join(
            f"{number}:{draw}" for number, draw in zip(one.seeds, draw_numbers(one, one.chosen), strict=True)
        ),
        "ids": " ".join(record["id"] for record in tuned.records),
        "metric": options.metric,
    }
    return entries, fact


def draw_numbers(one: Search, choice: np.ndarray) -> list[int]:
    """The numbers of the draws at these places."""
    return [int(one.draws[place].draw or 0) for place in choice]


def mean_and_std_fields(name: str, cell: Cell) -> dict[str, float | str]:
    return {f"{name}_mean": round_to_six(cell.mean), f"{name}_std": round_to_six(cell.std)}


def round_to_six(value: float | None) -> float | str:
    return "" if value is None else round(value, 6)


def gain_over(tuned: Cell, published: Cell, hits: Hits) -> tuple[Interval | None, bool]:
    """Tuned less published settings in points, and whether test images count in it beside seeds; None for one seed."""
    if tuned.n < 2:
        return None, False
    with_images = compare_cells(tuned, published, hits)
    found = with_images or compare_cells(tuned, published, None)
    return found and found[0], with_images is not None


def gain_text(mean: float, gain: Interval | None, counts_images: bool, decimals: int) -> str:
    form = f"+.{decimals}f"
    if gain is None:
        return format_signed(mean, form)
    interval = f"[{format_signed(gain.low, form)}, {format_signed(gain.high, form)}]"
    return f"{format_signed(mean, form)} {interval}" + ("" if counts_images else f" {SEEDS_ALONE}")


def chosen_block(searches: list[Search], heading: str) -> Block:
    """A row a method and searched option: published value, what was chosen over seeds, and what was tried."""
    rows = []
    for one in searches:
        for key, published in one.draws[0].published_settings.items():
            tried = [cell.settings.get(key, published) for cell in one.draws]
            chosen = [tried[place] for place in one.chosen]
            seeds = zip(one.seeds, draw_numbers(one, one.chosen), chosen, strict=True)
            detail = ", ".join(f"seed {number}: {value} (draw {draw})" for number, draw, value in seeds)
            texts = [Entry(middle_text(chosen), detail=detail), Entry(range_text(chosen)), Entry(range_text(tried))]
            rows.append([Entry(one.title), Entry(key), Entry(published), *texts])
    return Block(heading, CHOSEN, rows)


def as_numbers(values: list[str]) -> list[float] | None:
    """None where one of the values is no finite number."""
    try:
        found = [float(value) for value in values]
    except ValueError:
        return None
    return found if np.isfinite(found).all() else None


def middle_text(values: list[str]) -> str:
    """The median of numbers; of words how often each was chosen."""
    found = as_numbers(values)
    if found is None:
        return ", ".join(f"{value} ({values.count(value)})" for value in unique_texts(sorted(values)))
    return f"{median(found):.3g}"


def range_text(values: list[str]) -> str:
    """0.05 to 0.7 of numbers, as they were set; of words all of them."""
    found = as_numbers(values)
    if found is None:
        return ", ".join(unique_texts(sorted(values)))
    low, high = values[found.index(min(found))], values[found.index(max(found))]
    return low if min(found) == max(found) else f"{low} to {high}"
