"""A kept network on the images of any data set, prepared as its own test images were; classes go by their names."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmark.cache.decoded import Data
from benchmark.cache.resized import load_resized
from benchmark.terminal import Usage
from benchmark.train.kept_network import Network
from benchmark.train.metrics import class_metrics

FEWEST = 2  # classes that a network and a data set must share


@dataclass(frozen=True)
class Evaluation:
    """What a network says of the images that count: those of classes that it knows.

    It chooses among `classes`, those that the data set has, too, in the order of its outputs.
    """

    classes: tuple[str, ...]
    names: np.ndarray  # [n] of the images
    labels: np.ndarray  # [n] numbers of `classes`
    predicted: np.ndarray  # [n] likewise
    probabilities: np.ndarray  # [n, C]
    left_out: dict[str, int]  # images of classes that the network does not know
    unused: tuple[str, ...]  # classes of the network that the data set does not have
    available: int  # images of the split, of which the network's scale may take a part

    @property
    def accuracy(self) -> float:
        return float((self.predicted == self.labels).mean())

    @property
    def measures(self) -> dict[str, Any]:
        """As a record has them: confusion, per_class, balanced_accuracy, macro_f1."""
        return class_metrics(self.labels, self.predicted, len(self.classes))


def evaluate_network(network: Network, data: Data, split: str = "test", every_image: bool = False) -> Evaluation:
    """Predict the images of a split on which the network's scale trains or tests, or all; raises Usage."""
    split_data = getattr(data, split)
    scale = network.info.scale
    labels = np.asarray(split_data.labels)
    rows = np.arange(len(labels))
    if not every_image:
        rows = (scale.test_rows if split == "test" else scale.train_rows)(labels, len(data.classes))
    shared_classes = [name for name in network.info.classes if name in data.classes]
    has_known_class = np.isin(np.array(data.classes)[labels[rows]], shared_classes)
    if len(shared_classes) < FEWEST or not has_known_class.any():
        raise Usage(
            f"{data.name}: its classes ({', '.join(data.classes)}) are not those of the network "
            f"({', '.join(network.info.classes)}); name them alike"
        )
    unknown_classes = [name for name in data.classes if name not in shared_classes]
    left_out = {name: int((labels[rows] == data.classes.index(name)).sum()) for name in unknown_classes}
    rows = rows[has_known_class]
    all_probabilities = network.predict(load_resized(data, split, rows, scale))
    probabilities = keep_classes(all_probabilities, network.info.classes, shared_classes)
    shared_numbers = np.array([shared_classes.index(name) if name in shared_classes else -1 for name in data.classes])
    return Evaluation(
        classes=tuple(shared_classes),
        names=np.asarray(split_data.names)[rows],
        labels=shared_numbers[labels[rows]],
        predicted=probabilities.argmax(1),
        probabilities=probabilities,
        left_out={name: count for name, count in left_out.items() if count},
        unused=tuple(name for name in network.info.classes if name not in shared_classes),
        available=len(labels),
    )


def keep_classes(probabilities: np.ndarray, classes: list[str], shared_classes: list[str]) -> np.ndarray:
    """[n, C] probabilities of the shared classes alone, which sum to one."""
    if list(classes) == shared_classes:
        return probabilities
    shared_probabilities = probabilities[:, [classes.index(name) for name in shared_classes]]
    return shared_probabilities / np.maximum(shared_probabilities.sum(1, keepdims=True), np.finfo(np.float32).tiny)
