"""Kinds of label noise against the published generators, and what holds for every data set, rate and seed."""

import csv
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import truncnorm

from benchmark import plugins
from noise import instance as instances
from noise.asymmetric import MISTAKEN_FOR, asymmetric_noise
from noise.base import Noise, NoiseError, Training
from noise.expressions import EIGHT, SEVEN
from noise.instance import flip_rates
from noise.statistics import realised_rates, transition_matrix
from noise.symmetric import symmetric_noise

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
CLASSES = st.sampled_from([SEVEN, EIGHT])
RATES = st.floats(0, 1)
SEEDS = st.integers(0, 2**32)


def labels_of(classes, count, seed=0):
    return np.random.default_rng(seed).integers(0, len(classes), count)


def golden_noise():
    return np.load(GOLDEN / "lanet_noise_01.npz", allow_pickle=False)


@pytest.mark.parametrize("kind", ["symmetric", "asymmetric"])
@pytest.mark.parametrize("position", range(4))
def test_lanet_noise_to_the_last_label(kind, position):
    golden = golden_noise()
    rate, seed = float(golden["rates"][position]), int(golden["python_seed"])
    found = plugins.make_noise(kind).labels(Training(golden["labels"], SEVEN), rate, seed)
    np.testing.assert_array_equal(found, golden[f"{kind}_{position}"])


@pytest.mark.parametrize("position", range(4))
def test_lanet_noise_leaves_the_stream_where_the_published_program_does(position):
    golden = golden_noise()
    rate, random = float(golden["rates"][position]), Random(int(golden["python_seed"]))
    symmetric_noise(golden["labels"], 7, rate, random)
    assert random.random() == golden[f"symmetric_{position}_next_random"]
    random = Random(int(golden["python_seed"]))
    asymmetric_noise(golden["labels"], np.arange(7), rate, random)
    assert random.random() == golden[f"asymmetric_{position}_next_random"]


def test_scn_noise_to_the_last_label():
    golden = np.load(GOLDEN / "scn_noise_01.npz", allow_pickle=False)
    data = Training(golden["labels"], SEVEN)
    found = plugins.make_noise("scn").labels(data, float(golden["rate"]), int(golden["python_seed"]))
    np.testing.assert_array_equal(found, golden["noisy"])


def test_asymmetric_map_is_the_published_one():
    path = ROOT.parent / "shared" / "reference" / "asymmetric_map.csv"
    if not path.exists():
        pytest.skip("needs the published map of ../shared")
    with path.open(newline="") as file:
        assert {row["from"]: row["to"] for row in csv.DictReader(file)} == MISTAKEN_FOR


@pytest.mark.parametrize("classes", [SEVEN, EIGHT])
def test_asymmetric_goes_by_class_name(classes):
    found = plugins.make_noise("asymmetric").labels(Training(np.arange(len(classes)), classes), 1.0, 0)
    assert [classes[c] for c in found] == [MISTAKEN_FOR[name] for name in classes]


def test_asymmetric_refuses_an_unknown_class():
    with pytest.raises(NoiseError, match="'boredom'"):
        plugins.make_noise("asymmetric").labels(Training(np.zeros(1, int), (*SEVEN, "boredom")), 0.1, 0)


@given(CLASSES, RATES, SEEDS, st.sampled_from(["symmetric", "asymmetric", "scn"]))
@settings(max_examples=60)
def test_rated_kinds_give_valid_labels_and_repeat_them(classes, rate, seed, kind):
    clean = labels_of(classes, 80)
    before, data = clean.copy(), Training(clean, classes)
    noisy = plugins.make_noise(kind).labels(data, rate, seed)
    assert noisy.dtype == np.int64 and noisy.min() >= 0 and noisy.max() < len(classes)
    np.testing.assert_array_equal(noisy, plugins.make_noise(kind).labels(data, rate, seed))
    np.testing.assert_array_equal(clean, before)


@pytest.mark.parametrize("kind", ["symmetric", "asymmetric", "scn"])
@pytest.mark.parametrize("classes", [SEVEN, EIGHT])
def test_a_flipped_label_is_never_kept(kind, classes):
    clean = labels_of(classes, 2000)
    data = Training(clean, classes)
    assert (plugins.make_noise(kind).labels(data, 1.0, 3) != clean).all()
    if kind != "scn":  # SCN's own program flips at u <= rate
        assert (plugins.make_noise(kind).labels(data, 0.0, 3) == clean).all()


@given(SEEDS, st.tuples(RATES, RATES))
@settings(max_examples=40)
def test_asymmetric_flips_are_nested_over_rates(seed, rates):
    clean, low, high = labels_of(EIGHT, 200), min(rates), max(rates)
    data = Training(clean, EIGHT)
    few, many = (plugins.make_noise("asymmetric").labels(data, rate, seed) != clean for rate in (low, high))
    assert not (few & ~many).any()


@pytest.mark.parametrize("kind", ["symmetric", "scn"])
def test_uniform_kinds_reach_every_other_class_alike(kind):
    clean = np.full(14000, 2)
    noisy = plugins.make_noise(kind).labels(Training(clean, EIGHT), 0.5, 1)
    found = transition_matrix(clean, noisy, 8)[2]
    assert found[2] == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(np.delete(found, 2), 0.5 / 7, atol=0.01)


def test_none_keeps_every_label_at_any_rate():
    kind, clean = plugins.make_noise("none"), labels_of(SEVEN, 50)
    assert not kind.rated
    np.testing.assert_array_equal(kind.labels(Training(clean, SEVEN), 0.9, 0), clean)


def test_votes_follow_the_counts_and_keep_images_without_votes():
    votes = np.tile(np.array([[6, 0, 3, 0, 0, 1, 0]], np.float32), (9000, 1))
    votes[::9] = 0
    clean = np.full(9000, 4)
    kind = plugins.make_noise("votes")
    noisy = kind.labels(Training(clean, SEVEN, votes=votes), 0.3, 0)
    assert not kind.rated and kind.needs == ("votes",)
    assert (noisy[::9] == 4).all()
    drawn = np.delete(noisy, np.s_[::9])
    np.testing.assert_allclose(np.bincount(drawn, minlength=7) / len(drawn), votes[1] / 10, atol=0.02)
    np.testing.assert_array_equal(noisy, kind.labels(Training(clean, SEVEN, votes=votes), 0.1, 0))
    assert (noisy != kind.labels(Training(clean, SEVEN, votes=votes), 0.3, 1)).any()


def test_votes_take_one_draw_an_image():
    votes = np.array([[0, 0, 0], [1, 1, 2], [0, 0, 0], [3, 1, 0]], np.float32)
    random = Random(5)
    draws = [random.random() for _ in range(4)]
    found = plugins.make_noise("votes").labels(Training(np.array([2, 2, 1, 2]), SEVEN[:3], votes=votes), 0.0, 5)
    second = 0 if draws[1] < 0.25 else 1 if draws[1] < 0.5 else 2
    assert found.tolist() == [2, second, 1, 0 if draws[3] < 0.75 else 1]


def test_votes_may_be_shares():
    votes = np.random.default_rng(0).integers(0, 5, (300, 7)) + np.eye(7)[labels_of(SEVEN, 300)]
    shares, kind = votes / votes.sum(1, keepdims=True), plugins.make_noise("votes")
    clean = labels_of(SEVEN, 300, seed=1)
    found = kind.labels(Training(clean, SEVEN, votes=shares / 2), 0.0, 0)
    np.testing.assert_array_equal(found, kind.labels(Training(clean, SEVEN, votes=votes), 0.0, 0))
    assert (found != clean).mean() > 0.5


@pytest.mark.parametrize("votes", [None, np.ones((3, 8)), -np.ones((3, 7))])
def test_votes_refuse_what_they_cannot_use(votes):
    with pytest.raises(NoiseError, match="votes"):
        plugins.make_noise("votes").labels(Training(np.zeros(3, int), SEVEN, votes=votes), 0.0, 0)


def faces(count):
    images = np.random.default_rng(1).integers(0, 256, (count, 8, 8, 1), dtype=np.uint8)
    return Training(labels_of(SEVEN, count), SEVEN, images=images)


def test_instance_noise_depends_on_the_image():
    data = faces(3000)
    noisy = plugins.make_noise("instance").labels(data, 0.3, 0)
    assert (noisy != data.labels).mean() == pytest.approx(0.3, abs=0.03)
    assert noisy.min() >= 0 and noisy.max() < 7
    np.testing.assert_array_equal(noisy, plugins.make_noise("instance").labels(data, 0.3, 0))
    # With the same draws, another image of the same label turns into another class.
    other = Training(data.labels, SEVEN, images=data.images[::-1].copy())
    moved = plugins.make_noise("instance").labels(other, 0.3, 0)
    flipped = noisy != data.labels
    np.testing.assert_array_equal(flipped, moved != data.labels)
    assert (noisy[flipped] != moved[flipped]).mean() > 0.5


@pytest.mark.parametrize("chunk", [4096, 50])
def test_instance_noise_is_its_equation_image_by_image(chunk, monkeypatch):
    monkeypatch.setattr(instances, "CHUNK", chunk)
    images, labels = np.random.default_rng(1).integers(0, 256, (600, 4, 4, 1), np.uint8), labels_of(SEVEN, 600)
    noisy = plugins.make_noise("instance").labels(Training(labels, SEVEN, images=images), 0.4, 3)
    draw = np.random.default_rng(3)
    shape, whether, which = draw.random((3, 600))
    weights = draw.standard_normal((7, 16, 7), np.float32).astype(float)
    pixels = (images.reshape(600, 16) - images[:chunk].mean()) / images[:chunk].std()
    own_rate = truncnorm.ppf(shape, -4, 6, loc=0.4, scale=0.1)
    expected = labels.copy()
    for i in np.flatnonzero(whether < own_rate):
        likely = np.exp(pixels[i] @ weights[labels[i]])
        likely[labels[i]] = 0
        expected[i] = np.searchsorted(likely.cumsum() / likely.sum(), which[i], side="right")
    assert 200 < (noisy != labels).sum() < 280
    np.testing.assert_array_equal(noisy, expected)
    np.testing.assert_allclose(flip_rates(0.4, shape), own_rate, rtol=1e-9)


def test_rates_of_a_noise_are_shares_of_each_class():
    clean, noisy = np.array([0, 1, 1, 1, 1]), np.array([2, 1, 1, 1, 0])
    np.testing.assert_allclose(transition_matrix(clean, noisy, 3), [[0, 0, 1], [0.25, 0.75, 0], [0, 0, 0]])
    assert realised_rates(clean, noisy, 3) == {"rate": 0.4, "per_class": [1.0, 0.25, None]}


def test_instance_noise_is_nested_over_rates_and_needs_images():
    data = faces(500)
    few, many = (plugins.make_noise("instance").labels(data, rate, 2) != data.labels for rate in (0.1, 0.4))
    assert few.any() and not (few & ~many).any()
    with pytest.raises(NoiseError, match="image"):
        plugins.make_noise("instance").labels(Training(data.labels, SEVEN), 0.1, 0)


def test_flip_rates_follow_a_truncated_normal():
    uniform = np.random.default_rng(0).random(4000)
    draws = np.random.default_rng(1).normal(0.1, 0.1, 40000)
    draws = draws[(draws >= 0) & (draws <= 1)]
    found = flip_rates(0.1, uniform)
    assert found.min() >= 0 and found.max() <= 1
    assert found.mean() == pytest.approx(draws.mean(), abs=0.004)
    assert found.std() == pytest.approx(draws.std(), abs=0.004)


def test_statistics_by_hand():
    clean, noisy = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 1, 2, 1, 0])
    assert realised_rates(clean, noisy, 3) == {"rate": pytest.approx(4 / 6), "per_class": [0.75, 0.5, None]}
    expected = [[0.25, 0.5, 0.25], [0.5, 0.5, 0], [0, 0, 0]]
    np.testing.assert_allclose(transition_matrix(clean, noisy, 3), expected)


def test_every_file_is_a_kind():
    assert sorted(plugins.find_noises()) == [
        "asymmetric",
        "fer2013",
        "file",
        "instance",
        "none",
        "scn",
        "symmetric",
        "votes",
    ]


def test_a_mistyped_kind_gets_the_nearest_name():
    with pytest.raises(NoiseError, match="did you mean 'symmetric'"):
        plugins.make_noise("symetric")


@pytest.mark.parametrize("typed, fix", [("file", "file:PATH"), ("none:x", "write none")])
def test_arguments_are_checked(typed, fix):
    with pytest.raises(NoiseError, match=fix):
        plugins.make_noise(typed)


def test_a_file_path_may_hold_colons():
    assert plugins.make_noise("file:C:/lists/a:b.txt").argument == "C:/lists/a:b.txt"


def test_a_kind_of_ones_own(tmp_path):
    (tmp_path / "shift.py").write_text(
        "from noise.base import Noise\n\n\nclass Shift(Noise):\n    name = 'shift'\n\n"
        "    def labels(self, data, rate, seed):\n        return (data.labels + 1) % len(data.classes)\n"
    )
    (tmp_path / "method.py").write_text("raise RuntimeError('not to be imported')\n")
    assert "shift" in plugins.find_noises([tmp_path])
    kind = plugins.make_noise("shift", [tmp_path])
    assert isinstance(kind, Noise) and kind.labels(Training(np.array([6]), SEVEN), 0.0, 0).tolist() == [0]


def test_broken_or_doubled_kinds_are_named(tmp_path):
    path = tmp_path / "again.py"
    path.write_text("from noise.base import Noise\n\n\nclass Again(Noise):\n    name = 'scn'\n")
    with pytest.raises(NoiseError, match=r"again.py.*already defined.*scn.py"):
        plugins.find_noises([tmp_path])
    path.write_text("from noise.base import Noise, nothing\n\n\nclass Mine(Noise):\n    name = 'mine'\n")
    path.rename(tmp_path / "broken.py")
    assert plugins.make_noise("symmetric", [tmp_path]).name == "symmetric"
    with pytest.raises(NoiseError, match=r"broken\.py"):
        plugins.make_noise("mine", [tmp_path])
