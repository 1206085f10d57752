"""Faces: the same picture for the same index, points where the paint is, and annotators who err as people do."""

import dataclasses
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmark.cache import decoded, lookup
from benchmark.datasets.drawing import action_units, model, strokes
from benchmark.datasets.faces import LEAD, Faces, draw_blend, draw_labels, vote_shares
from benchmark.datasets.points import MIRRORED_68
from noise.expressions import EIGHT, SEVEN

SIZE = Faces.size
PEOPLE = 40
COUNT = 1000
SMALL = Faces.Options(train=100, test=100)
GOLDEN = Path(__file__).parents[1] / "golden" / "drawn_faces.npz"  # describe_rows of SMALL


@pytest.fixture(scope="module")
def source():
    return Faces().read(None, Faces.Options(train=COUNT, test=100))


@pytest.fixture(scope="module")
def small():
    return Faces().read(None, SMALL)


@pytest.fixture(scope="module")
def points():
    """{expression: [PEOPLE, 68, 2]} at full intensity; the same people in the same poses for every expression."""
    return {name: np.stack([model.shape_points(face(name, who)) for who in range(PEOPLE)]) for name in EIGHT}


def face(expression: str, who: int, intensity: float = 1.0) -> model.Face:
    units = intensity * action_units.choose_form(expression, np.random.default_rng([1, who]))
    return model.sample_face(units, np.random.default_rng([2, who]))


def picture(expression: str, who: int, intensity: float = 1.0) -> np.ndarray:
    return strokes.draw_face(face(expression, who, intensity), np.random.default_rng([3, who]), SIZE)


def test_an_image_depends_on_its_index_alone(small):
    again = Faces().read(None, SMALL)
    rows = [0, 7, 99]
    forwards = {row: small.train.image(row) for row in rows}
    backwards = {row: again.train.image(row) for row in reversed(rows)}
    for row in rows:
        assert forwards[row].shape == (SIZE, SIZE, 3) and forwards[row].dtype == np.uint8
        assert np.array_equal(forwards[row], backwards[row]) and np.array_equal(forwards[row], small.train.image(row))
    for name in ("labels", "votes", "landmarks"):
        assert np.array_equal(getattr(small.train, name), getattr(again.train, name))


def test_splits_seeds_and_images_differ(small):
    other = Faces().read(None, dataclasses.replace(SMALL, seed=5))
    assert not np.array_equal(small.train.image(0), small.test.image(0))
    assert not np.array_equal(small.train.image(0), small.train.image(1))
    assert not np.array_equal(small.train.image(0), other.train.image(0))
    assert small.identity != other.identity


def describe_rows(source) -> dict[str, np.ndarray]:
    """All labels and votes of the training rows, and of the first 24 the points and the means of 4 x 4 pixels."""
    rows, images = source.train, np.stack([source.train.image(row) for row in range(24)])
    blocks = images.reshape(24, SIZE // 4, 4, SIZE // 4, 4, 3).mean((2, 4))
    return {
        "labels": rows.labels.astype(np.uint8),
        "votes": rows.votes.astype(np.uint8),
        "points": rows.landmarks[:24],
        "sixteenths": np.rint(16 * blocks).astype(np.uint16),
    }


def test_faces_of_one_version_are_drawn_as_they_always_were(small):
    """Their identity holds versions, not pixels: where this fails, raise VERSION and make the golden file again."""
    assert small.identity.startswith("faces 2.2 ")
    now = describe_rows(small)
    with np.load(GOLDEN) as kept:
        assert np.array_equal(now["labels"], kept["labels"]) and np.array_equal(now["votes"], kept["votes"])
        assert np.allclose(now["points"], kept["points"], rtol=0, atol=2e-4)
        levels = np.abs(now["sixteenths"].astype(float) - kept["sixteenths"]) / 16
    assert levels.max() <= 1  # another processor rounds a pixel to the next level


def test_drawing_touches_no_global_generator(small):
    before = np.random.get_state()[1].copy()
    small.train.image(3)
    assert np.array_equal(np.random.get_state()[1], before)


def test_class_shares_are_those_of_rafdb_with_contempt(source):
    shares = np.bincount(source.train.labels, minlength=8) / COUNT
    rafdb = 0.97 * np.array([705, 717, 281, 4772, 1982, 1290, 0, 2524]) / 12271
    rafdb[EIGHT.index("contempt")] = 0.03
    assert source.classes == EIGHT
    assert np.allclose(shares, rafdb, atol=1 / COUNT)
    assert np.bincount(source.train.labels).sum() == COUNT and len(set(source.train.names)) == COUNT


def test_the_default_sizes_have_enough_of_every_class():
    for count, least in ((Faces.Options().train, 30), (Faces.Options().test, 20)):
        assert np.bincount(draw_labels(count, EIGHT, np.random.default_rng(0)), minlength=8).min() >= least


def test_seven_classes_have_no_contempt():
    seven = Faces().read(None, Faces.Options(train=100, test=100, classes=7))
    assert seven.classes == SEVEN and seven.train.votes.shape == (100, 7)
    assert (seven.train.votes.sum(1) == 10).all() and seven.train.labels.max() == 6


@pytest.mark.parametrize("option", [{"classes": 6}, {"train": 5}, {"seed": -1}])
def test_options_out_of_range_are_refused(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        Faces.Options(**option)


def test_ten_votes_from_a_distribution_whose_only_mode_is_the_label(source):
    votes, labels = source.train.votes, source.train.labels
    assert votes.dtype == np.float32 and (votes.sum(1) == 10).all() and (votes == votes.round()).all()
    seen = np.stack([draw_blend(label, EIGHT, (68, 0, row)).seen for row, label in enumerate(labels)])
    assert np.allclose(seen.sum(1), 1)
    ordered = np.sort(seen, 1)
    assert (seen.argmax(1) == labels).all() and (ordered[:, -1] - ordered[:, -2] > LEAD - 1e-9).all()
    assert np.abs((votes / 10 - seen).mean(0)).max() < 0.01  # sampled from it, not only near it
    assert np.corrcoef(votes.ravel(), seen.ravel())[0, 1] > 0.95
    assert 0.9 < (votes.argmax(1) == labels).mean() < 1


def test_annotators_confuse_what_people_confuse(source):
    people = vote_shares(EIGHT)
    assert people[EIGHT.index("fear"), EIGHT.index("surprise")] == pytest.approx(0.173)  # FER+, row fear
    assert people[EIGHT.index("disgust"), EIGHT.index("anger")] == pytest.approx(0.131, abs=1e-3)
    simulated = np.stack([source.train.votes[source.train.labels == c].mean(0) / 10 for c in range(8)])
    apart = ~np.eye(8, dtype=bool)
    assert np.abs(simulated - people).max() < 0.12
    assert np.corrcoef(simulated[apart], people[apart])[0, 1] > 0.8


def test_points_lie_in_the_frame(source):
    landmarks = source.train.landmarks
    assert landmarks.shape == (COUNT, 68, 2) and landmarks.dtype == np.float32
    assert ((landmarks >= 0) & (landmarks <= 1)).all(2).mean() > 0.99
    left = [point for point in action_units.HALF if MIRRORED_68[point] != point]
    assert (landmarks[:, left, 0] < landmarks[:, MIRRORED_68[left], 0]).all()  # left is left in the image
    assert (landmarks[:, 27, 1] < landmarks[:, 33, 1]).all() and (landmarks[:, 57, 1] < landmarks[:, 8, 1]).all()


def test_mirrored_points_belong_together():
    mirrored = action_units.RESTING[MIRRORED_68]
    assert np.array_equal(mirrored, action_units.RESTING)
    assert np.array_equal(action_units.SIDE[MIRRORED_68], -action_units.SIDE)
    assert np.array_equal(MIRRORED_68[MIRRORED_68], np.arange(68))


def test_each_expression_moves_what_it_is_known_by(points):
    def mean(name, value):
        return value(points[name]).mean()

    def mouth(p):
        return p[:, 66, 1] - p[:, 62, 1]

    def eye(p):
        return p[:, [40, 41, 46, 47], 1].mean(1) - p[:, [37, 38, 43, 44], 1].mean(1)

    def brows(p):
        return -p[:, 17:27, 1].mean(1)

    def frown(p):
        return p[:, [21, 22], 1].mean(1)

    def corners(p):
        return p[:, [51, 57], 1].mean(1) - p[:, [48, 54], 1].mean(1)

    def lopsided(p):
        return np.abs(p[:, 48, 1] - p[:, 54, 1])

    assert mean("surprise", mouth) > mean("neutral", mouth) + 0.2
    assert mean("surprise", brows) > mean("neutral", brows) + 0.08
    assert mean("fear", eye) > mean("neutral", eye) + 0.04 and mean("surprise", eye) > mean("neutral", eye) + 0.04
    assert mean("disgust", eye) < mean("neutral", eye) - 0.04
    assert mean("anger", frown) > mean("neutral", frown) + 0.08  # inner brows down
    assert mean("sadness", frown) < mean("neutral", frown) - 0.05  # and up
    assert mean("happiness", corners) > mean("neutral", corners) + 0.05
    assert mean("sadness", corners) < mean("neutral", corners) - 0.05
    assert mean("contempt", lopsided) > 3 * mean("happiness", lopsided)


def test_lids_and_lips_do_not_cross(points):
    for at in points.values():
        assert (at[:, [41, 40, 47, 46], 1] > at[:, [37, 38, 43, 44], 1]).all()
        assert (at[:, [67, 66, 65], 1] >= at[:, [61, 62, 63], 1] - 1e-9).all()


def test_the_paint_is_where_the_points_are():
    darker_eyes, darker_mouths, moved = 0, 0, 0
    for who in range(PEOPLE):
        person = face("surprise", who)
        at = model.place_landmarks(person)
        grey = cv2.cvtColor(picture("surprise", who), cv2.COLOR_RGB2GRAY).astype(float)
        cheek = (at[[41, 46]] + at[[31, 35]]).reshape(-1, 2, 2).mean(0) / 2
        skin = np.mean([value(grey, spot) for spot in cheek])
        darker_eyes += np.mean([value(grey, at[eye].mean(0)) for eye in (slice(36, 42), slice(42, 48))]) < skin - 10
        inside = at[[60, 64, 66, 66, 66]].mean(0)  # below the teeth
        darker_mouths += value(grey, inside) < skin - 10
        moved += value(grey, at[66] + [0, 0.2]) < skin - 10
    assert darker_eyes >= 0.9 * PEOPLE and darker_mouths >= 0.8 * PEOPLE
    assert moved < darker_mouths  # the dark is at the mouth, not everywhere below the eyes


def value(grey: np.ndarray, point: np.ndarray) -> float:
    """Mean of the 3 x 3 pixels around a point given as fractions."""
    x, y = np.clip((point * SIZE).astype(int), 1, SIZE - 2)
    return grey[y - 1 : y + 2, x - 1 : x + 2].mean()


def test_a_weak_expression_looks_more_neutral():
    def distance(intensity):
        return np.mean(
            [
                np.abs(picture("surprise", who, intensity) - picture("neutral", who).astype(float)).mean()
                for who in range(10)
            ]
        )

    assert 0 < distance(0.4) < distance(1.0)


def test_the_cache_stores_them(tmp_path):
    stored = lookup.open_data(Faces(), None, SMALL, tmp_path)
    again = lookup.open_data(Faces(), None, SMALL, tmp_path)
    assert stored.fingerprint == again.fingerprint and stored.info["label_rule"]
    assert stored.info["landmarks usable"] == {"train": 100, "test": 100}
    decoded.write_description(stored.folder, tmp_path / "described")
    described = lookup.open_data(Faces(), None, SMALL, tmp_path / "described", needs_images=False)
    assert described.lacks_images and described.fingerprint == stored.fingerprint  # found there, not drawn again
    assert stored.train.images.shape == (100, SIZE, SIZE, 3) and len(stored.test.labels) == 100


def test_contact_sheet():
    """Rows of expressions, strongest first; written to the folder FER_ARTEFACTS for a person to look at."""
    strengths = [1.0, 1.0, 1.0, 0.8, 0.8, 0.6, 0.6, 0.4]
    rows = [np.hstack([picture(name, who, strength) for who, strength in enumerate(strengths)]) for name in EIGHT]
    sheet = np.vstack(rows)
    assert sheet.shape == (8 * SIZE, len(strengths) * SIZE, 3)
    assert all(row.std() > 15 for row in rows)  # something is drawn in every row
    folder = os.environ.get("FER_ARTEFACTS")
    if folder:
        target = Path(folder) / "faces.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        large = cv2.resize(sheet, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        assert cv2.imwrite(str(target), cv2.cvtColor(large, cv2.COLOR_RGB2BGR))
