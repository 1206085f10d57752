"""Networks of torchvision and timm by name: what they give, what is refused, and their published weights from a local address."""

import functools
import hashlib
import http.server
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmark import plugins
from benchmark.commands.run_all import main
from methods.support import libraries
from methods.support.backbones import Backbone
from methods.support.weights import load_backbone

models = pytest.importorskip("torchvision.models")
timm = pytest.importorskip("timm")
from safetensors.torch import save_file  # noqa: E402

GIVEN = {
    "torchvision/resnet34": "pyramid",
    "torchvision/efficientnet_b0": "maps",
    "torchvision/mobilenet_v3_small": "features",
    "torchvision/vit_b_16": "features",
    "timm/resnet18": "pyramid",
    "timm/convnext_atto": "pyramid",
    "timm/vit_tiny_patch16_224": "maps",
    "timm/swin_tiny_patch4_window7_224": "maps",
    "timm/mobilenetv3_small_100": "features",
}


def network(name: str, channels: int = 1, side: int = 48, seed: int = 0) -> Backbone:
    torch.manual_seed(seed)
    return plugins.make_backbone(name, channels, side)


def pictures(channels: int = 1, side: int = 48, many: int = 2) -> torch.Tensor:
    return torch.randn(many, channels, side, side, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", GIVEN)
def test_a_network_takes_small_grey_images_and_says_what_it_gives(name: str) -> None:
    made = network(name).eval()
    assert made.gives == GIVEN[name] and made.name == name and made.training is False
    features = made(pictures())
    assert features.shape == (2, made.width)
    if made.gives != "features":
        assert made.maps(pictures()).shape == (2, made.width, made.map_side, made.map_side)
    if made.gives == "pyramid":
        maps = [made.stem(pictures(side=64))]
        for stage in (made.layer1, made.layer2, made.layer3, made.layer4):
            maps.append(stage(maps[-1]))
        assert tuple(found.shape[1] for found in maps[1:]) == made.widths
        assert tuple(64 // found.shape[3] for found in maps[1:]) == made.strides == (4, 8, 16, 32)
        assert torch.equal(made.pooled(maps[-1]), made(pictures(side=64)))


def test_features_are_those_that_the_library_classifies_by() -> None:
    made, theirs = network("timm/convnext_atto", 3, 64).eval(), timm.create_model("convnext_atto").eval()
    theirs.load_state_dict(made.network.state_dict(), strict=False)
    images = pictures(3, 64)
    expected = theirs.forward_head(theirs.forward_features(images), pre_logits=True)
    torch.testing.assert_close(made(images), expected)
    made, theirs = network("torchvision/mobilenet_v2", 3, 64).eval(), models.mobilenet_v2().eval()
    theirs.load_state_dict(made.network.state_dict(), strict=False)
    theirs.classifier[1] = nn.Identity()
    torch.testing.assert_close(made(images), theirs(images))


def test_a_transformer_is_made_for_the_side_and_its_maps_are_its_tokens() -> None:
    made = network("timm/vit_tiny_patch16_224", side=64).eval()
    tokens = made.network.forward_features(pictures(side=64))[:, 1:]
    torch.testing.assert_close(made.maps(pictures(side=64)), tokens.transpose(1, 2).reshape(2, 192, 4, 4))
    with pytest.raises(ValueError, match="timm/vit_tiny_patch16_224 cannot be built for 8 px and 1"):
        network("timm/vit_tiny_patch16_224", side=8)


def test_bf16_holds_inside_and_float32_leaves() -> None:
    for name in ("timm/vit_tiny_patch16_224", "timm/convnext_atto", "torchvision/efficientnet_b0"):
        made = network(name)
        made.precision = torch.bfloat16
        seen: list[torch.dtype] = []
        first = next(module for module in made.modules() if isinstance(module, nn.Conv2d))
        first.register_forward_hook(lambda module, given, out, seen=seen: seen.append(out.dtype))
        assert made(pictures()).dtype == made.maps(pictures()).dtype == torch.float32
        assert seen == [torch.bfloat16] * 2, name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torchvision/resnet19", r"^torchvision has no network 'resnet19' \(did you mean 'torchvision/resnet18'\?\)$"),
        ("timm/convnext_ato", r"^timm has no network 'convnext_ato' \(did you mean 'timm/convnext_atto'\?\)$"),
        ("keras/vgg", "^there is no library 'keras'; write torchvision/NAME or timm/NAME$"),
        ("timm/resnet18.nowhere", "cannot be built for 48 px.*Invalid pretrained tag"),
        ("torchvision/squeezenet1_0", "its classifier is no linear layer"),
        ("torchvision/alexnet", "^torchvision/alexnet cannot take images of 48 px: RuntimeError"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as refused:
        network(name)
    assert "\n" not in str(refused.value)


def test_where_timm_is_not_installed_the_line_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ValueError, match=r"install it: pip install 'fer-noise-benchmark\[timm\]'$"):
        network("timm/resnet18")
    assert network("torchvision/resnet18").width == 512


def test_a_file_of_weights_fills_a_library_s_network_with_and_without_a_prefix(tmp_path: Path) -> None:
    trained = timm.create_model("convnext_atto", in_chans=1)
    path = tmp_path / "convnext.pth"
    for prefix in ("", "module.", "model.net."):
        torch.save({"state_dict": {prefix + key: value for key, value in trained.state_dict().items()}}, path)
        made = network("timm/convnext_atto")
        loaded = load_backbone(made, path)
        assert torch.equal(made.network.stem[0].weight, trained.stem[0].weight) and loaded.left_random == []
        assert [key.removeprefix(prefix) for key in loaded.ignored] == ["head.fc.weight", "head.fc.bias"]
    with pytest.raises(ValueError, match="does not fill the backbone"):
        load_backbone(network("timm/vit_tiny_patch16_224"), path)


class Files(http.server.SimpleHTTPRequestHandler):
    """A folder as the Hugging Face hub answers, with a commit and a hash for each file."""

    def end_headers(self) -> None:
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", '"abc"')
        super().end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A local address and the folder behind it."""
    folder = tmp_path / "served"
    folder.mkdir()
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Files, directory=str(folder)))
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}", folder
    served.shutdown()
    served.server_close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Empty caches of both libraries."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hf"))
    return tmp_path


def publish(
    monkeypatch: pytest.MonkeyPatch, folder: Path, address: str, content: dict, false_hash: bool = False
) -> Path:
    """Let torchvision's ResNet-18 weights be a file of that folder."""
    torch.save(content, folder / "made.pth")
    digest = "0" * 8 if false_hash else hashlib.sha256((folder / "made.pth").read_bytes()).hexdigest()[:8]
    path = (folder / "made.pth").rename(folder / f"resnet18-{digest}.pth")
    monkeypatch.setattr(models.ResNet18_Weights.IMAGENET1K_V1.value, "url", f"{address}/{path.name}")
    return path


def serve_hub(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Let the Hugging Face hub be at that address."""
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
    monkeypatch.setattr(
        "huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
    )


def test_torchvisions_weights_are_fetched_once_and_kept_with_their_hash(
    home: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, folder = server
    torch.manual_seed(5)
    trained = models.resnet18()
    file = publish(monkeypatch, folder, address, trained.state_dict())
    name = libraries.published_weights_name("torchvision/resnet18")
    assert name == libraries.published_weights_name("resnet18") == "torchvision/resnet18.IMAGENET1K_V1"
    path = libraries.fetch_weights(name)
    assert path == home / "hub" / "checkpoints" / file.name and path.read_bytes() == file.read_bytes()
    file.unlink()
    assert libraries.fetch_weights(name) == path  # from the cache
    for backbone in (network("resnet18", 3), network("torchvision/resnet18", 3)):
        loaded = libraries.load_published(backbone, path)
        assert torch.equal(backbone.layer3[0].conv1.weight, trained.layer3[0].conv1.weight)
        assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest() and loaded.left_random == []
    grey = network("torchvision/resnet18", 1)
    libraries.load_published(grey, path)
    torch.testing.assert_close(grey.conv1.weight, trained.conv1.weight.sum(1, keepdim=True))


def test_without_a_network_one_line_names_the_file_and_where_to_copy_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = publish(monkeypatch, home, "http://127.0.0.1:9", models.resnet18().state_dict())
    name, place = "torchvision/resnet18.IMAGENET1K_V1", home / "hub" / "checkpoints" / file.name
    with pytest.raises(ValueError, match=rf"9/{file.name} cannot be fetched .* copy that file to {place}$") as refused:
        libraries.fetch_weights(name)
    assert "\n" not in str(refused.value)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(file.read_bytes())
    assert libraries.fetch_weights(name) == place


@pytest.mark.parametrize("library", ["torchvision", "timm"])
@pytest.mark.parametrize("listens", [False, True], ids=["refuses", "is silent"])
def test_an_address_that_gives_no_answer_is_left_soon_and_quietly(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, library: str, listens: bool
) -> None:
    monkeypatch.setattr(libraries, "ANSWER_SECONDS", 0.5)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen()
        address = "http://{}:{}".format(*silent.getsockname())
        publish(monkeypatch, home, address, {})
        serve_hub(monkeypatch, address)
        started = time.monotonic()
        with pytest.raises(ValueError, match=rf"^{address}/.* cannot be fetched .*; copy that file to "):
            libraries.fetch_weights(libraries.published_weights_name(f"{library}/resnet18"))
    assert time.monotonic() - started < 10  # the hub's own tries take 23 s
    assert capfd.readouterr().err == ""


def test_a_file_that_is_not_the_published_one_is_refused(
    home: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(monkeypatch, server[1], server[0], models.resnet18().state_dict(), false_hash=True)
    with pytest.raises(ValueError, match=r"cannot be fetched .*invalid hash value"):
        libraries.fetch_weights("torchvision/resnet18.IMAGENET1K_V1")
    assert not list((home / "hub" / "checkpoints").glob("resnet18*.pth"))


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet18"])
def test_timms_weights_are_fetched_and_made_to_fit_side_and_channels(
    home: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    address, folder = server
    serve_hub(monkeypatch, address)
    card = timm.get_pretrained_cfg(name)
    published = libraries.published_weights_name(f"timm/{name}")
    assert published == f"timm/{name}.{card.tag}"
    with pytest.raises(ValueError, match=r"model.safetensors cannot be fetched .*; copy that file to .*\.safetensors$"):
        libraries.fetch_weights(published)
    torch.manual_seed(6)
    trained = timm.create_model(name)
    file = folder / card.hf_hub_id / "resolve" / "main" / "model.safetensors"
    file.parent.mkdir(parents=True)
    save_file(trained.state_dict(), file)
    path = libraries.fetch_weights(published)
    assert path.read_bytes() == file.read_bytes() and libraries.fetch_weights(published) == path
    made = network(f"timm/{name}")
    before = torch.get_rng_state()
    loaded = libraries.load_published(made, path)
    assert torch.equal(before, torch.get_rng_state())  # the heads' draws stay
    assert loaded.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    own, theirs = made.network.state_dict(), trained.state_dict()
    same = [key for key in own if own[key].shape == theirs[key].shape]
    assert len(own) - len(same) == (2 if "vit" in name else 1) and all(torch.equal(own[k], theirs[k]) for k in same)
    copied = home / "hub" / "checkpoints" / f"{published.removeprefix('timm/')}.safetensors"
    copied.parent.mkdir(parents=True, exist_ok=True)
    save_file(timm.create_model("convnext_atto").state_dict(), copied)
    assert libraries.fetch_weights(published) == copied  # what a person copies there comes first
    with pytest.raises(ValueError, match=f"does not fill timm/{name}"):
        libraries.load_published(made, copied)


@pytest.mark.parametrize("name", ["resnet10_w16", "resnet50_vggface2", "my_net"])
def test_weights_that_nobody_publishes_are_refused_with_what_can_be_had(name: str) -> None:
    with pytest.raises(ValueError, match=f"^nobody publishes weights of {name}; give its own file .*timm/NAME$"):
        libraries.published_weights_name(name)


@pytest.mark.slow
def test_a_table_starts_from_published_weights_and_its_record_holds_their_hash(
    home: Path, server: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    file = publish(monkeypatch, *reversed(server), models.resnet18().state_dict())
    words = ["--table", "1", "--methods", "baseline", "--set", "backbone.name=torchvision/resnet18", "--rates", "0.3"]
    words += ["--set", "faces.train=100", "--set", "faces.test=100", "--set", "recipe.epochs=1", "--seeds", "0"]
    words += ["--results", str(home / "runs"), "--out", str(home / "out"), "--workers", "1", "--weights", "imagenet"]
    assert main(words) == 0
    (record,) = [json.loads(path.read_text()) for path in (home / "runs").glob("??/*.json")]
    assert record["spec"]["weights"] == "imagenet:torchvision/resnet18.IMAGENET1K_V1"
    assert record["resolved"]["weights"]["loaded"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    table = (home / "out" / "table1.md").read_text()
    assert "start: torchvision's published weights resnet18.IMAGENET1K\\_V1." in table
    (home / "hub" / "checkpoints" / file.name).unlink()
    file.unlink()
    capsys.readouterr()
    assert main([*words, "--seeds", "1", "--plan"]) == 2
    (said,) = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("run_all.py: --weights imagenet: ")
    ]
    assert said.endswith(f"copy that file to {home / 'hub' / 'checkpoints' / file.name}")
