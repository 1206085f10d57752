"""`python -m benchmark noise-page > docs/noise.md`: what every kind of noise does to each class."""

import argparse

import numpy as np

from benchmark.cache.data_card import format_table
from benchmark.cache.decoded import Data
from benchmark.commands.errors import handle_errors
from benchmark.commands.named_data import add_data_arguments, open_named_data
from benchmark.commands.noise_list import labels_with_noise
from noise.statistics import transition_matrix

RATE = 0.3
SEED = 0
WORDS = {
    "symmetric": "A wrong label is any other class, each as likely. This is LA-Net's published generator.",
    "scn": "The same law, from the generator that SCN ships: other random numbers.",
    "asymmetric": "Each class has one wrong label. The map is in the caption of the supplement's Table 1.",
    "instance": "The pixels decide how likely a label is wrong, and what it becomes (Xia et al., NeurIPS 2020). The rate of an "
    "image is normal around the rate that you ask for, with a standard deviation of 10 points. A random projection of the image, "
    "another one with each seed, chooses the class.",
    "votes": "One of the image's annotators, drawn at random, gives the label. You give no rate: people decide it.",
}
WITHOUT_TABLE = ("symmetric", "scn", "instance")  # every class alike, or other classes with every seed
INTRODUCTION = """# Label noise, class by class

    python run_all.py --table 1 --noise symmetric --rates 0.2 0.4

trains with labels that are wrong in the way that you name. You can also write them to a list that other programs read, and train
with such a list here:

    python -m benchmark noise-list faces --kind symmetric --rate 0.3 --seed 0
    python run_all.py --table 1 --noise file:LIST

The tables below show the share in per cent of each true class (row) that gets each label (column). They are of a rate of {rate}
with seed {seed}, on the {images} training images of {title}. Rare classes are off their rate by chance.
`python -m benchmark noise-page` prints this page."""
PEOPLE = """
## The paper's map and people's

The supplement says that a wrong label is what a class is most easily confused with. The votes of FER+ say what people confuse
(25,045 training images, ten people each). For each class this is the other class with most of the disagreeing votes:

| class | people's first choice | its share of disagreeing votes | the paper's target | its rank among people |
| --- | --- | ---: | --- | --- |
| anger | neutral | 28 % | disgust | 3 (13 %) |
| disgust | anger | 34 % | anger | 1 |
| fear | surprise | 49 % | surprise | 1 |
| happiness | neutral | 53 % | neutral | 1 |
| sadness | neutral | 65 % | neutral | 1 |
| surprise | fear | 41 % | anger | 4 (7 %) |
| contempt | neutral | 42 % | neutral | 1 |
| neutral | sadness | 49 % | sadness | 1 |

Six of eight agree. But only 41.6 % of all disagreeing votes follow the paper's map. People spread over several classes, and not
evenly: a random annotator differs from the majority in 8 % of the happy faces and in 39 % of the disgusted ones. So asymmetric
noise tells how a method bears one confusion a class, `--noise votes` how it bears people.

You can make a map from people, from a confusion matrix (a CSV with class names around it), or from what a network confuses:

    python -m benchmark noise-list ferplus --data ferplus=PATH --rate 0.3 --from-confusion votes
    python -m benchmark noise-list faces --rate 0.3 --from-confusion matrix.csv
    python -m benchmark noise-list faces --rate 0.3 --from-confusion RECORD_ID

## Real annotators: fer2013

FER2013 gave each picture one label. FER+ later asked ten people about the same pictures. So the first labels are a real noise,
the same for every seed.

    python run_all.py --table clean --noise fer2013 --methods baseline scn --data ferplus=/data/ferplus

Put Kaggle's `fer2013.csv` (or `icml_face_data.csv`) and FER+'s `fer2013new.csv` into the folder that holds FERPlus. You give no
rate; tables show the realised one.

| a training image that | gets |
| --- | --- |
| has a label in `fer2013.csv` | that label |
| has none there, or two that differ under one name | keeps its FER+ class |
| is contempt by FER+ | its `fer2013` label, which is always another class: FER2013 has seven classes and no contempt |

So with eight classes hardly anything is labelled contempt, and no method can learn it. `--set ferplus.classes=7` leaves contempt
out. Test labels are always those of FER+.
"""


def main(arguments: list[str]) -> int:
    """Print the page; returns the exit status."""
    parser = argparse.ArgumentParser("python -m benchmark noise-page", description=__doc__.splitlines()[0])
    add_data_arguments(parser, "faces")
    args = parser.parse_args(arguments)
    return handle_errors("benchmark noise-page", lambda: print(format_noise_page(open_named_data(args)), end="") or 0)


def format_noise_page(data: Data) -> str:
    """The page in markdown."""
    clean = np.asarray(data.train.labels)
    classes = len(data.classes)
    facts = {"rate": f"{RATE:.0%}", "seed": SEED, "images": f"{len(clean):,}", "title": data.title}
    lines = [INTRODUCTION.format(**facts)]
    for kind, description in WORDS.items():
        noisy = labels_with_noise(data, kind, RATE, SEED)
        lines += ["", f"## {kind}", "", f"{description} Wrong labels here: {(noisy != clean).mean():.1%}."]
        if kind not in WITHOUT_TABLE:
            shares = 100 * transition_matrix(clean, noisy, classes)
            cells = [[name, *map(format_share, row)] for name, row in zip(data.classes, shares)]
            lines += ["", *format_table(["", *data.classes], cells)]
    return "\n".join(lines) + "\n" + PEOPLE


def format_share(share: float) -> str:
    return f"{share:.1f}" if share else "0"
