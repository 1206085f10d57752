"""A kept network gives what the trained one gave, for every method; a file that is not one is refused in one line."""

import hashlib
import json
import os
import pickle
import re
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from benchmark import plugins
from benchmark.check import rehearsal
from benchmark.commands.networks import find_network
from benchmark.terminal import Usage
from benchmark.train import kept_network
from benchmark.train.kept_network import keep_network, load_network
from benchmark.train.trainer import Trainer
from results.job import json_digest
from results.store import Store

METHODS = sorted(plugins.find_methods())


def keep(trainer: Trainer, folder: Path) -> Path:
    """Keep the network of a rehearsed job, whose data set is not on disk; returns the file of its tensors."""
    store = Store(folder)
    with pytest.MonkeyPatch.context() as patch:
        data = SimpleNamespace(info={"size": 48, "channels": 1})
        patch.setattr(kept_network.decoded, "open_decoded", lambda place: data)
        keep_network(trainer, store)
    return store.network(trainer.job.id)


def predict(trainer: Trainer) -> np.ndarray:
    with torch.inference_mode():
        return kept_network.predict_probabilities(trainer, torch.from_numpy(trainer.data.test_images)).numpy()


@pytest.mark.parametrize("name", METHODS)
def test_every_method_predicts_from_its_file_as_after_training(name: str, tmp_path: Path) -> None:
    trainer = rehearsal.prepare_rehearsal(plugins.find_method(name))
    untrained = predict(trainer)
    trained = predict(rehearsal.train_to_last_epoch(trainer))
    network = load_network(keep(trainer, tmp_path))
    assert np.array_equal(network.predict(trainer.data.test_images), trained) and not np.array_equal(trained, untrained)
    assert network.notes == () and network.info.classes == list(trainer.data.classes)


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a network of the baseline that has not learnt anything."""
    return keep(rehearsal.prepare_rehearsal(plugins.find_method("baseline")), tmp_path_factory.mktemp("kept"))


@pytest.fixture
def weights(baseline: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may spoil."""
    for path in (baseline, baseline.with_suffix(".network.json")):
        shutil.copy(path, tmp_path)
    return tmp_path / baseline.name


def edit(weights: Path, **changes: Any) -> None:
    """Change keys of the JSON beside a network; 'spec.seed' as spec__seed; None takes a key away."""
    path = weights.with_suffix(".network.json")
    values = json.loads(path.read_text())
    for name, value in changes.items():
        *outer, last = name.split("__")
        inner = values
        for key in outer:
            inner = inner[key]
        inner[last] = value
        if value is None:
            del inner[last]
    path.write_text(json.dumps(values))


def refusal(weights: Path) -> str:
    with pytest.raises(Usage) as caught:
        load_network(weights)
    assert "\n" not in str(caught.value) and str(weights.parent) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "'format' is 2, expected 1"),
        ({"classes": None}, "'classes' is missing, expected a list"),
        ({"classes": ["anger"]}, "'classes' is ['anger'], expected 2 to 256 different names"),
        ({"classes": ["anger", "anger"]}, "'classes' is ['anger', 'anger'], expected 2 to 256 different names"),
        ({"classes": ["anger", 3]}, "'classes' is ['anger', 3]"),
        ({"classes": ["anger", "fear"]}, "its tensor 'labels' holds other classes than the 2 in 'classes'"),
        ({"classes": list("abcdefghi")}, "does not fit the method baseline as it is here"),
        ({"parameters": {"q": 1}}, "does not fit the method baseline as it is here"),
        ({"parameters": [1]}, "'parameters' is [1], expected a dict"),
        ({"backbone": "resnet99"}, "does not fit the method baseline as it is here"),
        ({"backbone": "resnet18"}, "does not fit the method baseline as it is here"),
        ({"side": 64}, "'side' and 'channels' are 64 and 1, those of the demo scale here are 48 and 1"),
        ({"side": True}, "'side' is True, expected a int"),
        ({"normalisation__mean": [0.5]}, "'normalisation.mean' is [0.5], expected three numbers"),
        ({"normalisation__std": [0, 1, 1]}, "'normalisation.std' is [0, 1, 1], expected three numbers"),
        ({"normalisation__resize": "nearest"}, "'normalisation.resize' is 'nearest', expected bilinear or bicubic"),
        ({"stored__channels": 2}, "'stored' is"),
        ({"training__images": 38}, "its tensor 'labels' is not one number for each of 38 images"),
        ({"training__images": 10**12}, "'training.images' is 1000000000000, expected 1 to 1,000,000,000"),
        ({"training__drop_last": 1}, "'training.drop_last' is neither true nor false"),
        ({"spec__seed": 1}, "'spec' does not hash to 'id' (edited?)"),
        ({"spec__stranger": 1}, "'spec' is not that of a job"),
        ({"spec": {}}, "'spec' is not that of a job"),
        ({"stranger": 1}, "'stranger' is not known"),
        ({"sha256": "0" * 64}, "not the file that"),
    ],
)
def test_a_key_that_cannot_be_is_named_in_one_line(weights: Path, changes: dict[str, Any], words: str) -> None:
    edit(weights, **changes)
    assert words in refusal(weights) and refusal(weights).count(str(weights.parent)) == 1


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("scale", {"name": "huge"}, "'spec.scale' is {'name': 'huge'}, expected one of demo, small, paper"),
        ("scale", 3, "'spec.scale' is 3"),
        ("noise", "none", "'spec.noise' and 'spec.data' are not sections"),
        ("precision", "fp8", "'spec' lacks the name of its noise, data or method, its seed or its precision"),
        ("method", "baselime", "there is no method 'baselime' (did you mean 'baseline'?)"),
    ],
)
def test_a_job_that_cannot_be_is_refused_though_it_hashes_to_its_name(
    weights: Path, key: str, value: Any, words: str
) -> None:
    spec = json.loads(weights.with_suffix(".network.json").read_text())["spec"] | {key: value}
    edit(weights, spec=spec, id=json_digest(spec))
    assert words in refusal(weights)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '"a"', "\x00", "null"])
def test_a_text_that_is_no_json_of_a_network_is_refused(weights: Path, text: str) -> None:
    weights.with_suffix(".network.json").write_text(text)
    assert f"{weights.stem}.network.json: " in refusal(weights)


def test_either_file_alone_is_refused(weights: Path) -> None:
    weights.rename(weights.with_name("aside"))
    assert f"{weights}: there is no such file" in refusal(weights)
    weights.with_name("aside").rename(weights)
    weights.with_suffix(".network.json").unlink()
    assert "does not lie beside it; a network is both files" in refusal(weights)


def test_a_pickle_named_safetensors_is_never_run(weights: Path, tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "run"),)

    for content in (pickle.dumps(Trap()), b"", weights.read_bytes()[:-9]):
        weights.write_bytes(content)
        edit(weights, sha256=hashlib.sha256(content).hexdigest())
        assert "cannot be read as safetensors" in refusal(weights)
    assert not (tmp_path / "run").exists()


def test_a_network_without_its_labels_is_refused(weights: Path) -> None:
    tensors = safetensors.torch.load_file(weights)
    del tensors["labels"]
    safetensors.torch.save_file(tensors, weights)
    edit(weights, sha256=hashlib.sha256(weights.read_bytes()).hexdigest())
    assert "its tensor 'labels' is not one number for each" in refusal(weights)


@pytest.mark.parametrize("change", [{"normalisation__mean": [0.0, 0.0, 0.0]}, {"normalisation__std": [0.5, 0.5, 0.5]}])
def test_images_are_normalised_as_the_file_says(weights: Path, change: dict[str, Any]) -> None:
    images = rehearsal.random_data(9, 8, False).test_images
    before = load_network(weights).predict(images)
    edit(weights, **change)
    assert not np.allclose(load_network(weights).predict(images), before, atol=1e-3)


def test_other_code_and_another_version_are_said(weights: Path) -> None:
    edit(weights, code="statements:0123456789abcdef0123")
    assert load_network(weights).notes == (
        f"baseline: other code trained this network (cdef0123, here {load_network(weights).notes[0].split('here ')[1][:8]}); "
        "its numbers may differ from its record's",
    )
    spec = json.loads(weights.with_suffix(".network.json").read_text())["spec"]
    spec |= {"method_version": 7, "scale": {"name": "demo", "version": 1}}
    edit(weights, spec=spec, id=json_digest(spec))
    one, two = load_network(weights).notes
    assert one.startswith("baseline: version 7 trained this network, here is 1")
    assert two.startswith("demo scale: version 1 trained this network, here is ")


def test_a_state_that_is_no_tensor_is_refused_before_training() -> None:
    method = rehearsal.prepare_rehearsal(plugins.find_method("baseline")).method
    kept_network.check_state(method)
    type(method).get_extra_state = lambda self: {"a": 1}
    try:
        with pytest.raises(
            ValueError, match="the state '_extra_state' of baseline is a dict; only tensors can be kept"
        ):
            kept_network.check_state(method)
    finally:
        del type(method).get_extra_state


@pytest.mark.parametrize("ending", [".safetensors", ".network.json", ".json"])
def test_any_file_of_a_network_names_it(weights: Path, ending: str) -> None:
    weights.with_suffix(".json").touch()
    assert find_network(str(weights.with_suffix(ending)), Path("nowhere")) == weights


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("a" * 20, "there is no record aaaaaaaaaaaaaaaaaaaa in nowhere; give its folder as --results"),
        ("missing.safetensors", "is neither a record's id"),
        ("model.pth", "expected a .safetensors file that --keep-weights kept; other files are not read"),
    ],
)
def test_what_is_no_network_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.pth").touch()
    with pytest.raises(Usage, match=re.escape(words)):
        find_network(given, Path("nowhere"))
