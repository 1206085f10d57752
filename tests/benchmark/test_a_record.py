"""A whole record against what its method saw: every measure written out once more from logits that are known."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import spied
import torch

from benchmark.train import provenance
from benchmark.train.loop import Diverged
from methods.support.backbones import BACKBONES
from methods.support.recipe import SGD, Augment, LinearToZero, Recipe, recipe_to_dict
from results.schema import content_hash
from results.store import Store

IMAGES, CLASSES, EPOCHS, BATCH = 40, 7, 7, 8
CLEAN = np.arange(IMAGES) % CLASSES
RECIPE = Recipe(EPOCHS, BATCH, SGD(1e-9), LinearToZero(), Augment(), backbone="resnet10_w16")
JOB = replace(spied.JOB, method="seer", noise={"kind": "symmetric", "rate": "0.5", "version": 1}, seed=3, holdout=True)


@pytest.fixture
def train(tmp_path: Path) -> Any:
    return lambda job=JOB, recipe=RECIPE, **place: spied.train_spy(tmp_path, job, recipe, **place)


def auroc(score: np.ndarray, positive: np.ndarray) -> float:
    pairs = [(a > b) + 0.5 * (a == b) for a in score[positive] for b in score[~positive]]
    return float(np.mean(pairs))


def test_every_measure_follows_from_the_logits(train) -> None:
    run = train()
    record, arrays, metrics = run.record, run.arrays, run.record["metrics"]
    rows = arrays["train_rows"]
    assert rows.dtype == np.int32 and len(rows) == 36 and (np.diff(rows) > 0).all()
    labels = np.load(run.results / "noise" / f"{record['noise']['hash']}.npz")["labels"]
    given, clean = labels[rows], CLEAN[rows]
    wrong = given != clean
    assert 10 < wrong.sum() < 30
    held = np.setdiff1d(np.arange(IMAGES), rows)
    # After each epoch the test images, then the four that are held out.
    seen = [np.array(note["logits"]) for note in run.of("logits") if not note["training"]]
    assert [len(logits) for logits in seen] == [IMAGES, 4] * EPOCHS + [36]
    tested, kept = seen[:-1:2], seen[1:-1:2]
    predicted = np.stack([logits.argmax(1) for logits in tested])
    accuracy = (predicted == CLEAN).mean(1)
    agreement = [float((logits.argmax(1) == labels[held]).mean()) for logits in kept]
    assert len(set(accuracy.tolist())) > 2 and len(set(agreement)) > 1
    assert arrays["predictions"].dtype == np.uint8 and np.array_equal(arrays["predictions"], predicted)
    history = record["history"]
    assert history["test_accuracy"] == pytest.approx(accuracy) and history["noisy_validation"] == agreement
    assert metrics["last"] == accuracy[-1] and metrics["best"] == accuracy.max()
    assert metrics["best_epoch"] == 1 + accuracy.tolist().index(accuracy.max())
    assert metrics["last5"] == pytest.approx(accuracy[2:].mean())
    assert metrics["noisy_val"] == accuracy[agreement.index(max(agreement))]
    often = np.bincount(given, minlength=CLASSES).argmax()
    assert metrics["majority"] == pytest.approx((often == CLEAN).mean())
    shares = np.exp(tested[-1]) / np.exp(tested[-1]).sum(1, keepdims=True)
    bins, right = np.minimum((shares.max(1) * 15).astype(int), 14), predicted[-1] == CLEAN
    gap = sum(abs(shares.max(1)[bins == b].sum() - right[bins == b].sum()) for b in range(15)) / IMAGES
    assert metrics["calibration_error"] == pytest.approx(gap, abs=1e-6)
    confusion = np.zeros((CLASSES, CLASSES), int)
    np.add.at(confusion, (CLEAN, predicted[-1]), 1)
    assert metrics["confusion"] == confusion.tolist()
    recall = confusion.diagonal() / confusion.sum(1)
    assert metrics["per_class"] == pytest.approx(recall) and metrics["balanced_accuracy"] == pytest.approx(
        recall.mean()
    )
    opinion = np.exp(seen[-1]) / np.exp(seen[-1]).sum(1, keepdims=True)
    wrongness = 1 - opinion[np.arange(36), given]
    np.testing.assert_allclose(arrays["distribution"], opinion, atol=1e-3)
    np.testing.assert_allclose(arrays["wrongness"], wrongness, atol=1e-5)
    assert arrays["distribution"].dtype == np.float16 and arrays["wrongness"].dtype == np.float32
    assert metrics["wrong_label_auroc"] == pytest.approx(auroc(arrays["wrongness"], wrong))
    total = np.zeros(36)
    for note in run.of("batch"):
        logits, index = np.array(note["logits"]), note["index"]
        mine = logits[np.arange(len(index)), given[index]]
        logits[np.arange(len(index)), given[index]] = -np.inf
        total[index] += mine - logits.max(1)
    np.testing.assert_allclose(arrays["margin"], total / EPOCHS, rtol=2e-3, atol=2e-3)
    assert arrays["margin"].dtype == np.float16
    assert metrics["margin_auroc"] == pytest.approx(auroc(-total, wrong), abs=1e-3)
    for name, score in (("wrong_label_fnr", wrongness), ("margin_fnr", -total)):
        flagged = np.argsort(-score, kind="stable")[: wrong.sum()]
        assert metrics[name] == pytest.approx(1 - wrong[flagged].mean())


def test_numbers_of_some_epochs_only_stand_at_the_places_of_these(train) -> None:
    history = train().record["history"]
    assert history["loss at times"] == [0, 2, 3, 0, 0, 0, 0]
    assert history["even"] == [None, 2, None, 4, None, 6, None]
    assert {len(values) for values in history.values()} == {EPOCHS}


def test_the_history_says_what_became_of_losses_and_wrong_labels(train) -> None:
    run = train()
    history, rows = run.record["history"], run.arrays["train_rows"]
    given, clean = run.arrays["given"], run.arrays["clean"]
    assert given.dtype == clean.dtype == np.uint8 and clean.tolist() == CLEAN[rows].tolist()
    assert given.tolist() == run.of("begin")[0]["labels"]
    for epoch in range(EPOCHS):
        batches = [note for note in run.of("batch") if note["epoch"] == epoch + 1]
        assert len(batches) == 5
        where = np.mean([np.mean(note["index"]) for note in batches])
        assert history["loss where"][epoch] == pytest.approx(where, rel=1e-5)
        assert history["loss twice"][epoch] == pytest.approx(2 * where, rel=1e-5)
        guess = {i: int(np.argmax(row)) for note in batches for i, row in zip(note["index"], note["logits"])}
        wrong = [i for i in guess if given[i] != clean[i]]
        assert len(guess) == 36
        assert history["recovered"][epoch] == pytest.approx(np.mean([guess[i] == clean[i] for i in wrong]))
        assert history["memorised"][epoch] == pytest.approx(np.mean([guess[i] == given[i] for i in wrong]))
    assert history["turned"] == list(range(1, EPOCHS + 1))
    assert set(history) == {
        *(
            "loss where",
            "loss twice",
            "loss at times",
            "even",
            "recovered",
            "memorised",
            "turned",
            "test_accuracy",
            "noisy_validation",
        )
    }


def test_the_rest_of_a_record_says_what_it_was_made_of(train) -> None:
    run = train(jobs_on_gpu=3)
    record, data = run.record, run.arrays
    job = replace(JOB, data=JOB.data | {"fingerprint": record["spec"]["data"]["fingerprint"]})
    assert (record["schema"], record["status"], record["id"], record["spec"]) == (1, "ok", job.id, job.spec)
    assert record["code"].startswith("statements:") and record["jobs_on_card"] == 3
    assert record["resolved"]["recipe"] == recipe_to_dict(RECIPE) and record["resolved"]["method_title"] == "Seer"
    assert record["resolved"]["scale_notes"] == ["a note"]
    assert record["resolved"]["data"] == {
        "title": "Specks",
        "class_names": ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"],
        "train_images": 36,
        "test_images": 40,
        "train_per_class": np.bincount(data["clean"], minlength=7).tolist(),
        "test_per_class": np.bincount(CLEAN, minlength=7).tolist(),
    }
    assert data["test_labels"].tolist() == CLEAN.tolist() and data["test_labels"].dtype == np.uint8
    assert data["test_rows"].tolist() == list(range(40)) and data["test_rows"].dtype == np.int32
    assert set(data) == {
        *("predictions", "test_labels", "given", "clean", "distribution", "wrongness", "margin"),
        *("train_rows", "test_rows"),
    }
    noise = record["noise"]
    labels = np.load(run.results / "noise" / f"{noise['hash']}.npz")["labels"]
    assert labels.dtype == np.uint8 and noise["nominal"] == 0.5
    assert noise["realised"] == pytest.approx((labels != CLEAN).mean())
    assert noise["per_class"] == pytest.approx([(labels != CLEAN)[c == CLEAN].mean() for c in range(7)])
    times = record["times"]
    parts = {"start", "data", "forward", "backward", "optimiser", "evaluation"}
    assert set(times) == parts | {"total"} and all(times[name] > 0 for name in parts)
    assert times["total"] == pytest.approx(sum(times[name] for name in parts), abs=5e-4)
    assert all(round(seconds, 4) == seconds for seconds in times.values())
    speed = record["cost"]["inference_images_per_second"]
    assert speed == pytest.approx((40 * EPOCHS + 36) / times["evaluation"], rel=0.02) and round(speed, 1) == speed
    network = sum(p.numel() for p in network_of("resnet10_w16"))
    assert record["cost"]["parameters"] == network + 1
    assert 50e6 < record["peak_memory"] < 100e9
    made = record["provenance"]
    assert made["torch"] == torch.__version__ and made["numpy"] == np.__version__
    assert made["python"].count(".") == 2 and made["device"] == "cpu" and made["deterministic"] is True
    assert made["threads"] == 1 and len(made["packages"]) == 20
    assert made["hardware"] == provenance.processor_name()
    assert set(made) == {
        *("python", "torch", "numpy", "git", "packages", "hardware", "device", "threads", "deterministic")
    }
    assert train(fast=True).record["provenance"]["deterministic"] is False
    store = Store(run.results)
    record["hash"] = content_hash(json.loads(json.dumps(record)))
    store.write(record, data)
    assert store.done(job.id)


def network_of(name: str) -> list[torch.Tensor]:
    return list(BACKBONES[name](1).parameters())


def test_seeds_choose_what_is_held_out_and_without_holding_out_all_is_trained_on(train) -> None:
    one, two = (train(replace(JOB, seed=seed)).arrays["train_rows"].tolist() for seed in (3, 4))
    assert one != two and train().arrays["train_rows"].tolist() == one
    whole = train(replace(JOB, holdout=False))
    assert whole.arrays["train_rows"].tolist() == list(range(40))
    assert "noisy_val" not in whole.record["metrics"] and "noisy_validation" not in whole.record["history"]
    part = train(replace(JOB, holdout=False, part="correct"))
    labels = np.load(part.results / "noise" / f"{part.record['noise']['hash']}.npz")["labels"]
    assert part.arrays["train_rows"].tolist() == np.flatnonzero(labels == CLEAN).tolist()
    assert part.record["noise"]["hash"] == whole.record["noise"]["hash"]
    clean = train(replace(JOB, holdout=False, noise={"kind": "none", "rate": None, "version": 1}))
    for name in ("wrong_label_auroc", "wrong_label_fnr", "margin_auroc", "margin_fnr"):
        assert clean.record["metrics"][name] is None
    assert clean.record["noise"] | {"hash": ""} == {
        "nominal": None,
        "realised": 0.0,
        "per_class": [0.0] * 7,
        "hash": "",
    }
    assert clean.record["history"]["recovered"] == [0.0] * EPOCHS == clean.record["history"]["memorised"]


def test_two_networks_start_from_weights_of_their_own_by_seed(train) -> None:
    short = replace(RECIPE, epochs=1)

    def networks(**changes: Any) -> tuple[list[str], str]:
        (note,) = train(replace(JOB, **{"method": "pair"} | changes), short).of("networks")
        return note["hashes"], note["head"]

    (first, second), head = networks()
    assert first != second and networks() == ([first, second], head)
    assert networks(method="seer") == ([first], head)  # as in a method with one
    others, another = networks(seed=4)
    assert not {first, second} & set(others) and another != head


def test_networks_are_filled_from_files_and_what_was_found_is_noted(train, tmp_path: Path) -> None:
    paths = []
    for n in (1, 2):
        torch.manual_seed(n)
        path = tmp_path / f"weights{n}.pt"
        torch.save(BACKBONES["resnet10_w16"](1).state_dict(), path)
        paths.append(path)
    names = [f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in paths]
    short = replace(RECIPE, epochs=1)
    job = replace(JOB, method="pair", weights=names[0])
    both = train(job, short, weights=str(paths[0]))
    one, two = both.of("networks")[0]["hashes"]
    assert one == two and set(both.record["resolved"]["weights"]) == {"text", "loaded", "loaded2"}
    assert both.record["resolved"]["weights"]["loaded"]["sha256"] == names[0].removeprefix("sha256:")
    apart = train(replace(job, weights2=names[1]), short, weights=str(paths[0]), weights2=str(paths[1]))
    assert apart.of("networks")[0]["hashes"][0] == one != apart.of("networks")[0]["hashes"][1]
    assert apart.record["resolved"]["weights"]["loaded2"]["sha256"] == names[1].removeprefix("sha256:")
    random = train(replace(job, weights2="random"), short, weights=str(paths[0]))
    assert random.of("networks")[0]["hashes"][0] == one != random.of("networks")[0]["hashes"][1]
    assert set(random.record["resolved"]["weights"]) == {"text", "loaded"}
    with pytest.raises(ValueError, match=r"weights2.pt: the file was changed since this job was planned"):
        train(job, short, weights=str(paths[1]))


def test_what_was_changed_since_a_job_was_planned_is_refused(train) -> None:
    with pytest.raises(ValueError, match=r"^seer: its file was changed to version 1 since this job was planned$"):
        train(replace(JOB, method_version=2))
    with pytest.raises(ValueError, match=r"^--noise symmetric: its file was changed since this job was planned"):
        train(replace(JOB, noise=JOB.noise | {"code": "statements:0"}))
    with pytest.raises(ValueError, match=r"^--noise votes: the data set specks has no votes; choose another noise$"):
        train(replace(JOB, noise={"kind": "votes", "rate": None, "version": 1}))
    with pytest.raises(ValueError, match=r"^lanet: the data set specks has no landmarks; see docs/data.md$"):
        train(replace(JOB, method="lanet"))


def test_a_loss_that_is_no_number_ends_the_run_by_its_name(train) -> None:
    steep = replace(RECIPE, optimiser=SGD(1e38), epochs=3)
    with pytest.raises(
        Diverged,
        match=r"^epoch \d: loss (where|twice) is -?(inf|nan); lower the rate or the loss weight, and take no mean of nothing$",
    ):
        train(JOB, steep)


def test_a_machine_without_git_trains_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    provenance.collect_versions.cache_clear()
    assert provenance.collect_versions()["git"] is None
    provenance.collect_versions.cache_clear()


def test_processors_of_one_name_and_other_kinds_are_told_apart(monkeypatch) -> None:
    """Clouds call four generations `AMD EPYC`; they round differently."""
    lines = (
        "processor\t: 0\ncpu family\t: 25\nmodel\t\t: {}\nmodel name\t: AMD EPYC\nflags\t\t: fpu\npower management:\n"
    )
    names = []
    for model, level in ((1, "AVX2"), (17, "AVX2"), (17, "AVX512")):
        monkeypatch.setattr(Path, "read_text", lambda path, model=model: lines.format(model))
        monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda level=level: level)
        names.append(provenance.processor_name())
    assert names[0] == "AMD EPYC (AVX2, family 25, model 1)" and len(set(names)) == 3
