"""Every method on a pretended CUDA device: no mixed devices, no operation that raises there, no wait inside a step."""

import io
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from benchmark import plugins
from benchmark.check.pretended import CardError
from benchmark.check.pretended_notes import TRAINING
from benchmark.train import loop
from benchmark.train.checkpoint import SEAL
from methods import baseline, rul, scn
from methods.elr import EarlyLearningRegularisation
from methods.lanet import method as lanet
from methods.lanet import parts
from tests.gpu.allowed import beyond
from tests.gpu.runs import CLASSES, IMAGES, run

NAMES = sorted(plugins.find_methods())
VARIANTS = {
    "rul with any partner": ("rul", {}),
    "scn relabelling all": ("scn", {"scn.relabel_epoch": "1", "scn.gamma": "0.5"}),
    "eac with a shared view": ("eac", {"eac.view2": "shared", "eac.input_norm": "vggface2"}),
    "lanet without contrast": ("lanet", {"lanet.contrastive_weight": "0", "lanet.sampler": "uniform"}),
    "lanet in two processes": (
        "lanet",
        {"lanet.queue": "64", "lanet.emulate_processes": "2", "lanet.sampler_seed": "job"}
        | {
            f"lanet.{name}": "true"
            for name in ("two_views", "inbatch_negatives", "exclude_same_index", "exact_heatmap")
        }
        | {f"lanet.{name}": "true" for name in ("flip_swap_landmarks", "detach_targets", "ambiguous_offset")},
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_job_mixes_no_devices_and_its_steps_wait_for_nothing(name: str, tmp_path: Path) -> None:
    seen, record, arrays = run(name, tmp_path)
    assert seen.in_steps() == []
    assert beyond(seen.waits, epochs=2) == {}
    assert record["provenance"]["hardware"] == "pretended" and np.isfinite(arrays["wrongness"]).all()
    assert set(seen.operations) >= set(TRAINING) - {"replay"}


@pytest.mark.parametrize("variant", VARIANTS)
def test_variants_of_methods(variant: str, tmp_path: Path) -> None:
    seen, _, _ = run(VARIANTS[variant][0], tmp_path, VARIANTS[variant][1])
    assert seen.in_steps() == []


def test_bf16(tmp_path: Path) -> None:
    seen, _, _ = run("lanet", tmp_path, precision="bf16")
    assert seen.in_steps() == []


@pytest.mark.parametrize("name", ["scn", "lanet"])
def test_a_job_goes_on_from_its_checkpoint_on_the_gpu(name: str, tmp_path: Path) -> None:
    _, record, arrays = run(name, tmp_path)
    assert list((tmp_path / "checkpoints").glob("*.pt"))
    _, again, same = run(name, tmp_path)
    assert again["history"] == record["history"] and np.array_equal(arrays["wrongness"], same["wrongness"])


def test_sees_a_wait_that_is_not_allowed_or_too_often(tmp_path: Path) -> None:
    def after_epoch(self, epoch: int):
        return {"known": float(self.classifier.weight.detach().sum())}

    real = loop.evaluate_epoch

    with mock.patch.object(baseline.Baseline, "after_epoch", after_epoch, create=True):
        seen, _, _ = run("baseline", tmp_path / "read")
    (found,) = beyond(seen.waits, epochs=2)
    assert found == ("outside", "read", "gpu/test_fake_cuda_device.py")
    with mock.patch.object(
        loop, "evaluate_epoch", lambda trainer: [real(trainer), trainer.state.predictions.pop(), real(trainer)]
    ):
        seen, _, _ = run("baseline", tmp_path / "often")
    assert beyond(seen.waits, epochs=2) == {("evaluation", "read", "train/evaluation.py"): 18}


def test_sees_a_tensor_left_in_main_memory(tmp_path: Path) -> None:
    def update_bank(bank, index, targets):
        last = torch.where(index[:, None] == index, torch.arange(len(index)), -1).amax(1)
        bank.index_copy_(0, index, targets.detach()[last])

    with mock.patch.object(lanet, "update_bank", update_bank), pytest.raises(CardError, match="where: tensors on cuda"):
        run("lanet", tmp_path)


def test_sees_a_memory_of_samples_in_main_memory(tmp_path: Path) -> None:
    def remember(self, index, probability):
        self.late = torch.zeros(IMAGES, CLASSES)
        self.late[index] = probability
        return self.late[index]

    with mock.patch.object(EarlyLearningRegularisation, "remember", remember), pytest.raises(CardError, match="index"):
        run("elr", tmp_path)


def test_sees_a_value_that_the_host_reads(tmp_path: Path) -> None:
    real = scn.relabel_by_margin

    def relabel(logits, labels, margin):
        found = real(logits, labels, margin)
        return found if (found != labels).any() else labels

    with mock.patch.object(scn, "relabel_by_margin", relabel):
        seen, _, _ = run("scn", tmp_path)
    assert {wait.kind for wait in seen.in_steps()} == {"read"}


def test_sees_a_mask_as_an_index(tmp_path: Path) -> None:
    real = torch.nn.functional.cross_entropy

    def masked(logits, labels):
        return real(logits[labels >= 0], labels[labels >= 0])

    with mock.patch.object(baseline, "F", mock.Mock(cross_entropy=masked)):
        seen, _, _ = run("baseline", tmp_path)
    assert {wait.kind for wait in seen.in_steps()} == {"shape"}


def test_sees_a_generator_of_the_other_device(tmp_path: Path) -> None:
    def wrong(labels, generator):
        return torch.randperm(len(labels), generator=torch.Generator(), device=labels.device)

    with mock.patch.object(rul, "any_partner", wrong), pytest.raises(CardError, match="generator"):
        run("rul", tmp_path, {})


def test_sees_an_operation_without_a_deterministic_form(tmp_path: Path) -> None:
    def double(maps):
        return torch.nn.functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)

    with (
        mock.patch.object(parts, "double_maps", double),
        pytest.raises(CardError, match="upsample_bilinear2d_backward"),
    ):
        run("lanet", tmp_path)


def test_sees_an_upload_in_a_step(tmp_path: Path) -> None:
    real = baseline.Baseline.loss

    def loss(self, batch):
        losses, logits = real(self, batch)
        return {"ce": losses["ce"] * torch.from_numpy(np.ones(1, np.float32)).to(logits.device).sum()}, logits

    with mock.patch.object(baseline.Baseline, "loss", loss):
        seen, _, _ = run("baseline", tmp_path)
    assert {wait.kind for wait in seen.in_steps()} == {"upload"}


def test_nothing_is_launched_for_counts_that_nobody_uses(tmp_path: Path) -> None:
    seen, _, _ = run("baseline", tmp_path)
    (path,) = (tmp_path / "checkpoints").glob("*.pt")
    state = torch.load(io.BytesIO(path.read_bytes()[SEAL:]), weights_only=True)["method"]
    assert seen.operations["forward"]["add_"] == 2 * 2 * 4  # four sums of an epoch, after its first step; no counts
    assert {int(v) for name, v in state.items() if name.endswith("num_batches_tracked")} == {3}  # as on a CPU
    assert len([name for name in state if name.endswith("num_batches_tracked")]) == 12


def test_the_matrix_that_doubles_lanets_maps_is_made_once_a_size(tmp_path: Path) -> None:
    seen, _, _ = run("lanet", tmp_path)
    assert sum(found["upsample_linear1d"] for found in seen.operations.values()) == 3  # sides 2, 4 and 8
