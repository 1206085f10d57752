"""Settings of a recipe: what each may be, at both ends, and the way into plain data and back."""

from dataclasses import dataclass, replace
from math import nan
from typing import Any

import pytest

from methods.support.recipe import (
    BASIC,
    RECIPE,
    SGD,
    Adam,
    AdamW,
    Augment,
    Cosine,
    Exponential,
    LinearToZero,
    OneCycle,
    Recipe,
    Steps,
    Strong,
    WarmUp,
    list_kinds,
    recipe_from_dict,
    recipe_to_dict,
)

# (kind, setting, its ends, values just beyond them): both ends are taken.
RANGES: list[tuple[Any, str, tuple, tuple]] = [
    (Adam(0.1), "lr", (0, 5.0), (-1e-9,)),
    (Adam(0.1), "weight_decay", (0, 7), (-1e-9,)),
    (Adam(0.1), "head_lr", (0, 2.0, None), (-1e-9,)),
    (AdamW(0.1), "lr", (0, 5.0), (-1e-9,)),
    (AdamW(0.1), "weight_decay", (0, 7), (-1e-9,)),
    (AdamW(0.1), "head_lr", (0, 2.0, None), (-1e-9,)),
    (SGD(0.1), "lr", (0,), (-1e-9,)),
    (SGD(0.1), "momentum", (0, 1), (-1e-9, 1.0001)),
    (SGD(0.1), "weight_decay", (0,), (-1,)),
    (SGD(0.1), "head_lr", (0, None), (-1,)),
    (Exponential(), "factor", (0, 1), (-0.1, 1.1)),
    (Steps(), "factor", (0, 1), (-0.1, 1.1)),
    (Cosine(), "end", (0, 1), (-0.01, 1.01)),
    (WarmUp(), "epochs", (0, 5), (-1,)),
    (WarmUp(), "start", (0, 1), (-0.01, 1.01)),
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
        assert recipe_from_dict(recipe_to_dict(recipe)) == recipe
    told = recipe_to_dict(rich)
    assert told["kind"] == "Recipe" and told["optimiser"] == {
        "kind": "SGD",
        "lr": 0.1,
        "momentum": 0.5,
        "weight_decay": 0.2,
        "head_lr": 0.3,
    }
    assert told["schedule"] == {"kind": "Steps", "after": [1, 2], "factor": 0.5}
    assert told["augment"]["crop"] == [0.2, 0.9] and told["augment"]["strong"]["kind"] == "Strong"
    assert recipe_from_dict(told).augment.crop == (0.2, 0.9)


def test_schedules_by_hand() -> None:
    assert [Exponential(0.5).at(step, 3, 9) for step in (0, 2, 3, 6)] == [1, 1, 0.5, 0.25]
    assert [Steps((1, 2), 0.1).at(step, 3, 3) for step in (2, 3, 5, 6)] == pytest.approx([1, 0.1, 0.1, 0.01])
    assert [LinearToZero().at(step, 2, 2) for step in range(4)] == [1, 0.75, 0.5, 0.25]
    cycle = OneCycle(warm=0.5, start=0.2)
    assert [cycle.at(step, 2, 4) for step in (0, 2, 4, 6, 8)] == pytest.approx([0.2, 0.6, 1, 0.5, 0])
    assert OneCycle(warm=0).at(0, 2, 4) == 1


def test_cosine_and_warm_up_by_hand() -> None:
    assert [Cosine().at(step, 2, 4) for step in (0, 2, 4, 6, 8)] == pytest.approx(
        [1, 0.853553, 0.5, 0.146447, 0], abs=1e-6
    )
    assert [Cosine(0.2).at(step, 1, 2) for step in (0, 1, 2)] == pytest.approx([1, 0.6, 0.2])
    warm = WarmUp(Cosine(), epochs=2, start=0.1)
    assert [warm.at(step, 2, 4) for step in (0, 2, 4, 6, 8)] == pytest.approx([0.1, 0.55, 1, 0.5, 0])
    assert [WarmUp(Exponential(0.5), 1, 0).at(step, 1, 3) for step in range(3)] == [0, 1, 0.5]
    assert WarmUp(Cosine(), 9, 0).at(3, 1, 4) == pytest.approx(1 / 3)


@dataclass(frozen=True)
class Lion:
    lr: float
    betas: tuple[float, float] = (0.9, 0.99)

    def make(self, groups: list, on_gpu: bool) -> None: ...


@dataclass(frozen=True)
class Saw:
    teeth: int = 3

    def at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        return 1 - step % self.teeth / self.teeth


@dataclass(frozen=True)
class WithoutMake:
    lr: float = 0.1


@dataclass(frozen=True)
class WithoutRate:
    def make(self, groups: list, on_gpu: bool) -> None: ...


@dataclass(frozen=True)
class Turned(Saw):
    def at(self, step: int) -> float:  # type: ignore[override]
        return 1.0


@dataclass(frozen=True)
class Negative(Saw):
    def at(self, step: int, steps_per_epoch: int, epochs: int) -> float:
        return 1.0 - step


def test_parts_of_one_s_own_come_back_by_their_classes_and_from_no_other_file() -> None:
    own = replace(RECIPE, optimiser=Lion(0.1, (0.5, 0.6)), schedule=WarmUp(Saw(4), 2))
    assert recipe_from_dict(recipe_to_dict(own), list_kinds(own)) == own
    assert list_kinds(own)["Lion"] is Lion and list_kinds(own)["Saw"] is Saw
    with pytest.raises(ValueError, match="recipe: Lion is a class of another method's file"):
        recipe_from_dict(recipe_to_dict(own), list_kinds(RECIPE))
    assert list_kinds(None) == {}


ANOTHER = dataclass(frozen=True)(type("AdamW", (), {"__annotations__": {"lr": float}, "lr": 0.1, "make": print}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"optimiser": dict},
            r"optimiser: <class 'dict'>, expected one of Adam, AdamW, SGD of methods.base, or a dataclass",
        ),
        ({"optimiser": Lion}, r"optimiser: <class .*Lion'>, expected one of Adam, AdamW, SGD"),
        ({"optimiser": "Adam"}, r"optimiser: 'Adam', expected one of Adam, AdamW, SGD"),
        (
            {"optimiser": WithoutMake()},
            r"optimiser: WithoutMake has no make\(groups, on_gpu\); write it, or take one of Adam",
        ),
        ({"optimiser": WithoutRate()}, "optimiser: lr: None, expected 0 or more"),
        (
            {"optimiser": ANOTHER()},
            "optimiser: AdamW is another class than that of methods.base; import that one, or rename",
        ),
        (
            {"schedule": None},
            "schedule: None, expected one of Exponential, Steps, LinearToZero, Cosine, WarmUp, OneCycle",
        ),
        ({"schedule": WithoutMake()}, r"schedule: WithoutMake has no at\(step, steps_per_epoch, epochs\)"),
        ({"schedule": Turned()}, "schedule: Turned fails in step 0: .*positional argument"),
        ({"schedule": Negative()}, "schedule: Negative fails in step 59: its value: -58.0, expected 0 or more"),
    ],
)
def test_a_part_that_no_run_could_use_is_refused_where_it_is_declared(changes: dict, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{words}"):
        replace(RECIPE, **changes)
    if "schedule" in changes:
        with pytest.raises(ValueError, match=f"^then{words[8:].replace('59', '5').replace('58', '4')}"):
            WarmUp(changes["schedule"])
