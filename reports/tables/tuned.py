"""The table of equal tuning: each method as published, and with the settings that held-out noisy labels choose."""

from statistics import median
from typing import Any

import numpy as np

from reports.asked import Asked, Options, output_stem
from reports.captions import UNMEASURED, condition_title, describe_foundation, mean_text, scale_text, unique_texts
from reports.cells import Cell, group_conditions, read_cells
from reports.facts import pick_columns, round_or_blank
from reports.metrics import METRICS
from reports.notes import against_note, failure_notes
from reports.paired import COUNTED, Hits, compare_cells, rank_cells, rank_text
from reports.search import Search, held_out_notes, partial_notes, read_searches, search_gaps
from reports.statistics import Interval
from reports.table import Block, Entry, Table, format_signed, signed_texts
from results.records import Records

COLUMNS = ["Method", "published settings", "tuned", "gain", "rank", "chosen on the test set", "draws", "seeds"]
CHOSEN = ["Method", "option", "published", "chosen: median", "chosen: range", "tried"]
SEEDS_ALONE = "*"  # marks an interval that does not count test images
CSV_COLUMNS = (
    "row method dataset noise rate n draws draws_asked published_mean published_std tuned_mean tuned_std gain gain_low "
    "gain_high gain_p gain_counts_images test_chosen_mean test_chosen_std rank_low rank_high chosen ids metric"
)


def tuned_table(asked: Asked, records: Records, options: Options) -> Table:
    """A block a data set and noise, and below it the values that were chosen."""
    cells = read_cells(asked, records, "last", options)
    searches = read_searches(cells)
    tuned_cells = {id(search): search.cell_of(search.chosen) for search in searches}
    hits = Hits(records, "last", options.metric)
    rank_cells([tuned_cells[id(search)] for search in searches if search.is_whole], hits)
    blocks = []
    chosen_blocks = []
    facts = []
    for condition, asked_cells in group_conditions(cell for cell in cells if cell.draw is not None).items():
        searches_here = [search for search in searches if search.condition == condition]
        rows = [tuned_row(search, tuned_cells[id(search)], hits, options) for search in searches_here]
        table_lines = [entries for entries, _ in rows] + empty_rows(asked_cells, searches_here)
        heading = condition_title(cells, condition)
        blocks.append(Block(heading, COLUMNS, table_lines))
        chosen_blocks.append(chosen_block(searches_here, f"{heading}: chosen values"))
        facts += [fact for _, fact in rows]
    return Table(
        name=output_stem(asked),
        title=asked.heading,
        caption=f"{tuned_caption(searches, cells, options)}.",
        blocks=[*blocks, *(block for block in chosen_blocks if block.rows)],
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
            *describe_foundation([cell for search in searches for cell in search.draws]),
        ],
        header=tuple(CSV_COLUMNS.split()),
        facts=facts,
        gaps=search_gaps(cells),
    )


def tuned_caption(searches: list[Search], cells: list[Cell], options: Options) -> str:
    if not searches:
        return UNMEASURED.rstrip(".")
    seeds = unique_texts(str(len(search.seeds)) for search in searches)
    seeds_text = f"{' or '.join(seeds)} {'seed' if seeds == ['1'] else 'seeds'}"
    return (
        f"{METRICS[options.metric].caption} in per cent, last epoch; {mean_text(options)}; n = {seeds_text}; "
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


def empty_rows(asked_cells: list[Cell], measured: list[Search]) -> list[list[Entry]]:
    """A row for each method of which nothing that counts was measured."""
    methods = {cell.title: cell.method for cell in asked_cells}
    dashes = [Entry("–")] * (len(COLUMNS) - 1)
    measured_titles = {search.title for search in measured}
    return [[Entry(title, detail=m), *dashes] for title, m in methods.items() if title not in measured_titles]


def unequal_notes(searches: list[Search]) -> list[str]:
    """Which rows have no rank because they were given fewer draws than were asked for."""
    rows = [f"{search.first_draw.where} ({len(search.draws)})" for search in searches if not search.is_whole]
    return [f"Without a rank, because fewer draws count than were asked for: {'; '.join(rows)}."] if rows else []


def seeds_alone_notes(blocks: list[Block]) -> list[str]:
    """What the mark at an interval means."""
    is_marked = any(entry.text.endswith(SEEDS_ALONE) for block in blocks for row in block.rows for entry in row)
    marked_note = f"{SEEDS_ALONE} Interval over seeds alone: predictions of some of these runs are not there."
    return [marked_note] if is_marked else []


def tuned_row(search: Search, tuned: Cell, hits: Hits, options: Options) -> tuple[list[Entry], dict[str, Any]]:
    """A row of the table and its line of the CSV."""
    published = search.cell_of(np.zeros(len(search.seeds), int))
    on_test = search.cell_of(search.chosen_on_test)
    gain, counts_images = gain_over(tuned, published, hits)
    mean = (tuned.mean or 0.0) - (published.mean or 0.0) if gain is None else gain.mean
    chosen_draws = list(zip(search.seeds, draw_numbers(search, search.chosen), strict=True))
    detail = f"chosen draws {', '.join(f'seed {number}: {draw}' for number, draw in chosen_draws)}"
    entries = [
        Entry(search.title, detail=search.first_draw.method),
        Entry(published.text, sort=published.mean),
        Entry(tuned.text, tuned.is_best, sort=tuned.mean, detail=detail),
        Entry(gain_text(mean, gain, counts_images, options.decimals), sort=mean),
        Entry(rank_text(tuned), sort=tuned.places and float(sum(tuned.places))),
        Entry(on_test.text, published=True, sort=on_test.mean),
        Entry(f"{len(search.draws)} of {search.asked}", sort=float(len(search.draws))),
        Entry(f"{len(search.seeds)} of {search.asked_seeds}", sort=float(len(search.seeds))),
    ]
    best_rank, worst_rank = tuned.places or ("", "")
    fact = {
        "draws": len(search.draws),
        "draws_asked": search.asked,
        "gain": round_or_blank(mean),
        "gain_low": round_or_blank(gain and gain.low),
        "gain_high": round_or_blank(gain and gain.high),
        "gain_p": round_or_blank(gain and gain.p),
        "gain_counts_images": "" if gain is None else "yes" if counts_images else "no",
        "rank_low": best_rank,
        "rank_high": worst_rank,
        "chosen": " ".join(f"{number}:{draw}" for number, draw in chosen_draws),
        "ids": tuned.id_text,
        "metric": options.metric,
    }
    for name, cell in {"published": published, "tuned": tuned, "test_chosen": on_test}.items():
        fact |= {f"{name}_mean": round_or_blank(cell.mean), f"{name}_std": round_or_blank(cell.std)}
    return entries, pick_columns(CSV_COLUMNS, search.facts, fact)


def draw_numbers(search: Search, choice: np.ndarray) -> list[int]:
    """The numbers of the draws at these places."""
    return [int(search.draws[place].draw or 0) for place in choice]


def gain_over(tuned: Cell, published: Cell, hits: Hits) -> tuple[Interval | None, bool]:
    """Tuned less published settings in points, and whether test images count in it beside seeds; None for one seed."""
    if tuned.n < 2:
        return None, False
    with_images = compare_cells(tuned, published, hits)
    comparison = with_images or compare_cells(tuned, published, None)
    return comparison and comparison[0], with_images is not None


def gain_text(mean: float, gain: Interval | None, counts_images: bool, decimals: int) -> str:
    if gain is None:
        return format_signed(mean, f"+.{decimals}f")
    gain_mean, low, high = signed_texts(gain, decimals)
    return f"{gain_mean} [{low}, {high}]" + ("" if counts_images else f" {SEEDS_ALONE}")


def chosen_block(searches: list[Search], heading: str) -> Block:
    """A row a method and searched option: published value, what was chosen over seeds, and what was tried."""
    rows = []
    for search in searches:
        for key, published in search.first_draw.published_settings.items():
            tried_values = [cell.settings.get(key, published) for cell in search.draws]
            chosen_values = [tried_values[place] for place in search.chosen]
            seeds = zip(search.seeds, draw_numbers(search, search.chosen), chosen_values, strict=True)
            detail = ", ".join(f"seed {number}: {value} (draw {draw})" for number, draw, value in seeds)
            texts = [
                Entry(middle_text(chosen_values), detail=detail),
                Entry(range_text(chosen_values)),
                Entry(range_text(tried_values)),
            ]
            rows.append([Entry(search.title), Entry(key), Entry(published), *texts])
    return Block(heading, CHOSEN, rows)


def as_numbers(values: list[str]) -> list[float] | None:
    """None where one of the values is no finite number."""
    try:
        numbers = [float(value) for value in values]
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def middle_text(values: list[str]) -> str:
    """The median of numbers; of words how often each was chosen."""
    numbers = as_numbers(values)
    if numbers is None:
        return ", ".join(f"{value} ({values.count(value)})" for value in unique_texts(sorted(values)))
    return f"{median(numbers):.3g}"


def range_text(values: list[str]) -> str:
    """0.05 to 0.7 of numbers, as they were set; of words all of them."""
    numbers = as_numbers(values)
    if numbers is None:
        return ", ".join(unique_texts(sorted(values)))
    low = values[numbers.index(min(numbers))]
    high = values[numbers.index(max(numbers))]
    return low if min(numbers) == max(numbers) else f"{low} to {high}"
