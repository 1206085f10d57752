"""What a table or figure shows, in one sentence, and what it stands on, fact by fact, from the records that it shows."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from reports.asked import DEFAULTS, Options
from reports.cells import Cell, Condition, group_by, group_conditions
from reports.metrics import METRICS
from reports.statistics import SPREADS
from results.published import DATASETS, SOURCES, asymmetric_map
from results.schema import RULES, class_names, data_title


def dataset_title(cells: list[Cell], name: str) -> str:
    """The data set's name in tables: the records' own, else the paper's, else as typed."""
    record = next((record for cell in cells if cell.dataset == name for record in cell.records), None)
    return data_title(record) if record else DATASETS.get(name, name)


def noise_text(noise: str, rate: str | None) -> str:
    """asymmetric noise, 10 %"""
    noise_name = {"none": "no added noise", "votes": "labels drawn from people's votes"}.get(noise, f"{noise} noise")
    return noise_name if rate is None else f"{noise_name}, {100 * float(rate):g} %"


def condition_title(cells: list[Cell], condition: Condition) -> str:
    """FERPlus, asymmetric noise, 10 %"""
    dataset, noise, rate = condition
    return f"{dataset_title(cells, dataset)}, {noise_text(noise, rate)}"


def count_runs(number: int) -> str:
    """1 run, 2 runs"""
    return "1 run" if number == 1 else f"{number:,} runs"


UNMEASURED = "Nothing was measured here yet."


def seeds_text(cells: list[Cell]) -> str:
    """n = 5 seeds unless noted; n = 10 seeds (FERPlus: 5; NLA on RAF-DB: 3) unless noted"""
    most_seeds = max((len(cell.ids) for cell in cells), default=0)
    if most_seeds < 2:
        return "n = 1 seed"
    fewer: dict[int, list[str]] = {}
    for name, cells_here in group_by((cell for cell in cells if cell.ids), lambda cell: cell.dataset).items():
        by_count = group_by(cells_here, lambda cell: len(cell.ids))
        for seed_count in by_count.keys() - {most_seeds}:
            rows = "" if len(by_count) == 1 else f"{list_titles(by_count[seed_count])} on "
            fewer.setdefault(seed_count, []).append(rows + dataset_title(cells, name))
    fewer_texts = [f"{', '.join(places)}: {seed_count}" for seed_count, places in sorted(fewer.items(), reverse=True)]
    exceptions = f" ({'; '.join(fewer_texts)})" if fewer_texts else ""
    return f"n = {most_seeds} seeds{exceptions} unless noted"


def scale_text(cells: list[Cell]) -> str:
    """demo scale"""
    scale_names = unique_texts(record["spec"].get("scale", {}).get("name") for cell in cells for record in cell.records)
    return f"{', '.join(scale_names)} scale"


def list_titles(cells: Iterable[Cell]) -> str:
    """Baseline, SCN"""
    return ", ".join(unique_texts(cell.title for cell in cells))


def runs_text(cells: list[Cell]) -> str:
    """n = 5 seeds unless noted; demo scale"""
    return f"{seeds_text(cells)}; {scale_text(cells)}"


def lines_text(options: Options) -> str:
    """What lines and bands of a picture are."""
    return f"lines: means over seeds, bands: {SPREADS[options.spread][1]}"


def mean_text(options: Options) -> str:
    return f"mean ± {SPREADS[options.spread][0]}"


def accuracy_caption(cells: list[Cell], rule: str, options: Options = DEFAULTS, spread: str = "") -> str:
    """What is shown, by which rule, over how many seeds, at which scale; without a full stop.

    options: the metric and the spread; without them accuracy. spread: what stands beside a mean, where that is not a
    number behind ±.
    """
    if not any(cell.records for cell in cells):
        return UNMEASURED.rstrip(".")
    spread_text = f"; {spread or mean_text(options)}" if max(len(cell.ids) for cell in cells) > 1 else ""
    return f"{METRICS[options.metric].caption} in per cent, {RULES[rule]}{spread_text}; {runs_text(cells)}"


def describe_foundation(cells: list[Cell]) -> list[str]:
    """What numbers stand on: data, network, weights, scale, precision, noise and hardware, a sentence each."""
    records = [record for cell in cells for record in cell.records]
    if not records:
        return []
    resolved = [record["resolved"] for record in records]
    specs = [record["spec"] for record in records]
    notes = unique_texts(note for settings in resolved for note in settings.get("scale_notes", []))
    return [
        *(data_text(cells, name) for name in unique_texts(cell.dataset for cell in cells if cell.records)),
        f"Backbone {describe_by_row(cells, backbone_text)}; start: {describe_by_row(cells, start_weights_text)}.",
        f"Recipes: {', '.join(unique_texts(spec.get('preset') for spec in specs)).replace('_', ' ')}, "
        f"{scale_text(cells)}; "
        f"precision {', '.join(unique_texts(spec.get('precision') for spec in specs))}.",
        *(f"{note[:1].upper()}{note[1:]}." for note in notes),
        *unsearched_text(records),
        *sampler_text(cells),
        *changed_text(cells),
        *map_text(cells),
        *realised_text(cells),
        *hardware_text(records),
        *code_text(cells),
        *weights_text(records),
    ]


def unsearched_text(records: Iterable[dict[str, Any]]) -> list[str]:
    """Methods with settings of their own that no search chose, beside methods for which one did."""
    was_searched: dict[str, bool] = {}
    for resolved in (record["resolved"] for record in records if record["resolved"].get("parameters")):
        title = str(resolved.get("method_title"))
        has_note = any(note.startswith(f"{title}: ") for note in resolved.get("scale_notes", []))
        was_searched[title] = was_searched.get(title, False) or has_note
    titles = [title for title, searched in was_searched.items() if not searched]
    if not titles or len(titles) == len(was_searched):
        return []
    return [
        f"No search chose the settings of {', '.join(titles)}: they are those of the methods' files, or set by hand."
    ]


def sampler_text(cells: list[Cell]) -> list[str]:
    """Which rows draw their training images otherwise than uniformly; the method's name where all of its rows do so."""
    rows_by_sampler: dict[str, dict[str, list[str]]] = {}
    for cell in cells:
        for resolved in (record["resolved"] for record in cell.records):
            sampler = str(resolved.get("parameters", {}).get("sampler", "uniform"))
            rows_by_sampler.setdefault(str(resolved.get("method_title")), {}).setdefault(sampler, []).append(cell.title)
    return [
        f"{title if len(samplers) == 1 else ', '.join(unique_texts(rows))}: the {sampler} sampler of its own in place of "
        "the uniform one."
        for title, samplers in sorted(rows_by_sampler.items())
        for sampler, rows in sorted(samplers.items())
        if sampler != "uniform"
    ]


def data_text(cells: list[Cell], name: str) -> str:
    """FERPlus: 8 classes, majority rule, Train+Valid, 25,045 training and 3,137 test images."""
    cells_here = [cell for cell in cells if cell.dataset == name and cell.records]
    record = cells_here[0].records[0]
    data = record["resolved"].get("data", {})
    data_facts = [f"{len(class_names(record))} classes"]
    data_facts += [str(data[key]) for key in ("label_rule", "train_set", "note") if data.get(key)]
    if isinstance(data.get("train_images"), int) and isinstance(data.get("test_images"), int):
        subset = record["spec"]["scale"].get("subset")
        subset_text = "" if subset is None else f" (scale.subset={subset})"
        data_facts.append(f"{data['train_images']:,} training{subset_text} and {data['test_images']:,} test images")
    if data.get("stored"):
        data_facts.append(f"stored at {data['stored']}")
    copies = copies_text(cells_here)
    return f"{data_title(record)}: {', '.join(data_facts)}." + (f" In the whole data set: {copies}." if copies else "")


def copies_text(cells: list[Cell]) -> str:
    """What is known of copies in a data set: as it is decoded here, else the longest that its records say."""
    if cells[0].data_facts.get("copies"):
        return str(cells[0].data_facts["copies"])
    # Later readings of the same pictures find more copies.
    recorded_copies = (record["resolved"].get("data", {}).get("copies") for cell in cells for record in cell.records)
    return max((str(text) for text in recorded_copies if text), key=len, default="")


def backbone_text(record: dict[str, Any]) -> str:
    """The network that was trained: where it is not the recipe's backbone, the record says so."""
    resolved = record["resolved"]
    return str(resolved.get("network") or resolved.get("recipe", {}).get("backbone") or "not recorded")


def start_weights_text(record: dict[str, Any]) -> str:
    return str(record["resolved"].get("weights", {}).get("text") or "not recorded")


def describe_by_row(cells: list[Cell], read_fact: Callable[[dict[str, Any]], str]) -> str:
    """A fact of the records; where there are several, each with the rows or the data sets that it is true of."""
    rows_by_fact: dict[str, list[tuple[str, str]]] = {}
    for cell in cells:
        for fact in unique_texts(read_fact(record) for record in cell.records):
            rows_by_fact.setdefault(fact, []).append((cell.title, dataset_title(cells, cell.dataset)))
    if len(rows_by_fact) < 2:
        return "".join(rows_by_fact)
    for side in (0, 1):
        names_by_fact = {fact: unique_texts(pair[side] for pair in pairs) for fact, pairs in rows_by_fact.items()}
        if len({name for names in names_by_fact.values() for name in names}) == sum(map(len, names_by_fact.values())):
            return "; ".join(f"{fact} ({', '.join(names)})" for fact, names in names_by_fact.items())
    return "; ".join(
        f"{fact} ({', '.join(unique_texts(map(' on '.join, pairs)))})" for fact, pairs in rows_by_fact.items()
    )


def changed_text(cells: list[Cell]) -> list[str]:
    """What was set by hand: in every run shown, or in those of some rows."""
    measured_cells = [cell for cell in cells if cell.records]
    shared_changes = set.intersection(*(set(cell.by_hand.items()) for cell in measured_cells))
    sentences = [f"Changed from that: {settings_text(shared_changes)}."] if shared_changes else []
    rows_by_change = group_by(measured_cells, lambda cell: settings_text(set(cell.by_hand.items()) - shared_changes))
    return sentences + [
        f"Changed by hand in {list_titles(rows)}: {text}." for text, rows in rows_by_change.items() if text
    ]


def settings_text(changes: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(changes))


def realised_text(cells: list[Cell]) -> list[str]:
    """Nominal and realised rates by data set, mean over seeds."""
    noisy_cells = [c for c in cells if c.part == "table" and c.realised is not None and c.noise != "none"]
    sentences = []
    for name, cells_here in group_by(noisy_cells, lambda cell: cell.dataset).items():
        several_kinds = len({cell.noise for cell in cells_here}) > 1
        rate_texts = []
        for (_, noise, rate), (first_cell, *_) in group_conditions(cells_here).items():
            kind_text = f" {noise}" if several_kinds else ""
            nominal = f" for {100 * float(rate):g} %{kind_text}" if rate else f" ({noise})"
            rate_texts.append(f"{100 * first_cell.realised:.1f} %{nominal}")
        sentences.append(
            f"Realised label noise on {dataset_title(cells, name)} (mean over seeds): {', '.join(rate_texts)}."
        )
    return sentences


def map_text(cells: list[Cell]) -> list[str]:
    """Which wrong label asymmetric noise gives to each class of the data sets shown; nothing where a class has none."""
    noisy_records = [record for cell in cells if cell.noise == "asymmetric" for record in cell.records]
    classes = unique_texts(name for record in noisy_records for name in class_names(record))
    target_by_class = asymmetric_map()
    if not classes or not set(classes) <= set(target_by_class):
        return []
    paper_pairs = [f"{name} to {target_by_class[name][0]}" for name in classes if target_by_class[name][1]]
    added_pairs = [f"{name} to {target_by_class[name][0]}" for name in classes if not target_by_class[name][1]]
    added_text = f"; not in its map of seven classes: {', '.join(added_pairs)}" if added_pairs else ""
    return [f"Asymmetric noise turns, as in the caption of the paper's Table 1, {', '.join(paper_pairs)}{added_text}."]


def hardware_text(records: list[dict[str, Any]]) -> list[str]:
    """Which machines they were trained on, and how many runs on each where these are several."""
    counts = Counter(str(record["provenance"].get("hardware")) for record in records)
    if len(counts) < 2:
        return [f"Trained on {name}." for name in counts if name != "None"]
    return [
        f"Mixed hardware: {', '.join(f'{name} ({count_runs(run_count)})' for name, run_count in counts.most_common())}."
    ]


def code_text(cells: list[Cell]) -> list[str]:
    """Named only where runs of one method were made by states of its file that may give other bits."""
    run_counts = Counter((cell.method, code) for cell in cells for code in cell.codes if code)
    state_counts = Counter(method for method, _ in run_counts)
    state_texts = [
        f"{method} {code.removeprefix('statements:')[:8]} ({count_runs(run_count)})"
        for (method, code), run_count in run_counts.items()
        if state_counts[method] > 1
    ]
    return [f"Different states of a method's file at equal version: {', '.join(state_texts)}."] if state_texts else []


def weights_text(records: list[dict[str, Any]]) -> list[str]:
    """Named only where weights made here by one recipe were made more than once, with other numbers."""
    loading_records = [record for record in records if record["resolved"].get("weights", {}).get("loaded")]
    sentences = []
    for name, records_here in group_by(loading_records, lambda record: record["spec"]["weights"]).items():
        file_counts = Counter(str(record["resolved"]["weights"]["loaded"].get("sha256")) for record in records_here)
        if len(file_counts) > 1:
            hashes = ", ".join(f"{sha[:8]} ({count_runs(run_count)})" for sha, run_count in file_counts.items())
            sentences.append(f"Different files of start weights {name[:20]}: {hashes}.")
    return sentences


def published_text(cells: list[Cell], further_noises: Iterable[str] = ()) -> list[str]:
    """Where the printed values come from; also: noise kinds of columns that were not run."""
    printed = [(cell.noise, cell.published.source) for cell in cells if cell.published]
    noises = unique_texts([*(noise for noise, source in printed if not source), *further_noises])
    sources = [SOURCES[noise] for noise in noises if noise in SOURCES] + unique_texts(source for _, source in printed)
    if not sources:
        return []
    differences = ["other start weights", "other classes where marked"]
    scales = {record["spec"].get("scale", {}).get("name") for cell in cells for record in cell.records}
    if "demo" in scales:
        differences.append("another network, image size and number of images than the demo's")
    if "small" in scales:
        differences.append("images of 224 px and more epochs than the small scale")
    sentences = [f"Published: {'; '.join(sources)}. Compare with care: these have {list_words(differences)}."]
    if any(cell.difference is not None for cell in cells):
        sentences.append("Difference: measured minus published, in points.")
    return sentences


def list_words(words: Iterable[str]) -> str:
    """A, B and C"""
    *before, last = words
    return f"{', '.join(before)} and {last}" if before else last


def unique_texts(values: Iterable[Any]) -> list[str]:
    """The different texts in the order of their first appearance, without empty ones."""
    return list(dict.fromkeys(str(value) for value in values if value not in (None, "")))
