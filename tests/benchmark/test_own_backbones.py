"""Networks of one's own: found as methods are, part of a job's identity, refused where they lack what a method needs."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from benchmark import plugins
from benchmark.commands import check
from benchmark.commands.arguments import read_request
from benchmark.commands.options import parser
from benchmark.commands.run_all import main
from benchmark.plan.matrix import Planned, make_plan
from benchmark.train.assembly import note_network
from methods.baseline import Baseline
from methods.support.backbones import ResNet10
from reports.captions import backbone_text as caption

HEAD = "import torch\nfrom torch import nn\nfrom methods.base import Backbone\n"
MAPS = (
    HEAD
    + """
class Own(Backbone):
    name = "own"

    def build(self, channels, side):
        self.width = 32
        self.layers = nn.Sequential(nn.Conv2d(channels, 32, 3, 8, 1), nn.BatchNorm2d(32), nn.ReLU())

    def encode(self, images):
        return self.layers(images)
"""
)
FEATURES = MAPS.replace("return self.layers(images)", "return self.layers(images).mean((2, 3))")
PYRAMID = (
    HEAD
    + """
def block(inputs, outputs, stride=2):
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs), nn.ReLU())

class Own(Backbone):
    name = "own"
    width = 64

    def build(self, channels, side):
        self.first = block(channels, 16)
        self.layer1, self.layer2 = block(16, 16, 1), block(16, 32)
        self.layer3, self.layer4 = block(32, 48), block(48, 64)

    def stem(self, images):
        return self.first(images)
"""
)
FACES = ["--set", "faces.train=200", "--set", "faces.test=100"]


def folder(at: Path, text: str, name: str = "mine.py") -> Path:
    at.mkdir(exist_ok=True)
    (at / name).write_text(text)
    return at


def words(own: Path, *more: str) -> list[str]:
    asked = [
        "--table",
        "1",
        "--methods-path",
        str(own),
        "--results",
        str(own / "runs"),
        "--rates",
        "0.3",
        "--seeds",
        "0",
    ]
    return [*asked, "--weights", "random", *FACES, *(more or ("--set", "backbone.name=own"))]


def jobs(own: Path, *more: str) -> list[Planned]:
    return make_plan(read_request(parser().parse_args([*words(own, *more), "--methods", "baseline"]))).runs()


@pytest.mark.parametrize(("text", "gives"), [(FEATURES, "features"), (MAPS, "maps"), (PYRAMID, "pyramid")])
def test_what_a_network_gives_is_measured(tmp_path: Path, text: str, gives: str) -> None:
    made = plugins.make_backbone("own", 1, 48, [folder(tmp_path, text)])
    assert made.gives == gives and made.channels == 1
    assert made(torch.zeros(2, 1, 48, 48)).shape == (2, made.width)
    if gives == "maps":
        assert made.map_side == 6 and made.maps(torch.zeros(2, 1, 48, 48)).shape == (2, 32, 6, 6)
    if gives == "pyramid":
        assert (made.strides, made.widths, made.map_side) == ((2, 4, 8, 16), (16, 32, 48, 64), 3)


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        (
            FEATURES,
            "maps (rul, eac) and a pyramid of stem and layer1 to layer4 (lanet); name the other methods",
        ),
        (
            MAPS,
            "needed: a pyramid of stem and layer1 to layer4 (lanet); name the other methods with --methods, or use another",
        ),
    ],
)
def test_methods_that_need_more_are_named_before_training_and_in_a_plan(
    tmp_path: Path, capsys: pytest.CaptureFixture, text: str, needed: str
) -> None:
    own = folder(tmp_path, text)
    for more in (["--plan"], ["--workers", "1"]):
        assert main([*words(own), *more]) == 2
        (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("run_all.py:")]
        assert "--set recipe.backbone=own: this network gives" in said and needed in said
    assert not list((own / "runs").glob("??/*.json"))
    assert main([*words(folder(tmp_path / "pyramid", PYRAMID)), "--plan"]) == 0


def test_its_code_makes_another_job_and_the_jobs_of_others_keep_their_names(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "a", MAPS), folder(tmp_path / "b", MAPS.replace("3, 8, 1", "5, 8, 2"))
    worded = folder(tmp_path / "c", '"""Other words."""\n' + MAPS)
    (first,), (second,), (same,) = jobs(one), jobs(two), jobs(worded)
    assert first.job.id != second.job.id and first.job.id == same.job.id
    assert first.job.overrides["recipe.backbone"] == "own" and first.job.spec["backbone_code"].startswith("statements:")
    (others,), (plain,) = jobs(one, "--set", "recipe.epochs=2"), jobs(one, "--set", "backbone.name=resnet18")
    assert "backbone_code" not in others.job.spec and "backbone_code" not in plain.job.spec
    (library,) = jobs(one, "--set", "backbone.name=timm/resnet18")
    assert "backbone_code" not in library.job.spec and library.job.overrides == {"recipe.backbone": "timm/resnet18"}


def test_weights_from_landmarks_are_made_anew_for_another_network_of_its_name(tmp_path: Path) -> None:
    one, two = folder(tmp_path / "a", MAPS), folder(tmp_path / "b", MAPS.replace("3, 8, 1", "5, 8, 2"))
    asked = ["--set", "backbone.name=own", "--weights", "landmarks"]
    (first,), (second,) = jobs(one, *asked), jobs(two, *asked)
    assert first.job.weights != second.job.weights and first.job.weights.startswith("landmarks:")
    assert first.pretraining and first.pretraining["methods_path"] == [str(one)]
    (known,) = jobs(one, "--weights", "landmarks")
    assert known.pretraining and "methods_path" not in known.pretraining


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MAPS.replace("self.width = 32", "pass"), "own says no width; set self.width"),
        (MAPS.replace("self.width = 32", "self.width = 31"), "own gives [1, 32] for one image, expected [1, 31]"),
        (
            MAPS.replace("nn.ReLU()", "nn.ReLU(), nn.Linear(9, 9)"),
            "own cannot take images of 48 px: RuntimeError: mat1",
        ),
        (MAPS.replace("nn.BatchNorm2d(32)", "nn.Nothing"), "px and 1 channel(s): AttributeError"),
        (
            MAPS.replace("def build", "def make"),
            "NotImplementedError: write build(self, channels, side) (mine.py)",
        ),
        (
            MAPS.replace("def encode", "def forwards"),
            "own cannot take images of 48 px: NotImplementedError: write encode",
        ),
        (MAPS + "import nowhere_to_be_found\n", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
    ],
)
def test_a_mistake_in_its_file_is_one_line_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture, text: str, said: str
) -> None:
    own = folder(tmp_path, text)
    assert main([*words(own), "--methods", "baseline", "--plan"]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("run_all.py:")]
    assert line.startswith("run_all.py: --set recipe.backbone=own: ") and said in line


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ownn", "there is no backbone 'ownn' (did you mean 'own'?). Known: own, resnet10_w16, resnet18"),
        ("torchvision/resnet19", "torchvision has no network 'resnet19' (did you mean 'torchvision/resnet18'?)"),
    ],
)
def test_an_unknown_name_has_a_near_one(tmp_path: Path, capsys: pytest.CaptureFixture, name: str, said: str) -> None:
    asked = ["--set", f"backbone.name={name}", "--methods", "baseline", "--plan"]
    assert main(words(folder(tmp_path, MAPS), *asked)) == 2
    assert said in capsys.readouterr().err


def test_a_name_that_the_project_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="backbone 'resnet18' is already defined"):
        plugins.find_backbones([folder(tmp_path, MAPS.replace('"own"', '"resnet18"'))])


def test_a_file_that_is_edited_after_planning_is_not_trained(tmp_path: Path) -> None:
    from benchmark.launch.preflight import build_on_cpu

    (planned,) = jobs(folder(tmp_path, MAPS))
    build_on_cpu(planned, Baseline)
    stale = Planned(planned.job.__class__(**planned.job.spec | {"backbone_code": "statements:0"}), *_rest(planned))
    with pytest.raises(
        ValueError, match="own: its file is not the one that this job was planned with; run the command again"
    ):
        build_on_cpu(stale, Baseline)


def _rest(planned: Planned) -> tuple:
    return planned.resolved, planned.place, planned.pretraining


def findings(tmp_path: Path, text: str) -> dict[str, str]:
    path = folder(tmp_path, text) / "mine.py"
    (cls,) = check.find_contracts(check.load_module(path))
    assert check.contract_kind(cls) == "backbone"
    return {found.name: f"{found.status} {found.text}" for found in check.run_checks(cls)}


def test_the_check_keeps_quiet_on_a_sound_network_and_says_whom_it_suits(tmp_path: Path) -> None:
    found = findings(tmp_path, MAPS)
    assert [text for text in found.values() if text.startswith("wrong")] == []
    assert found["what it gives"].endswith("maps, 32 features, maps of 6 x 6 at 48 px; not for LA-Net")
    assert found["on a pretended GPU"] == found["methods that take it"] == "ok "


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        (("self.width = 32", "self.width = 30"), "grey images of 48 px", "expected [1, 30]"),
        (("nn.Conv2d(channels,", "nn.Conv2d(1,"), "colour images of 64 px", "expected input"),
        (
            ("return self.layers(images)", "y = self.layers(images)\n        return y - y.mean(0)"),
            "an image alone",
            "change by",
        ),
        (("return self", "images.mul_(2)\n        return self"), "images stay as they are", "in place"),
        (
            ("return self.layers(images)", "return self.layers(images).detach()"),
            "a gradient reaches",
            "does not require grad",
        ),
        (
            ("self.width = 32", "self.width, self.spare = 32, nn.Linear(2, 2)"),
            "a gradient reaches",
            "note none reaches spare",
        ),
        (
            ("def build(self, channels, side):", "def __init__(self, classes=7):"),
            "grey images",
            "write build(self, channels, side) in place of __init__",
        ),
        (
            ("self.width = 32", "import random; random.random(); self.width = 32"),
            "random numbers",
            "Python's or numpy's g",
        ),
        (
            ("self.width = 32", "self.width, self.gain = 32, torch.rand(())"),
            "saved and loaded",
            "buffer or a parameter",
        ),
        (("return self.layers(images)", "return self.layers(images) + torch.zeros(1)"), "on a pretended GPU", "device"),
    ],
)
def test_the_check_names_what_is_wrong(tmp_path: Path, change: tuple[str, str], name: str, said: str) -> None:
    text = MAPS.replace(*change)
    if "self.gain" in text:
        text = text.replace("return self.layers(images)", "return self.layers(images) * self.gain")
    found = {key: text for key, text in findings(tmp_path, text).items() if key.startswith(name)}
    ((_, words),) = found.items()
    assert not words.startswith("ok") and said in words


class Another(nn.Module):
    channels = 1


class Brings(Baseline):
    title = "Brings"

    def build(self, backbone: nn.Module, classes: int) -> None:
        self.backbone, self.classifier = Another(), nn.Linear(9, classes)

    def logits(self, images: Tensor) -> Tensor:
        return self.classifier(images.flatten(1)[:, :9])


def test_a_record_and_its_caption_name_the_network_that_was_trained() -> None:
    for method, name, said in (
        (Baseline(), "resnet10_w16", "resnet10_w16"),
        (Brings(), "resnet10_w16", "Another, the method's own"),
        (
            Baseline(),
            "timm/resnet18",
            f"timm/resnet18 (timm {sys.modules['timm'].__version__})" if "timm" in sys.modules else "",
        ),
    ):
        given = ResNet10(1)
        method.build(given, 8)
        notes = [
            "demo scale: at most 1,000 training and 1,000 test images (stratified, fixed), 48 px grey, ResNet-10 of width 16, x"
        ]
        resolved = {"recipe": {"backbone": name}, "weights": {"text": "from a file"}, "scale_notes": notes}
        note_network(method, given, name, resolved)
        assert not said or caption({"resolved": resolved}) == said
        own = isinstance(method, Brings)
        assert resolved["weights"]["text"] == ("the method's own" if own else "from a file")
        assert ("ResNet-10" in resolved["scale_notes"][0]) is not own


@pytest.mark.slow
def test_a_method_with_a_network_of_its_own_trains_and_the_table_says_so(tmp_path: Path) -> None:
    text = (
        "from torch import nn\nfrom methods.baseline import Baseline\n\n"
        "class Flat(nn.Sequential):\n    channels = 1\n\n"
        "class Mine(Baseline):\n    name, title = 'mine', 'Mine'\n\n"
        "    def build(self, backbone, classes):\n"
        "        self.backbone, self.classifier = Flat(nn.Flatten(), nn.Linear(48 * 48, 9)), nn.Linear(9, classes)\n"
    )
    own = folder(tmp_path, text)
    asked = words(own, "--set", "recipe.epochs=1", "--methods", "mine", "baseline", "--workers", "1")
    assert main([*asked, "--out", str(tmp_path / "out")]) == 0
    table = (tmp_path / "out" / "table1.md").read_text()
    assert (
        "Backbone resnet10\\_w16 (Baseline); Flat, the method's own (Mine); start: random weights (Baseline); the"
        in table
    )


@pytest.mark.slow
def test_a_network_of_one_s_own_starts_from_landmarks_and_its_record_says_what_it_was(tmp_path: Path) -> None:
    own = folder(tmp_path, PYRAMID)
    asked = words(
        own, "--set", "backbone.name=own", "--set", "recipe.epochs=1", "--weights", "landmarks", "--workers", "1"
    )
    assert main([*asked, "--methods", "rul", "lanet", "--out", str(tmp_path / "out")]) == 0
    records = [json.loads(path.read_text()) for path in (own / "runs").glob("??/*.json")]
    assert {record["spec"]["method"] for record in records} == {"rul", "lanet"}
    for record in records:
        assert record["spec"]["backbone_code"] == plugins.hash_backbone("own", [own])
        assert record["resolved"]["weights"]["loaded"]["left_random"] == []
    table = (tmp_path / "out" / "table1.md").read_text()
    assert "Backbone own; start: label-free pre-training" in table and not re.search("ResNet-10", table)
