"""`python -m benchmark noise-page > docs/noise.md`: what every kind of noise does to each class, nominal and realised."""

import argparse

import numpy as np

from benchmark.cache.data_card import format_table, mean_vote_shares
from benchmark.cache.decoded import Data
from benchmark.commands.errors import answered
from benchmark.commands.named_data import add_arguments, opened
from benchmark.commands.noise_list import given
from noise.asymmetric import MISTAKEN_FOR
from noise.statistics import transition_matrix

RATE, SEED = 0.3, 0
WORDS = {
    "symmetric": "Every other class is equally likely. The published generator of LA-Net.",
    "scn": "Every other class is equally likely. The generator that SCN ships; other draws, the same law.",
    "asymmetric": "Each class has one target, the one in the caption of the supplement's Table 1.",
    "instance": "How likely a label is wrong, and what it becomes, depends on the pixels (Xia et al., NeurIPS 2020). The "
    "rate of each image is normal around the nominal one with a standard deviation of 0.1, cut to 0..1; which class it "
    "becomes follows from a random projection, so there is no nominal matrix beyond the diagonal.",
    "votes": "One of the image's annotators, drawn at random, gives the label. No rate: people decide it.",
}
PEOPLE = """
## The paper's map and people's

The supplement says that a wrong label is what a class is most easily confused with. Counting the votes of FER+ (25,045 used
training images, ten people each) gives for each class the other class that got most of the disagreeing votes:

| class | people's first choice | its share of disagreeing votes | the paper's target | its rank among people |
| --- | --- | --- | --- | --- |
| anger | neutral | 28 % | disgust | 3 (13 %) |
| disgust | anger | 34 % | anger | 1 |
| fear | surprise | 49 % | surprise | 1 |
| happiness | neutral | 53 % | neutral | 1 |
| sadness | neutral | 65 % | neutral | 1 |
| surprise | fear | 41 % | anger | 4 (7 %) |
| contempt | neutral | 42 % | neutral | 1 |
| neutral | sadness | 49 % | sadness | 1 |

Six of the eight agree; anger and surprise do not. Of all disagreeing votes, 41.6 % follow the paper's map. People also
spread over several classes, and unevenly: a random annotator differs from the majority in 8 % of the happy faces and
in 39 % of the disgusted ones, where a map with one rate flips the same share of each class. So results under
asymmetric noise say how a method bears one confusion a class; `--noise votes` says how it bears people.

A map from people, from any confusion matrix (a CSV with class names around it), or from what a trained network confuses:

    python -m benchmark noise-list ferplus --data PATH --rate 0.3 --from-confusion votes
    python -m benchmark noise-list faces --rate 0.3 --from-confusion matrix.csv
    python -m benchmark noise-list faces --rate 0.3 --from-confusion RECORD_ID
"""


def main(arguments: list[str]) -> int:
    """Print the page; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmark noise-page", description=__doc__.splitlines()[0])
    add_arguments(parser, "faces")
    args = parser.parse_args(arguments)
    return answered("benchmark noise-page", lambda: print(page(opened(args)), end="") or 0)


def page(data: Data) -> str:
    """The page in markdown."""
    clean, classes = np.asarray(data.train.labels), len(data.classes)
    lines = [
        "# Label noise, class by class",
        "",
        f"Shares in per cent of each true class (row) that get each label (column), at a rate of {RATE:.0%} with seed {SEED} "
        f"on the {len(clean):,} training images of {data.title}. In each cell stands what was realised, behind it what the",
        "kind aims at where the two differ by a point or more. Made by `python -m benchmark noise-page > docs/noise.md`.",
        "`python -m benchmark noise-list NAME --kind KIND --rate 0.3 --seed 0` writes the labels to a list that other programs",
        "read, and `--noise file:LIST` trains with them here.",
    ]
    for kind, words in WORDS.items():
        noisy = given(data, kind, RATE, SEED)
        found, aim = 100 * transition_matrix(clean, noisy, classes), nominal(kind, data)
        lines += ["", f"## {kind}", "", f"{words} Wrong labels: {(noisy != clean).mean():.1%}.", ""]
        cells = [
            [name, *(cell(found[r, c], None if aim is None else 100 * aim[r, c]) for c in range(classes))]
            for r, name in enumerate(data.classes)
        ]
        lines += format_table(["", *data.classes], cells)
    return "\n".join(lines) + "\n" + PEOPLE


def nominal(kind: str, data: Data) -> np.ndarray | None:
    """[C, C] transition probabilities that a kind aims at; None where there are none."""
    classes = len(data.classes)
    if kind in ("symmetric", "scn"):
        return np.full((classes, classes), RATE / (classes - 1)) + np.eye(classes) * (1 - RATE - RATE / (classes - 1))
    if kind == "asymmetric":
        target = [data.classes.index(MISTAKEN_FOR[name]) for name in data.classes]
        return np.eye(classes) * (1 - RATE) + RATE * np.eye(classes)[target]
    return np.array(mean_vote_shares(data.train, classes)) if kind == "votes" else None


def cell(found: float, aim: float | None) -> str:
    text = f"{found:.1f}" if found else "0"
    return text if aim is None or abs(found - aim) < 1 else f"{text} ({aim:.1f})"
