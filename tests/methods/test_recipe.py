"""Settings of a recipe: what each may be, at both ends, and the way into plain data and back."""

from dataclasses import replace
from math import nan
from typing import Any

import pytest

from methods.support.recipe import (
    BASIC,
    RECIPE,
    SGD,
    Adam,
    Augment,
    Exponential,
    LinearToZero,
    OneCycle,
    Recipe,
    Steps,
    Strong,
    plain,
    rebuild,
)

# (kind, setting, its ends, values just beyond them): both ends are taken.
RANGES: list[tuple[Any, str, tuple, tuple]] = [
    (Adam(0.1), "lr", (0, 5.0), (-1e-9,)),
    (Adam(0.1), "weight_decay", (0, 7), (-1e-9,)),
    (Adam(0.1), "head_lr", (0, 2.0, None), (-1e-9,)),
    (SGD(0.1), "lr", (0,), (-1e-9,)),
    (SGD(0.1), "momentum", (0, 1), (-1e-9, 1.0001)),
    (SGD(0.1), "weight_decay", (0,), (-1,)),
    (SGD(0.1), "head_lr", (0, None), (-1,)),
    (Exponential(), "factor", (0, 1), (-0.1, 1.1)),
    (Steps(), "factor", (0, 1), (-0.1, 1.1)),
    (OneCycle(), "warm", (0, 0.99), (-0.01, 0.991)),
    (OneCycle(), "start", (0, 1), (-0.01, 1.01)),
    (Strong(), "operations", (0, 100), (-1, 101)),
    (Strong(), "level", (0, 10), (-1, 10.5)),
    (Strong(), "probability", (0, 1), (-1, 1.5)),
    (Strong(), "cutout", (0, 1), (-1, 1.5)),
    (Augment(), "flip", (0, 1), (-0.1, 1.1)),
    (Augment(), "pixel_noise", (0, 1), (-0.1, 1.1)),
    (Augment(), "jitter", (0, 1), (-0.1, 1.1)),
    (Augment(), "erase", (0, 1), (-0.1, 1.1)),
    (Augment(), "shift_probability", (0, 1), (-0.1, 1.1)),
    (Augment(), "shift", (0, 0.5), (-0.1, 0.51)),
    (RECIPE, "epochs", (1, 100_000), (0, 100_001)),
    (RECIPE, "batch_size", (1, 100_000), (0, 100_001)),
]


@pytest.mark.parametrize(
    ("kind", "name", "good", "bad"), RANGES, ids=[f"{type(k).__name__}.{n}" for k, n, *_ in RANGES]
)
def test_both_ends_of_a_range_are_taken_and_nothing_beyond(kind: Any, name: str, good: tuple, bad: tuple) -> None:
    for value in good:
        assert getattr(replace(kind, **{name: value}), name) == value
    for value in (*bad, True, "1", nan):
        with pytest.raises(ValueError, match=rf"^{name}: .*, expected "):
            replace(kind, **{name: value})


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (Adam(0.1), {"lr": -1}, "lr: -1, expected 0 or more"),
        (OneCycle(), {"warm": 2}, "warm: 2, expected 0 to 0.99"),
        (Steps(), {"after": ()}, r"after: \(\), expected numbers of epochs"),
        (Steps(), {"after": 3}, "after: 3, expected numbers of epochs"),
        (Steps(), {"after": (1, -1)}, "after: -1, expected 0 or more"),
        (Augment(), {"crop": (0.5,)}, r"crop: \(0.5,\), expected two numbers, from and to"),
        (Augment(), {"crop": 0.5}, "crop: 0.5, expected two numbers, from and to"),
        (Augment(), {"crop": (0.005, 1)}, "crop: 0.005, expected 0.01 to 1"),
        (Augment(), {"crop": (0.5, 1.1)}, "crop: 1.1, expected 0.01 to 1"),
        (Augment(), {"crop": (0.6, 0.5)}, "crop: 0.5, expected 0.6 to 1"),
        (Augment(), {"erase_area": (0, 1)}, "erase_area: 0, expected 1e-06 to 1"),
        (Augment(), {"erase_area": (0.5, 0.4)}, "erase_area: 0.4, expected 0.5 to 1"),
        (Augment(), {"erase_area": (0.5, 1.5)}, "erase_area: 1.5, expected 1e-06 to 1"),
        (Augment(), {"mean": (0, 0)}, r"mean: \(0, 0\), expected three numbers"),
        (Augment(), {"mean": (0, 0, 101)}, "mean: 101, expected -100 to 100"),
        (Augment(), {"mean": (0, -101, 0)}, "mean: -101, expected -100 to 100"),
        (Augment(), {"std": (1, 1, 0)}, "std: 0, expected 1e-06 to 100"),
        (Augment(), {"std": (1, 1, 1, 1)}, r"std: \(1, 1, 1, 1\), expected three numbers"),
        (Augment(), {"resize": "area"}, "resize: 'area' is none of bilinear, bicubic"),
        (
            Augment(),
            {"second_view": "other"},
            "second_view: 'other' is none of None, shared, independent, fresh, strong",
        ),
        (Augment(), {"shift_fill": "one"}, "shift_fill: 'one' is none of zero, reflect"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_its_name(kind: Any, changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}$"):
        replace(kind, **changes)


def test_pairs_and_names_that_can_be_are_taken() -> None:
    for changes in (
        {"crop": None},
        {"crop": [0.01, 1]},
        {"crop": (0.5, 0.5)},
        {"erase_area": (1e-6, 1)},
        {"mean": (-100, 0, 100)},
        {"std": (1e-6, 1, 100)},
        *({"second_view": view} for view in (None, "shared", "independent", "fresh", "strong")),
        *({"resize": name} for name in ("bilinear", "bicubic")),
        *({"shift_fill": name} for name in ("zero", "reflect")),
    ):
        assert [getattr(replace(BASIC, **changes), name) for name in changes] == list(changes.values())
    assert Steps(after=[0, 2.5]).after == [0, 2.5]


def test_a_recipe_comes_back_from_plain_data_as_it_was() -> None:
    rich = Recipe(
        7,
        9,
        SGD(0.1, 0.5, 0.2, 0.3),
        Steps((1, 2), 0.5),
        Augment(crop=(0.2, 0.9), second_view="strong"),
        True,
        "resnet50",
    )
    for recipe in (RECIPE, rich, replace(rich, schedule=OneCycle(0.1, 0.2)), replace(RECIPE, schedule=LinearToZero())):
        assert rebuild(plain(recipe)) == recipe
    told = plain(rich)
    assert told["kind"] == "Recipe" and told["optimiser"] == {
        "kind": "SGD",
        "lr": 0.1,
        "momentum": 0.5,
        "weight_decay": 0.2,
        "head_lr": 0.3,
    }
    assert told["schedule"] == {"kind": "Steps", "after": [1, 2], "factor": 0.5}
    assert told["augment"]["crop"] == [0.2, 0.9] and told["augment"]["strong"]["kind"] == "Strong"
    assert rebuild(told).augment.crop == (0.2, 0.9)


def test_schedules_by_hand() -> None:
    assert [Exponential(0.5).at(step, 3, 9) for step in (0, 2, 3, 6)] == [1, 1, 0.5, 0.25]
    assert [Steps((1, 2), 0.1).at(step, 3, 3) for step in (2, 3, 5, 6)] == pytest.approx([1, 0.1, 0.1, 0.01])
    assert [LinearToZero().at(step, 2, 2) for step in range(4)] == [1, 0.75, 0.5, 0.25]
    cycle = OneCycle(warm=0.5, start=0.2)
    assert [cycle.at(step, 2, 4) for step in (0, 2, 4, 6, 8)] == pytest.approx([0.2, 0.6, 1, 0.5, 0])
    assert OneCycle(warm=0).at(0, 2, 4) == 1
