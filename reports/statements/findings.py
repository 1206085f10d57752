"""What a folder of records says: sentences made from its numbers, each with its intervals and its command.

No sentence knows its outcome: its words follow the intervals, and what was not measured is not spoken of.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from reports.asked import Options
from reports.captions import foundation, noise_text
from reports.cells import Cell, common_seeds, of_seeds
from reports.divergence import groups, nearer
from reports.mechanisms import idle_notes
from reports.paired import CROSS_FITTED
from reports.statements.claims import PAPER_RATES
from reports.statements.measured import Difference, Measured, by_seed, paired
from reports.statements.wording import Finding, Words, compose
from reports.statistics import crossed_interval
from results.published import LATER, METHODS
from results.schema import ENOUGH_SEEDS

WORST = "0.3"  # the rate at which the methods differ most
OTHERS = tuple(method for method in METHODS if method != "baseline")
NEW = tuple(method for method in LATER if method not in ("co_teaching", "jocor"))
BALANCED = {"lanet.sampler": "published"}
PEOPLE = ("none", "votes")  # noises of Table 2
WITHOUT_LOSSES = {f"lanet.{part}_weight": "0" for part in ("landmark", "distribution", "contrastive")}


def findings(measured: Measured) -> list[Finding]:
    """Every statement that the records can make with at least five seeds, in the order of the page."""
    gains = partial(against_baseline, measured, OTHERS)
    made = (
        gains("asymmetric", WORST, "--table 1"),
        gains("asymmetric", "0.1", "--table 1"),
        gains("symmetric", WORST, "--table symmetric"),
        gains("none", None, "--table clean"),
        rare_classes(measured, "asymmetric", WORST),
        rare_classes(measured, "none", None),
        memorised(measured),
        best_epoch(measured),
        gains_by_best(measured),
        sampler(measured),
        sampler_and_rare_classes(measured),
        recipe(measured),
        against_baseline(measured, NEW, "asymmetric", WORST, "--table later"),
        against_baseline(measured, NEW, "symmetric", WORST, "--table later"),
        people(measured),
        margin(measured),
        missed(measured),
    )
    return [finding for finding in made if finding is not None]


def against_baseline(
    measured: Measured, methods: tuple[str, ...], noise: str, rate: str | None, asked: str
) -> Finding | None:
    """Methods less the baseline, last epoch."""
    found = []
    for name in measured.datasets():
        base = measured.cell(name, "baseline", noise, rate)
        cells = [measured.cell(name, method, noise, rate) for method in methods]
        found += [measured.accuracy(cell.title, cell, base) for cell in cells if cell]
    who = "The methods" if methods == OTHERS else "Methods of later papers"
    about = f"Accuracy in the last epoch less the baseline's, {noise_text(noise, rate)}."
    return compose(f"{who}: {noise_text(noise, rate)}", about, found, asked)


def balanced(text: str, measured: Measured, first: Cell | None, second: Cell | None) -> Difference | None:
    """First less second in points of balanced accuracy, the mean over classes."""
    return measured.accuracy(text, first, second, balanced=True)


def rare_classes(measured: Measured, noise: str, rate: str | None) -> Finding | None:
    """Methods less the baseline by balanced accuracy, which counts a rare class as much as a common one."""
    found = []
    for name in measured.datasets():
        base = measured.cell(name, "baseline", noise, rate)
        found += [balanced(METHODS[m], measured, measured.cell(name, m, noise, rate), base) for m in OTHERS]
    words = noise_text(noise, rate)
    about = f"Balanced accuracy (mean over classes, last epoch) less the baseline's, {words}: what is gained on rare classes."
    return compose(f"Rare classes: {words}", about, found, "--all")


def memorised(measured: Measured) -> Finding | None:
    """Share of the wrong labels that the network gives back in the last epoch, less the baseline's."""
    found, shares = [], []
    for name in measured.datasets():
        base, *others = (
            by_seed(measured.cell(name, method, "asymmetric", WORST), lambda r: 100 * r["history"]["memorised"][-1])
            for method in METHODS
        )
        shares += [f"{np.mean(list(base.values())):.0f} % on {measured.title(name)}"] if base else []
        found += [paired(measured.title(name), METHODS[method], values, base) for method, values in zip(OTHERS, others)]
    about = (
        f"In the last epoch, {noise_text('asymmetric', WORST)}, the baseline gives back {' and '.join(shares)} of its "
        "wrong training labels; the others, less that."
    )
    return compose("Wrong labels memorised", about, found, "--all", Words("more", "fewer", "not told apart"))


def best_epoch(measured: Measured) -> Finding | None:
    """What choosing the epoch on the test set adds, by method."""
    found = []
    for name in measured.datasets():
        cells = [measured.cell(name, method, "asymmetric", WORST) for method in METHODS]
        found += [measured.accuracy(cell.title, cell, cell, (CROSS_FITTED, "last")) for cell in cells if cell]
    about = (
        f"Accuracy of the best epoch less that of the last, {noise_text('asymmetric', WORST)}. The epoch is chosen on one half "
        "of the test images and measured on the other, so that chance does not count."
    )
    words = Words("gain", "loss", "no gain shown")
    return compose("What best-epoch selection is worth", about, found, "--table 1 --rule best", words)


def gains_by_best(measured: Measured) -> Finding | None:
    """Methods less the baseline where both choose their best epoch."""
    found = []
    for name in measured.datasets():
        base = measured.cell(name, "baseline", "asymmetric", WORST)
        cells = [measured.cell(name, method, "asymmetric", WORST) for method in OTHERS]
        found += [measured.accuracy(cell.title, cell, base, ("best", "best")) for cell in cells if cell]
    about = f"The first comparison by the best epoch of each run, {noise_text('asymmetric', WORST)}."
    return compose("The same methods by their best epochs", about, found, "--table 1 --rule best")


Pair = tuple[str, Cell | None, Cell | None]  # what is compared, and the two sides


def samplers(measured: Measured) -> Iterator[Pair]:
    """LA-Net, with and without its losses, with its published sampler and with the uniform one of all rows."""
    for name in measured.datasets():
        for losses, words in (({}, "LA-Net"), (WITHOUT_LOSSES, "without its losses")):
            for rate in PAPER_RATES:
                plain = measured.cell(name, "lanet", "asymmetric", rate, losses)
                own = measured.cell(name, "lanet", "asymmetric", rate, losses | BALANCED)
                yield f"{words} at {100 * float(rate):g} %", own, plain


def sampler(measured: Measured) -> Finding | None:
    """What the sampler does to accuracy."""
    found = [measured.accuracy(text, own, plain) for text, own, plain in samplers(measured)]
    about = (
        "LA-Net with its published sampler (classes balanced) less LA-Net with the uniform one of all rows; and the same "
        "with its three losses off, which is a baseline."
    )
    return compose("What LA-Net's sampler does", about, found, "--table matched", Words("gain", "loss"))


def sampler_and_rare_classes(measured: Measured) -> Finding | None:
    """What the sampler does to balanced accuracy."""
    found = [balanced(text, measured, own, plain) for text, own, plain in samplers(measured)]
    about = "The same by balanced accuracy, the mean over classes."
    return compose("What LA-Net's sampler does for rare classes", about, found, "--all", Words("gain", "loss"))


def recipe(measured: Measured) -> Finding | None:
    """LA-Net less the baseline under LA-Net's own recipe, by sampler."""
    found = []
    for name in measured.datasets():
        for drawn, words in (({}, "uniform sampler"), (BALANCED, "balanced sampler")):
            for rate in PAPER_RATES:
                base = measured.cell(name, "lanet", "asymmetric", rate, WITHOUT_LOSSES | drawn)
                ours = measured.cell(name, "lanet", "asymmetric", rate, drawn)
                found.append(measured.accuracy(f"{words}, {100 * float(rate):g} %", ours, base))
    about = "LA-Net less the same recipe with its three losses off, under either sampler."
    return compose("LA-Net's losses under one recipe", about, found, "--table matched", Words("gain", "loss"))


def people(measured: Measured) -> Finding | None:
    """LA-Net's label distributions against people, beside the given labels and the baseline's softmax."""
    found, options = [], Options()
    for name in measured.datasets():
        both = [measured.cell(name, method, noise, None) for noise in PEOPLE for method in ("baseline", "lanet")]
        seeds = common_seeds([cell for cell in both if cell])  # as Table 2 has them, which shows all in one column
        for noise in PEOPLE:
            cells = [of_seeds(cell, seeds) for cell in both if cell and cell.noise == noise]
            for group in groups(cells, measured.records, options):
                for other, words in (("given", "than the given labels"), ("baseline", "than the baseline's softmax")):
                    gap = nearer(group, other)
                    if gap and len(gap[0]) >= ENOUGH_SEEDS:
                        text = f"{words} ({noise_text(noise, None)})"
                        found.append(Difference(measured.title(name), text, crossed_interval(gap[1]), len(gap[0])))
    about = (
        "How much closer LA-Net's label distributions are to people's votes (Jensen-Shannon divergence, base 2; on drawn "
        "faces votes of simulated annotators)."
    )
    words = Words("closer", "farther", "not told apart")
    return compose("Label distributions and people", about, found, "--table 2", words, "divergence")


def margin(measured: Measured) -> Finding | None:
    """How well the averaged margin finds wrong labels, less the method's own opinion."""
    found = []
    for name in measured.datasets():
        for method in METHODS:
            cell = measured.cell(name, method, "asymmetric", WORST)
            by_margin, own = (
                by_seed(cell, lambda record, key=key: record["metrics"].get(key))
                for key in ("margin_auroc", "wrong_label_auroc")
            )
            found.append(paired(measured.title(name), METHODS[method], by_margin, own))
    about = (
        "Area under the curve of finding wrong labels: the given label's margin averaged over epochs, of the same runs, "
        f"less the method's own opinion, {noise_text('asymmetric', WORST)}."
    )
    return compose("Finding wrong labels", about, found, "--all", Words("margin better", "own better"), "area")


def missed(measured: Measured) -> Finding | None:
    """Which wrong labels stay unflagged, by the margin and by the method's own opinion."""
    found, shares = [], []
    for name in measured.datasets():
        for method in METHODS:
            cell = measured.cell(name, method, "asymmetric", WORST)
            by_margin, own = (
                by_seed(cell, lambda record, key=key: per_cent(record["metrics"].get(key)))
                for key in ("margin_fnr", "wrong_label_fnr")
            )
            found.append(paired(measured.title(name), METHODS[method], by_margin, own))
            if method == "baseline" and by_margin:
                shares.append(f"{np.mean(list(by_margin.values())):.0f} % on {measured.title(name)}")
    about = (
        "Share of the wrong labels that are not among the flagged when as many images are flagged as are wrong, "
        f"{noise_text('asymmetric', WORST)} (the baseline's by the margin: {' and '.join(shares)}): by the margin less by the "
        "method's own opinion."
    )
    return compose("Wrong labels missed", about, found, "--all", Words("own better", "margin better"))


def per_cent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def stands_on(measured: Measured) -> list[str]:
    """What all numbers of the page stand on: data, network, weights, scale, precision and realised noise of Table 1."""
    cells = [cell for key, cell in measured.cells.items() if not key[4] and cell.method in METHODS]
    return foundation(sorted((c for c in cells if c.noise == "asymmetric"), key=lambda cell: cell.rate or ""))


def idle_mechanisms(measured: Measured) -> list[str]:
    """Which rows of five seeds or more were measured while the method's idea did nothing, a sentence a method and curve."""
    cells = [cell for key, cell in measured.cells.items() if not key[4] and cell.n >= ENOUGH_SEEDS]
    return idle_notes(sorted(cells, key=lambda cell: (cell.noise, cell.rate or "")))


def readme_table(measured: Measured) -> str:
    """Means of Table 1 over seeds in per cent, a row a method, a column a data set, at 10 / 20 / 30 %."""
    names = [name for name in measured.datasets() if measured.cell(name, "baseline", "asymmetric", WORST)]
    lines = [f"| | {' | '.join(measured.title(name) for name in names)} |", f"| --- |{' ---: |' * len(names)}"]
    for method, title in METHODS.items():
        cells = [[measured.cell(name, method, "asymmetric", rate) for rate in PAPER_RATES] for name in names]
        texts = [" / ".join(f"{cell.mean:.1f}" if cell and cell.values else "–" for cell in row) for row in cells]
        lines.append(f"| {title} | {' | '.join(texts)} |")
    return "\n".join(lines)
