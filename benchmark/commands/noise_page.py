"""`python -m benchmark noise-page > docs/noise.md`: what every kind of noise does to each class."""

import numpy as np

from benchmark.cache.data_card import format_table
from benchmark.cache.decoded import Data
from benchmark.commands.command_line import command_parser, run_command
from benchmark.commands.named_data import add_data_arguments, open_named_data
from benchmark.commands.noise_list import labels_with_noise
from noise.statistics import transition_matrix

RATE = 0.3
SEED = 0
WORDS = {
    "symmetric": "A wrong label is any other class, each as likely. This is LA-Net's published generator.",
    "scn": "The same law, from the generator that SCN ships: other random numbers.",
    "asymmetric": "Each class has [one wrong label](#the-papers-map-and-peoples), by the caption of the supplement's Table 1.",
    "instance": "The pixels decide how likely a label is wrong, and what it becomes (Xia et al., NeurIPS 2020). An image's rate "
    "is normal around yours, with a deviation of 10 points. A random projection of the image, one a seed, chooses the class.",
    "votes": "One of the image's annotators, drawn at random, gives the label. You give no rate: people decide it.",
}
INTRODUCTION = """# Label noise, class by class

    python run_all.py --table 1 --noise symmetric --rates 0.2 0.4

trains with labels that are wrong in the way that you name. You can also write them to a list that other programs read, and train
with such a list:

    python -m benchmark noise-list faces --kind symmetric --rate 0.3 --seed 0
    python run_all.py --table 1 --noise file:LIST

`python -m benchmark noise-page` prints this page. Its shares are of a rate of {rate} with seed {seed}, on the {images} training
images of {title}."""
PEOPLE = """
## The paper's map and people's

The supplement says that a wrong label is what a class is most easily confused with. FER+'s votes say what people confuse (25,045
training images, ten people each). Their first choice, with its share of the disagreeing votes:

| class | the paper's target | people's first choice |
| --- | --- | --- |
| anger | disgust | neutral, 28 % (disgust is third, 13 %) |
| disgust | anger | anger, 34 % |
| fear | surprise | surprise, 49 % |
| happiness | neutral | neutral, 53 % |
| sadness | neutral | neutral, 65 % |
| surprise | anger | fear, 41 % (anger is fourth, 7 %) |
| contempt | neutral | neutral, 42 % |
| neutral | sadness | sadness, 49 % |

Six of eight agree. But only 41.6 % of all disagreeing votes follow the paper's map. A random annotator differs from the majority
in 8 % of the happy faces and in 39 % of the disgusted ones. So asymmetric noise tells how a method bears one confusion a class,
`--noise votes` how it bears people.

You can make a map of your own:

    python -m benchmark noise-list ferplus --data ferplus=PATH --rate 0.3 --from-confusion votes

In place of `votes` give `matrix.csv`, a confusion matrix with class names around it, or a record's id: what its network confuses.

## Real annotators: fer2013

FER2013 gave each picture one label. FER+ later asked ten people about the same pictures. So the first labels are a real noise,
the same for every seed.

    python run_all.py --table clean --noise fer2013 --methods baseline scn --data ferplus=/data/ferplus

Put Kaggle's `fer2013.csv` (or `icml_face_data.csv`) and FER+'s `fer2013new.csv` into the folder that holds FERPlus. An image
without a label there, or with two that differ, keeps its FER+ class. FER2013 has no contempt, so with eight classes no method can
learn it: `--set ferplus.classes=7` leaves it out. Test labels are always those of FER+.
"""


def main(arguments: list[str]) -> int:
    """Print the page; returns the exit status."""
    parser = command_parser("noise-page", __doc__)
    add_data_arguments(parser, "faces")
    return run_command(parser, lambda args: print(format_noise_page(open_named_data(args)), end="") or 0, arguments)


def format_noise_page(data: Data) -> str:
    """The page in markdown."""
    clean = np.asarray(data.train.labels)
    facts = {"rate": f"{RATE:.0%}", "seed": SEED, "images": f"{len(clean):,}", "title": data.title}
    lines = [INTRODUCTION.format(**facts)]
    for kind, description in WORDS.items():
        noisy = labels_with_noise(data, kind, RATE, SEED)
        lines += ["", f"## {kind}", "", f"{description} Wrong labels here: {(noisy != clean).mean():.1%}."]
        if kind == "votes":
            shares = 100 * transition_matrix(clean, noisy, len(data.classes))
            cells = [[name, *map(format_share, row)] for name, row in zip(data.classes, shares)]
            lines += ["", "The share in per cent of each true class (row) that gets each label (column):", ""]
            lines += format_table(["", *data.classes], cells)
    return "\n".join(lines) + "\n" + PEOPLE


def format_share(share: float) -> str:
    return f"{share:.1f}" if share else "0"
