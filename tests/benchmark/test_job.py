"""A job's identity holds what can change the result and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.plan import recipes
from benchmark.scale import SCALES
from benchmark.terminal import Usage
from results.job import Job, json_digest, number_text, stream_seed

JOB = Job(
    method="baseline",
    method_version=1,
    data={"name": "faces", "fingerprint": "f" * 20, "landmarks": None},
    noise={"kind": "asymmetric", "rate": "0.3", "version": 1},
    seed=0,
    precision="fp32",
    preset="comparison",
    scale={"name": "demo", "version": 1},
    weights="random",
)
RECIPE = {
    "kind": "Recipe",
    "epochs": 80,
    "batch_size": 128,
    "optimiser": {"kind": "Adam", "lr": 1e-3, "weight_decay": 0.0, "head_lr": None},
    "schedule": {"kind": "LinearToZero"},
    "augment": {"kind": "Augment", "flip": 0.5, "second_view": None},
    "drop_last": True,
    "backbone": "resnet18",
}
PARAMETERS = {
    "confidence": {"default": 0.7, "type": "float", "scales": None},
    "label_momentum": {"default": 0.9, "type": "float", "scales": "per epoch"},
    "key_momentum": {"default": 0.999, "type": "float", "scales": "per step"},
    "queue": {"default": 8192, "type": "int", "scales": "queue"},
    "start": {"default": 10, "type": "int", "scales": "epoch"},
}
CARD = {
    "name": "lanet",
    "title": "LA-Net",
    "version": 1,
    "recipe": RECIPE,
    "as_published": None,
    "parameters": PARAMETERS,
    "demo": {"start": [35, "a reason"]},
    "mechanism": [],
}


def resolved(asked: dict[str, str], scale: str = "paper", card: dict = CARD) -> tuple[dict, dict]:
    return recipes.resolve_recipe({"lanet": card}, "lanet", asked, SCALES[scale], "comparison", "rafdb", 1000)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "scn"},
        {"method_version": 2},
        {"seed": 1},
        {"precision": "bf16"},
        {"preset": "as_published"},
        {"weights": "landmarks:0"},
        {"overrides": {"lanet.confidence": "0.8"}},
        {"holdout": True},
        {"part": "correct"},
        {"noise": JOB.noise | {"rate": "0.2"}},
        {"data": JOB.data | {"landmarks": "a"}},
    ],
)
def test_everything_that_changes_a_result_changes_the_identity(change: dict) -> None:
    assert replace(JOB, **change).id != JOB.id


def test_an_identity_does_not_depend_on_the_order_of_keys() -> None:
    turned = replace(JOB, data=dict(reversed(JOB.data.items())))
    assert turned.id == JOB.id == json_digest(JOB.spec)


@given(st.floats(0, 1), st.floats(-1e-15, 1e-15))
def test_a_number_has_one_spelling(value: float, rounding: float) -> None:
    assert float(number_text(value)) == pytest.approx(value, rel=1e-11, abs=1e-300)
    assert number_text(str(value)) == number_text(value)


def test_rounding_of_sums_does_not_make_another_job() -> None:
    assert number_text(0.1 + 0.2) == number_text("0.30") == "0.3"


@given(st.lists(st.integers(0, 9), min_size=1, max_size=4), st.lists(st.integers(0, 9), min_size=1, max_size=4))
def test_streams_are_the_same_for_the_same_parts_only(a: list[int], b: list[int]) -> None:
    assert (stream_seed(*a) == stream_seed(*b)) == (a == b)


def test_a_value_equal_to_the_default_is_no_override() -> None:
    assert resolved({"lanet.confidence": "0.70"})[1] == {}
    assert resolved({"lanet.confidence": "0.8"})[1] == {"lanet.confidence": "0.8"}
    assert resolved({"recipe.epochs": "80"})[1] == {}


def test_a_new_parameter_does_not_change_the_identity_of_jobs_that_do_not_use_it() -> None:
    wider = CARD | {"parameters": PARAMETERS | {"fresh": {"default": 1.5, "type": "float", "scales": None}}}
    assert resolved({"lanet.confidence": "0.8"}, card=wider)[1] == resolved({"lanet.confidence": "0.8"})[1]


def test_settings_of_other_methods_are_passed_over() -> None:
    assert resolved({"scn.margin": "3"})[1] == {}


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"lanet.confidense": "0.8"}, "did you mean 'confidence'"),
        ({"lanet.confidence": "high"}, "expected one number"),
        ({"lanet.confidence": "nan"}, "expected one number"),
        ({"lanet.queue": "1.5"}, "expected one whole number"),
        ({"recipe.epoch": "3"}, "did you mean 'epochs'"),
        ({"recipe.epochs": "0"}, "expected 1 to 100,000"),
        ({"recipe.like": "lanett"}, "did you mean 'lanet'"),
    ],
)
def test_a_mistyped_setting_dies_before_any_work(asked: dict, words: str) -> None:
    with pytest.raises(Usage, match=words):
        resolved(asked)


def test_the_demo_scale_keeps_shares_of_the_published_run() -> None:
    settings, overrides = resolved({}, "demo")
    recipe, parameters = settings["recipe"], settings["parameters"]
    assert overrides == {"lanet.start": "35"}  # what is chosen for the scale is spelled out
    assert settings["chosen_settings"] == {"lanet.start": "35"}
    assert recipe["drop_last"] and recipe["backbone"] == "resnet10_w16"
    epochs, batch = recipe["epochs"], recipe["batch_size"]
    steps = epochs * (1000 // batch)
    assert parameters["confidence"] == 0.7
    assert parameters["label_momentum"] == pytest.approx(0.9 ** (80 / epochs))
    assert parameters["key_momentum"] == pytest.approx(0.999 ** (7600 / steps))
    assert parameters["queue"] % batch == 0 and abs(parameters["queue"] - 8192 / 12271 * 1000) <= batch / 2
    assert parameters["start"] == -(-35 * epochs // 80)  # the method's demo exception, then the rule for epochs
    assert any("a reason" in note for note in settings["scale_notes"])


def test_at_paper_scale_nothing_is_translated() -> None:
    parameters = resolved({})[0]["parameters"]
    assert parameters == {name: declared["default"] for name, declared in PARAMETERS.items()}


def test_typing_the_published_value_overrules_a_demo_exception() -> None:
    settings, overrides = resolved({"lanet.start": "10"}, "demo")
    assert overrides == {} and settings["chosen_settings"] == {"lanet.start": "35"}
    assert settings["parameters"]["start"] == -(-10 * settings["recipe"]["epochs"] // 80)
    assert not any("a reason" in note for note in settings["scale_notes"])
