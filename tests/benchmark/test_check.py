"""`python -m benchmark check`: every shipped file keeps its contract, and every broken one is told what is wrong."""

import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmark import plugins
from benchmark.commands import check
from benchmark.datasets.base import DataSet
from benchmark.datasets.faces import Faces
from benchmark.terminal import Usage

ROOT = Path(__file__).resolve().parent.parent.parent
METHODS = sorted(
    p for p in (ROOT / "methods").glob("*.py") if re.search(r"^class \w+\((Method|Baseline|EAC)\)", p.read_text(), re.M)
)
NOISES = sorted(p for p in (ROOT / "noise").glob("*.py") if "(Noise)" in p.read_text())

HEAD = """
import dataclasses
import random
import numpy as np
import torch
import torch.nn.functional as F
from methods.base import Curve, Method
from methods.baseline import Baseline

class Broken(Baseline):
    name, title = "broken", "Broken"
"""

CROSS_ENTROPY = "        logits = self.logits(batch.images)\n        ce = F.cross_entropy(logits, batch.labels)\n"

BROKEN = {
    "no_version": ("    version = 0\n", "name and title", "version is 0; expected 1, 2, ..."),
    "no_title": ("    title = None\n", "name and title", "no title"),
    "taken": ("    name = 'baseline'\n", "name and title", "choose another"),
    "no_recipe": ("    recipe = None\n", "recipe", "no recipe"),
    "unknown_needs": (
        "    backbone_needs = 'wings'\n",
        "recipe",
        "backbone_needs is 'wings'; known: features, maps, pyramid",
    ),
    "unfrozen": (
        "    @dataclasses.dataclass\n    class Parameters:\n        a: int = 1\n",
        "parameters",
        "frozen=True",
    ),
    "unwritten": (
        "    mechanism = (Curve('kept', 'Images kept (%)'),)\n",
        "curves of its mechanism",
        "kept is never written; return it from after_epoch, or name one of: loss ce, memorised, recovered",
    ),
    "unwritten_estimate": (
        "    mechanism = (Curve('estimate_keeps_clean', 'Clean label first (%)'),)\n",
        "curves of its mechanism",
        "estimate_keeps_clean is never written",
    ),
    "no_share": (
        "    mechanism = (Curve('loss ce', 'Loss (%)'),)\n",
        "curves of its mechanism",
        "is no share of 1",
    ),
    "wrong_shape": ("    def logits(self, x):\n        return self.backbone(x)\n", "logits for 8", "shape (6, 128)"),
    "seven_only": (
        "    def build(self, backbone, classes):\n        super().build(backbone, 8)\n",
        "logits for 7",
        "expected (6, 7)",
    ),
    "batch_statistics": (
        "    def logits(self, x):\n        y = super().logits(x)\n        return y - y.mean(0)\n",
        "logits for 8",
        "images beside it",
    ),
    "infinite": (
        "    def loss(self, batch):\n" + CROSS_ENTROPY + "        return {'ce': ce / 0}, logits\n",
        "reaches the backbone",
        "is inf",
    ),
    "detached": (
        "    def logits(self, x):\n        return self.classifier(self.backbone(x).detach())\n",
        "reaches the backbone",
        "detached",
    ),
    "loss_times_nothing": (
        "    def loss(self, batch):\n" + CROSS_ENTROPY + "        return {'ce': 0 * ce}, logits\n",
        "reaches the backbone",
        "no gradient reaches any parameter, so nothing is learned; is the loss detached, or multiplied by 0?",
    ),
    "detached_loss": (
        "    def loss(self, batch):\n" + CROSS_ENTROPY + "        return {'ce': ce.detach()}, logits\n",
        "reaches the backbone",
        "no gradient reaches any parameter",
    ),
    "in_place": (
        "    def loss(self, batch):\n        batch.images.mul_(0.9)\n        return super().loss(batch)\n",
        "leaves the batch",
        "batch.images",
    ),
    "global_numpy": (
        "    def loss(self, batch):\n        scale = 1 + 0.1 * np.random.rand()\n"
        + CROSS_ENTROPY
        + "        return {'ce': scale * ce}, logits\n",
        "random numbers",
        "batch.generator",
    ),
    "unseeded": (
        "    def order(self, epoch, generator):\n        return torch.from_numpy(np.random.default_rng().permutation(37))\n",
        "the same seed",
        "differ between two runs",
    ),
    "forgetful": (
        "    seen = 0\n    def loss(self, batch):\n        self.seen += 1\n"
        + CROSS_ENTROPY
        + "        return {'ce': self.seen * ce}, logits\n",
        "saved and resumed",
        "register_buffer",
    ),
    "late_buffer": (
        "    def after_epoch(self, epoch):\n        self.register_buffer('late', torch.zeros(2))\n        return {}\n",
        "saved and resumed",
        "register every buffer",
    ),
    "forgetful_late": (  # counts in Python, and freezes by it in the fourth of six epochs
        "    seen = 0\n    def after_epoch(self, epoch):\n        self.seen += epoch > 2\n"
        "        self.backbone.requires_grad_(self.seen < 2)\n        return {}\n",
        "saved and resumed",
        "after an interruption in epoch 4 of 6",
    ),
    "forgetful_curve": (
        "    seen = 0\n    def after_epoch(self, epoch):\n        self.seen += 1\n"
        "        return {'seen': torch.tensor(self.seen)}\n",
        "saved and resumed",
        "the curves seen differ",
    ),
    "forgetful_curves": (
        "    seen = 0\n    def after_epoch(self, epoch):\n        self.seen += 1\n"
        "        return {name: torch.tensor(self.seen) for name in 'abcde'}\n",
        "saved and resumed",
        "the curves a, b, c and 2 more differ",
    ),
    "state_of_python": (
        "    def get_extra_state(self):\n        return {'kept': Broken}\n    def set_extra_state(self, state):\n        pass\n",
        "saved and resumed",
        "the state holds more than tensors and numbers",
    ),
    "new_layer": (
        "    def after_epoch(self, epoch):\n        if epoch == 4:\n"
        "            self.classifier = torch.nn.Linear(*self.classifier.weight.shape[::-1])\n        return {}\n",
        "saved and resumed",
        "classifier.weight, classifier.bias would never learn",
    ),
    "bf16_head": (
        "    def logits(self, x):\n        with self.backbone.autocast():\n            return super().logits(x)\n",
        "bf16 backbone",
        "float32",
    ),
    "whole_batches": (
        "    def loss(self, batch):\n"
        + CROSS_ENTROPY
        + "        return {'ce': ce * batch.labels.view(4, 4).sum()}, logits\n",
        "last batch incomplete",
        "RuntimeError",
    ),
    "two_classes_at_least": (
        "    def loss(self, batch):\n"
        + CROSS_ENTROPY
        + "        return {'ce': ce / (batch.labels.unique().numel() - 1)}, logits\n",
        "a batch of one class",
        "is inf",
    ),
    "opinion_of_logits": (
        "    def opinion(self, batch):\n        y = self.logits(batch.images)\n        return y, y.sum(1)\n",
        "opinion",
        "sum to 1",
    ),
    "silent_survey": ("    survey = 'plain'\n", "survey of the", "write survey_batch"),
    "survey_of_no_kind": ("    survey = 'all'\n", "survey of the", "'plain', 'augmented'"),
    "learning_survey": (
        "    survey = 'plain'\n    def survey_batch(self, batch):\n        self.classifier.weight.mul_(0.9)\n",
        "survey of the",
        "only look",
    ),
    "training_survey": (
        "    survey = 'augmented'\n    def survey_batch(self, batch):\n        self.train()\n",
        "survey of the",
        "leave the mode alone",
    ),
    "forgetful_survey": (
        "    survey, seen = 'plain', 1.0\n    def survey_batch(self, batch):\n"
        "        self.seen = self.seen + float(self.logits(batch.images).mean())\n"
        "    def loss(self, batch):\n" + CROSS_ENTROPY + "        return {'ce': self.seen * ce}, logits\n",
        "saved and resumed",
        "register_buffer",
    ),
    "stepping_backward": (
        "    def after_backward(self, batch):\n        self.classifier.weight.data.mul_(0.9)\n",
        "gradients before",
        "the optimiser steps",
    ),
    "gradient_to_nothing": (
        "    def after_backward(self, batch):\n        self.classifier.weight.grad.div_(0)\n",
        "gradients before",
        "not finite",
    ),
    "left_on_the_cpu": (
        "    def loss(self, batch):\n        late = torch.zeros(37)[batch.index].sum()\n"
        + CROSS_ENTROPY
        + "        return {'ce': ce + late}, logits\n",
        "pretended GPU",
        "on the device of the batch",
    ),
    "reads_a_value": (
        "    def loss(self, batch):\n" + CROSS_ENTROPY + "        return {'ce': ce * 1.0 if ce > 0 else ce}, logits\n",
        "pretended GPU",
        "a step waits for the GPU",
    ),
    "keeps_a_copy_in_main_memory": (
        "    def loss(self, batch):\n"
        + CROSS_ENTROPY
        + "        self.last = logits.detach().cpu()\n        return {'ce': ce}, logits\n",
        "pretended GPU",
        "a step waits for the GPU: (16, 8) torch.float32 to main memory (",
    ),
    "probabilities": (
        "    def logits(self, x):\n        return super().logits(x).softmax(1)\n",
        "logits for 8",
        "logits are probabilities, of which each row sums to 1; the engine takes the softmax",
    ),
    "left_in_evaluation": (
        "    def loss(self, batch):\n        self.eval()\n        return super().loss(batch)\n",
        "leaves the batch",
        "loss leaves the network in evaluation mode; after self.eval() call self.train()",
    ),
    "counted_twice": (
        "    def loss(self, batch):\n"
        + CROSS_ENTROPY
        + "        size = logits.square().mean()\n        return {'ce': ce, 'size': size, 'total': ce + size}, logits\n",
        "reaches the backbone",
        "loss 'total' is the sum of the others; the engine adds them up, so leave it out",
    ),
    "lost_settings": (
        "    def __init__(self, parameters=None):\n        super().__init__()\n",
        "order of an epoch",
        "its __init__ does not keep the settings, so that --set would change nothing",
    ),
    "own_init": (
        "    def __init__(self, classes, alpha):\n        super().__init__()\n",
        "parameters",
        "__init__ is called with the Parameters alone (missing a required argument: 'alpha'); leave it out and use build",
    ),
    "one_hot_of_eight": (
        "    def loss(self, batch):\n        logits = self.logits(batch.images)\n"
        "        hot = F.one_hot(batch.labels, 8)\n"
        "        return {'ce': -(hot * logits.log_softmax(1)).sum(1).mean()}, logits\n",
        "loss for 7",
        "RuntimeError: The size of tensor a (8) must match the size of tensor b (7)",
    ),
    "own_accuracy": (
        "    def after_epoch(self, epoch):\n        return {'test_accuracy': torch.tensor(0.99)}\n",
        "a whole epoch",
        "after_epoch returns 'test_accuracy', a name of the engine's; choose another",
    ),
    "own_memorised": (
        "    def after_epoch(self, epoch):\n        return {'memorised': torch.tensor(0.0)}\n",
        "a whole epoch",
        "after_epoch returns 'memorised', a name of the engine's; choose another",
    ),
    "nothing_returned": (
        "    def after_epoch(self, epoch):\n        pass\n",
        "a whole epoch",
        "after_epoch returns NoneType; return a dictionary of numbers by name, {} for none",
    ),
    "curve_of_many": (
        "    def after_epoch(self, epoch):\n        return {'kept': [1, 2]}\n",
        "a whole epoch",
        "after_epoch: 'kept' is [1, 2], expected a number",
    ),
    "global_state": (
        "    def loss(self, batch):\n        Broken.seen = getattr(Broken, 'seen', 0) + 1\n"
        + CROSS_ENTROPY
        + "        return {'ce': Broken.seen * ce}, logits\n",
        "the same seed",
        "keep nothing in globals",
    ),
    "seeded_build": (
        "    def build(self, backbone, classes):\n        torch.manual_seed(0)\n        super().build(backbone, classes)\n",
        "random numbers",
        "torch's global generator is seeded, so that runs of all seeds draw the same; leave that out",
    ),
    "seeded_step": (
        "    def loss(self, batch):\n        torch.manual_seed(0)\n        return super().loss(batch)\n",
        "random numbers",
        "torch's global generator is seeded",
    ),
    "seeded_numpy": (
        "    def build(self, backbone, classes):\n        np.random.seed(0)\n        super().build(backbone, classes)\n",
        "random numbers",
        "numpy's global generator is used",
    ),
    "no_logits": (
        "    logits = Method.logits\n    def loss(self, batch):\n"
        + CROSS_ENTROPY.replace("self.logits(", "self.classifier(self.backbone(").replace("images)", "images))")
        + "        return {'ce': ce}, logits\n",
        "logits for 8",
        "Broken has no logits; write it",
    ),
    "short_order": (
        "    def order(self, epoch, generator):\n        return torch.arange(10)\n",
        "order of an epoch",
        "one epoch",
    ),
}


def checked(path: Path, where: str = "") -> list[check.Finding]:
    """The findings on a file, or those of the checks with `where` in their names."""
    (cls,) = check.find_contracts(check.load_module(path))
    return list(check.run_checks(cls, name_part=where))


@pytest.mark.slow
@pytest.mark.parametrize("path", METHODS, ids=lambda p: p.stem)
def test_every_shipped_method_keeps_its_contract(path: Path) -> None:
    found = checked(path)
    assert len(found) == 23 and [str(f) for f in found if f.status == "wrong"] == []


@pytest.mark.parametrize("path", NOISES, ids=lambda p: p.stem)
def test_every_shipped_noise_keeps_its_contract(path: Path) -> None:
    found = checked(path)
    assert len(found) == 9 and all(f.status == "ok" for f in found), [str(f) for f in found]


@pytest.mark.parametrize("name", ["ferplus", "rafdb", "affectnet"])
def test_every_shipped_data_set_keeps_its_contract(name: str) -> None:
    data = ROOT.parent / "shared" / "data" / f"{name}-mini"
    found = list(check.run_checks(plugins.find_data_sets()[name], data if data.exists() else None))
    assert [str(f) for f in found if f.status == "wrong"] == []
    assert sum(f.status == "ok" for f in found) == (7 if data.exists() else 3)


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ("title", "no title; give the name that stands in tables"),
        ("channels", "channels must be 1 (grey) or 3 (RGB)"),
        ("size", "no size; give the side at which images are stored"),
    ],
)
def test_a_data_set_that_does_not_say_what_it_is_is_told_so(attribute: str, words: str) -> None:
    few = type("Few", (DataSet,), {"name": "few", "title": "Few", "channels": 1, "size": 48})
    assert [found.status for found in check.run_checks(few, name_part="name, title")] == ["ok"]
    lacking = type("Few", (DataSet,), {"name": "few", "title": "Few", "channels": 1, "size": 48, attribute: None})
    (found,) = check.run_checks(lacking, name_part="name, title")
    assert found.status == "wrong" and found.text == words


@pytest.mark.slow
def test_the_embedded_faces_keep_their_contract() -> None:
    class Few(Faces):
        name = "few"

        @dataclasses.dataclass(frozen=True)
        class Options(Faces.Options):
            train: int = 100
            test: int = 100

    assert [f.status for f in check.run_checks(Few)] == ["ok"] * 7


# Would train to the end, to wrong numbers.
SILENT = (
    "loss_times_nothing",
    "forgetful_late",
    "silent_survey",
    "bf16_head",
    "no_version",
    "unknown_needs",
    "probabilities",
    "left_in_evaluation",
    "counted_twice",
    "lost_settings",
    "own_accuracy",
    "own_memorised",
    "seeded_build",
)


@pytest.mark.parametrize(
    "mistake",
    [
        pytest.param(mistake, marks=[] if mistake in SILENT else pytest.mark.slow)
        for mistake in BROKEN
        if BROKEN[mistake][1] != "pretended GPU"
    ],
)
def test_a_broken_method_is_told_what_is_wrong(mistake: str, tmp_path: Path) -> None:
    body, where, words = BROKEN[mistake]
    path = tmp_path / f"{mistake}.py"
    path.write_text(HEAD + body)
    wrong = [f for f in checked(path, where) if f.status == "wrong"]
    assert any(words in f.text for f in wrong), [str(f) for f in wrong]
    assert all("\n" not in str(f) for f in wrong)


@pytest.mark.parametrize("mistake", ["left_on_the_cpu", "reads_a_value", "keeps_a_copy_in_main_memory"])
def test_what_only_a_gpu_would_show_is_said_without_one(mistake: str, tmp_path: Path) -> None:
    body, where, words = BROKEN[mistake]
    path = tmp_path / f"{mistake}.py"
    path.write_text(HEAD + body)
    (found,) = checked(path, where)
    assert found.status == "wrong" and words in found.text and f"{mistake}.py:" in found.text


def test_dropout_of_torch_is_noted_not_refused(tmp_path: Path) -> None:
    path = tmp_path / "dropped.py"
    path.write_text(
        HEAD + "    def logits(self, x):\n        return F.dropout(super().logits(x), 0.1, self.training)\n"
    )
    assert all(f.status == "ok" for f in checked(path, "the same"))
    (found,) = checked(path, "random numbers")
    assert found.status == "note" and "seeds it every epoch" in found.text


def test_a_parameter_that_changes_nothing_is_named_and_one_that_acts_late_is_not(tmp_path: Path) -> None:
    path = tmp_path / "idle.py"
    path.write_text(
        HEAD
        + "    @dataclasses.dataclass(frozen=True)\n    class Parameters:\n"
        + "        forgotten: bool = False\n        weight: float = 0.5\n        first: int = 4\n        word: str = 'a'\n"
        + "    def loss(self, batch):\n"
        + CROSS_ENTROPY
        + "        return {'ce': ce * (self.settings.weight if batch.epoch > self.settings.first else 1)}, logits\n"
    )
    (found,) = checked(path, "another value")
    assert found.status == "note" and found.text.startswith("another value of forgotten changes no bit in 6 epochs")
    assert "--sweep" in found.text and "\n" not in found.text


OWN_NOISE = """
import os
import warnings
import numpy as np
import torch
from noise.base import Noise
{at_import}

class Changing(Noise):
    name, rated = "changing", False

    def labels(self, data, rate, seed):
        {in_labels}
        return data.labels.copy()
"""


@pytest.mark.parametrize(
    ("at_import", "in_labels", "line"),
    [
        ("torch.set_num_threads(8)", "", "wrong  imported: changes torch's number of threads for all"),
        pytest.param(
            "torch.set_default_dtype(torch.float64)",
            "",
            "wrong  imported: changes torch's default dtype for all",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "torch.manual_seed(1)",
            "",
            "wrong  imported: changes the seed or state of a global generator",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "np.random.seed(1)",
            "",
            "wrong  imported: changes the seed or state of a global generator",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "os.environ['CUDA_VISIBLE_DEVICES'] = '7'",
            "",
            "wrong  imported: changes the environment variable CUDA_VI",
            marks=pytest.mark.slow,
        ),
        ("warnings.filterwarnings('ignore')", "", "note   imported: changes the filters of warnings; if"),
        pytest.param(
            "os.environ['MINE'] = '7'",
            "",
            "note   imported: changes the environment variable MINE; if",
            marks=pytest.mark.slow,
        ),
        ("", "torch.set_num_threads(8)", "wrong  labels for 8 classes: changes torch's number of threads for all"),
        pytest.param(
            "",
            "np.seterr(all='ignore')",
            "wrong  labels for 8 classes: changes numpy's handling of errors for all",
            marks=pytest.mark.slow,
        ),
        ("", "", ""),
    ],
)
def test_a_file_that_changes_what_others_run_in_is_told_so(
    at_import: str, in_labels: str, line: str, tmp_path: Path
) -> None:
    path = tmp_path / "changing.py"
    path.write_text(OWN_NOISE.format(at_import=at_import, in_labels=in_labels))
    command = [sys.executable, "-m", "benchmark", "check", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    changing_lines = [printed for printed in done.stdout.splitlines() if " changes " in printed]
    assert [line in printed for printed in changing_lines] == ([True] if line else []), done.stdout
    assert done.returncode == line.startswith("wrong")


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("return data.labels.astype(np.int32)", "labels for 8"),
        ("return data.labels + 1", "labels for 8"),
        ("data.labels[:] = 0; return data.labels", "stay as they are"),
        ("np.random.rand(); return data.labels", "random numbers"),
        ("return data.labels.copy()", "realised rate"),
        ("return np.random.default_rng().permutation(data.labels)", "the same seed"),
    ],
)
def test_a_broken_noise_is_told_what_is_wrong(body: str, where: str, tmp_path: Path) -> None:
    path = tmp_path / "shuffled.py"
    path.write_text(
        "import numpy as np\nfrom noise.base import Noise\n\n\nclass Shuffled(Noise):\n    name = 'shuffled'\n\n"
        f"    def labels(self, data, rate, seed):\n        {body}\n"
    )
    assert any(where in f.name for f in checked(path, where) if f.status == "wrong")


def test_a_noise_that_does_not_refuse_missing_votes_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "voted.py"
    path.write_text(
        "from noise.base import Noise\n\n\nclass Voted(Noise):\n    name, rated, needs = 'voted', False, ('votes',)\n\n"
        "    def labels(self, data, rate, seed):\n        return data.votes.argmax(1)\n"
    )
    (found,) = [f for f in checked(path) if f.status == "wrong"]
    assert found.name == "data without what it needs is refused"
    assert found.text.startswith(
        "data without votes is refused by AttributeError; if data.votes is None, raise NoiseError"
    )
    refusal = "        if data.votes is None:\n            raise NoiseError(f'no votes for {len(data.classes)}')\n"
    text = path.read_text().replace("import Noise\n", "import Noise, NoiseError\n")
    path = tmp_path / "refusing.py"
    path.write_text(text.replace("        return data.votes", f"{refusal}        return data.votes"))
    assert [f.name for f in checked(path) if f.status == "wrong"] == []


def test_a_file_without_a_contract_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "nothing.py").write_text("x = 1\n")
    (tmp_path / "nameless.py").write_text("from methods.base import Method\n\n\nclass Mine(Method):\n    pass\n")
    (tmp_path / "syntax.py").write_text("def\n")
    syntax_error = r"SyntaxError: invalid syntax \(syntax\.py, line 1\)$"
    for name, words in (("nothing", "no class derived"), ("nameless", "Mine has no `name`"), ("syntax", syntax_error)):
        with pytest.raises(Usage, match=words):
            check.find_contracts(check.load_module(tmp_path / f"{name}.py"))


def test_the_command_says_it_by_exit_status(tmp_path: Path) -> None:
    def status(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "benchmark", "check", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)

    kept = status("noise/symmetric.py")
    assert kept.returncode == 0 and "the contract is kept" in kept.stdout
    (tmp_path / "broken_one.py").write_text(HEAD + BROKEN["infinite"][0])
    broken = status(str(tmp_path / "broken_one.py"))
    assert broken.returncode == 1 and "wrong" in broken.stdout and "Traceback" not in broken.stderr
    assert "wrong  random numbers: as in 'loss is finite and reaches the backbone'" in broken.stdout
    missing = status(str(tmp_path / "absent.py"))
    assert missing.returncode == 2 and "expected a Python file" in missing.stderr


def test_help_does_not_wait_for_torch() -> None:
    code = "import sys, benchmark.commands.check; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60).returncode == 0
