"""Classes of a network and of a data set are matched by their names, whatever their order and number."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmark.commands.networks import write_predictions
from benchmark.scale import DEMO, PAPER
from benchmark.terminal import Usage
from benchmark.train.network_evaluation import Evaluation, evaluate_network
from noise.expressions import EIGHT, SEVEN

LIKELY = 0.6


def evaluate(
    of_network: tuple[str, ...], of_data: tuple[str, ...], labels: list[str], seen: list[list[str]]
) -> Evaluation:
    """seen: of each image the classes that the network finds likeliest, the first most."""
    shares = np.full((len(seen), len(of_network)), 0.01, np.float32)
    for row, names in enumerate(seen):
        for place, name in enumerate(names):
            shares[row, of_network.index(name)] = LIKELY / (place + 1)
    images = np.arange(len(seen), dtype=np.uint8).reshape(-1, 1, 1, 1)

    def predict(asked: np.ndarray) -> np.ndarray:
        return shares[asked[:, 0, 0, 0]]

    part = SimpleNamespace(
        images=images,
        labels=np.array([of_data.index(name) for name in labels]),
        names=np.array([f"{i}" for i in range(99)]),
    )
    data: Any = SimpleNamespace(name="toy", classes=of_data, test=part, train=part)
    network: Any = SimpleNamespace(info=SimpleNamespace(classes=list(of_network), scale=PAPER), predict=predict)
    return evaluate_network(network, data)


def test_seven_classes_on_eight_leave_out_contempt() -> None:
    found = evaluate(SEVEN, EIGHT, ["anger", "contempt", "neutral"], [["anger"], ["neutral"], ["sadness"]])
    assert found.classes == SEVEN and found.left_out == {"contempt": 1} and found.unused == ()
    assert found.names.tolist() == ["0", "2"] and found.accuracy == 0.5 and found.available == 3
    assert [found.classes[n] for n in found.labels] == ["anger", "neutral"]
    assert [found.classes[n] for n in found.predicted] == ["anger", "sadness"]


def test_eight_classes_on_seven_never_say_contempt() -> None:
    found = evaluate(EIGHT, SEVEN, ["anger", "neutral"], [["contempt", "anger"], ["contempt", "sadness"]])
    assert found.classes == SEVEN and found.left_out == {} and found.unused == ("contempt",)
    assert [found.classes[n] for n in found.predicted] == ["anger", "sadness"] and found.accuracy == 0.5
    assert found.probabilities.shape == (2, 7) and found.probabilities.sum(1) == pytest.approx(1)
    assert found.probabilities[0, 0] == pytest.approx(0.3 / (0.3 + 6 * 0.01))


def test_another_order_of_the_same_classes_changes_nothing() -> None:
    seen = [["anger"], ["fear"], ["fear"]]
    found = evaluate(SEVEN, tuple(reversed(SEVEN)), ["anger", "fear", "sadness"], seen)
    assert found.classes == SEVEN and found.accuracy == pytest.approx(2 / 3)
    assert found.measures["per_class"][:5] == [1.0, None, 1.0, None, 0.0]
    assert found.measures["balanced_accuracy"] == pytest.approx(2 / 3)


def test_the_images_are_those_of_the_network_s_scale_or_all() -> None:
    labels, seen = np.where(np.arange(1500) < 35, 0, 1 + np.arange(1500) % 6), []  # a rare class
    pixels = np.arange(1500) // 7 % 250
    part = SimpleNamespace(
        images=pixels.astype(np.uint8).reshape(-1, 1, 1, 1), labels=labels, names=np.arange(1500).astype(str)
    )

    def predict(images: np.ndarray) -> np.ndarray:
        seen.append(images)
        return np.full((len(images), 7), 1 / 7, np.float32)

    data: Any = SimpleNamespace(name="toy", classes=SEVEN, test=part, train=part, folder=Path("/nowhere"))
    network: Any = SimpleNamespace(info=SimpleNamespace(classes=list(SEVEN), scale=DEMO), predict=predict)
    for split, rows in (("test", DEMO.test_rows(labels, 7)), ("train", DEMO.train_rows(labels, 7))):
        found = evaluate_network(network, data, split)
        assert len(rows) == 1000 and found.names.tolist() == rows.astype(str).tolist() and found.available == 1500
        assert found.labels.tolist() == labels[rows].tolist()
        assert seen[-1].shape == (1000, 48, 48, 1) and seen[-1][:, 7, 7, 0].tolist() == pixels[rows].tolist()
    assert not np.array_equal(DEMO.test_rows(labels, 7), DEMO.train_rows(labels, 7))


@pytest.mark.parametrize("classes", [("cat", "dog"), ("anger", "dog")])
def test_other_classes_are_refused(classes: tuple[str, ...]) -> None:
    with pytest.raises(
        Usage, match=rf"toy: its classes \({', '.join(classes)}\) are not those of the network \(anger, "
    ):
        evaluate(SEVEN, classes, [classes[1]], [["anger"]])


def test_predictions_name_pictures_whose_names_are_no_utf8(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    shares = np.array([[0.25, 0.75], [1, 0]], np.float32)
    write_predictions(path, ["caf\udce9.png", "a,b.png"], shares, ["fear", "anger"])
    head = b"name,class,p_fear,p_anger\n"
    assert path.read_bytes() == head + b'caf\xe9.png,anger,0.250000,0.750000\n"a,b.png",fear,1.000000,0.000000\n'
    write_predictions(path, np.array(["a"]), shares[:1], ["fear", "anger"], ["fear"])
    assert path.read_text() == "name,label,class,p_fear,p_anger\na,fear,anger,0.250000,0.750000\n"
