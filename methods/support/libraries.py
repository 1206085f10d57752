"""Networks of torchvision and timm by name ('torchvision/resnet18', 'timm/convnext_atto'), and the weights that they publish.

A library is imported where a name asks for it, and only there.
"""

from dataclasses import replace
from difflib import get_close_matches
from importlib import import_module, metadata
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.support.backbones import STAGES, Backbone, ResidualNetwork, first_line
from methods.support.weight_files import read_checkpoint
from methods.support.weights import Loaded, file_hash, load_backbone, unwrap_checkpoint

LIBRARIES = ("torchvision", "timm")
TORCHVISIONS = {"resnet18": "torchvision/resnet18", "resnet50": "torchvision/resnet50"}  # the project's of that layout
ANSWER_SECONDS = 5  # for a server to answer before something is fetched from it
HUB_FILE = "model.safetensors"  # what timm calls its files on the Hugging Face hub


def make_network(name: str, channels: int, side: int) -> Backbone:
    """The network 'LIBRARY/NAME' at random weights, without its classifier; raises ValueError of one line."""
    library, _, network = name.partition("/")
    network_class: type[Wrapped | TorchvisionResNet] = Timm
    if library == "torchvision":
        models = library_of(name).models
        known_names = models.list_models(module=models)
        if network in known_names and models.get_model_builder(network).__annotations__["return"] is models.ResNet:
            network_class = TorchvisionResNet
        else:
            network_class = Torchvision
    else:
        known_names = library_of(name).list_models()
        network = network.partition(".")[0]  # behind the point timm names weights
    if network not in known_names:
        near_names = get_close_matches(network, known_names, 1)
        hint = f" (did you mean '{library}/{near_names[0]}'?)" if near_names else ""
        raise ValueError(f"{library} has no network '{network}'{hint}")
    try:
        return network_class(name, channels, side)
    except Exception as error:  # a size that it cannot take, in the library's own words
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise ValueError(f"{name} cannot be built for {side} px and {channels} channel(s): {reason}") from error


def library_of(name: str) -> Any:
    """The library that a name begins with; raises ValueError where it is none or is not installed."""
    library = name.partition("/")[0]
    if library not in LIBRARIES:
        raise ValueError(f"there is no library '{library}'; write torchvision/NAME or timm/NAME")
    try:
        return import_module(library)
    except ImportError as error:
        install = "pip install 'fer-noise-benchmark[timm]'" if library == "timm" else "pip install torchvision"
        raise ValueError(f"{library} cannot be imported ({first_line(error)}); install it: {install}") from None


def name_with_version(name: str) -> str:
    """'timm/convnext_atto (timm 1.0.31)'; a name without a library as it is."""
    library, slash, _ = name.partition("/")
    return f"{name} ({library} {metadata.version(library)})" if slash else name


class TorchvisionResNet(ResidualNetwork):
    """One of torchvision's residual networks of any depth and width."""

    def __init__(self, name: str, channels: int, side: int) -> None:
        self.name = name
        super().__init__(channels, side)

    def build(self, channels: int, side: int) -> None:
        network = library_of(self.name).models.get_model(self.name.partition("/")[2], weights=None)
        self.width = network.fc.in_features
        take_channels(network, channels)
        self.adopt(network)


class Wrapped(Backbone):
    """A library's network with all of its layers; its features are what its classifier would be given."""

    network: nn.Module

    def __init__(self, name: str, channels: int, side: int) -> None:
        self.name = name
        super().__init__(channels, side)

    def forward(self, images: Tensor) -> Tensor:
        with self.autocast():
            features = self.network(images)
        return features.to(next(self.parameters()).dtype)

    def published(self) -> nn.Module:
        return self.network


class Torchvision(Wrapped):
    """Another of torchvision's networks; it gives maps where its layers before the pooling are called `features`."""

    def build(self, channels: int, side: int) -> None:
        name = self.name.partition("/")[2]
        options: dict[str, Any] = {"image_size": side} if name.startswith("vit_") else {}
        if name == "maxvit_t":
            options["input_size"] = (side, side)
        if name in ("googlenet", "inception_v3"):  # in training they give the logits of two classifiers
            options |= {"aux_logits": False, "init_weights": False}
        self.network = library_of(self.name).models.get_model(name, weights=None, **options)
        linear_names = [key for key, module in self.network.named_modules() if isinstance(module, nn.Linear)]
        if not linear_names:
            raise ValueError("its classifier is no linear layer")
        self.width = self.network.get_submodule(linear_names[-1]).in_features
        self.network.set_submodule(linear_names[-1], nn.Identity())
        take_channels(self.network, channels)

    def encode(self, images: Tensor) -> Tensor:
        if not hasattr(self.network, "features"):
            return self.network(images)
        maps = self.network.features(images)
        return F.relu(maps) if self.name.startswith("torchvision/densenet") else maps


def take_channels(network: nn.Module, channels: int) -> None:
    """Let the first convolution take images of so many channels."""
    convolution_name, first_convolution = next(
        (name, module) for name, module in network.named_modules() if isinstance(module, nn.Conv2d)
    )
    if first_convolution.in_channels != channels:
        settings = {name: getattr(first_convolution, name) for name in ("kernel_size", "stride", "padding", "dilation")}
        new_convolution = nn.Conv2d(
            channels, first_convolution.out_channels, **settings, bias=first_convolution.bias is not None
        )
        nn.init.kaiming_normal_(new_convolution.weight, mode="fan_out", nonlinearity="relu")
        network.set_submodule(convolution_name, new_convolution)


def stage_property(number: int) -> Any:
    """One of layer1..4 of a network that has such stages under names of its own."""

    def get(self: "Timm") -> nn.Module:
        if not self.stage_names:
            raise AttributeError(STAGES[number])
        return self.network.get_submodule(self.stage_names[number])

    return property(get)


class Timm(Wrapped):
    """One of timm's networks, made for the side and the channels of the images where it depends on them."""

    stage_names: tuple[str, ...] = ()
    layer1, layer2, layer3, layer4 = map(stage_property, range(4))

    def build(self, channels: int, side: int) -> None:
        self.options = {"in_chans": channels} | ({"img_size": side} if self.card.fixed_input_size else {})
        self.network = library_of(self.name).create_model(self.name.partition("/")[2], num_classes=0, **self.options)
        self.width = getattr(self.network, "head_hidden_size", self.network.num_features)
        self.eval()
        with torch.no_grad():
            image = torch.zeros(1, channels, side, side)
            top_maps = self.network.forward_features(image)
            self.direct = top_maps.ndim == 4 and top_maps.shape[1] == self.width  # else tokens, or channels last
            self.stage_names = self.find_stages()
            if self.stage_names and not self.has_stages(image, top_maps):
                self.stage_names = ()
        self.train()

    @property
    def card(self) -> Any:
        """What timm notes of the network and its weights."""
        return library_of(self.name).get_pretrained_cfg(self.name.partition("/")[2])

    def find_stages(self) -> tuple[str, ...]:
        """The names of four stages that follow each other, whose parent is a child of the network."""
        infos = getattr(self.network, "feature_info", None) or []
        names = tuple(str(info["module"]) for info in infos)[-4:]
        parent = names[0].rpartition(".")[0] if len(names) == 4 else ""
        child_names = [key for key, _ in self.network.get_submodule(parent).named_children()] if len(names) == 4 else []
        last_names = [name.rpartition(".")[2] for name in names]
        are_adjacent = False
        if last_names and last_names[0] in child_names:
            start = child_names.index(last_names[0])
            are_adjacent = child_names[start : start + 4] == last_names
        are_stages = (
            are_adjacent
            and all(name.rpartition(".")[0] == parent for name in names)
            and (not parent or len(child_names) == 4)
        )
        return names if are_stages and self.direct else ()

    def has_stages(self, image: Tensor, top: Tensor) -> bool:
        """Whether stem, stages and pooling, one after the other, are the network."""
        try:
            maps = super().encode(image)
            return torch.equal(maps, top) and torch.equal(self.pooled(maps), self.network(image))
        except Exception:  # a stem that takes more than one step of its own
            return False

    def stem(self, images: Tensor) -> Tensor:
        first_stage = self.stage_names[0].partition(".")[0]
        for name, module in self.network.named_children():
            if name == first_stage:
                break
            images = module(images)
        return images

    def encode(self, images: Tensor) -> Tensor:
        if self.direct:
            return self.network.forward_features(images)
        if not hasattr(self.network, "forward_intermediates"):
            return self.network(images)
        (maps,) = self.network.forward_intermediates(
            images, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True
        )
        return maps

    def pooled(self, maps: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        return self.network.forward_head(maps if dtype is None else maps.to(dtype), pre_logits=True)

    def load(self, path: Path) -> Loaded:
        """Fill the network from timm's own file, by timm: for these channels and this side, completely or not at all."""
        overlay = {"file": str(path), "custom_load": False}
        with torch.random.fork_rng(devices=[]):
            timm_network = library_of(self.name).create_model(
                self.name.partition("/")[2], pretrained=True, pretrained_cfg_overlay=overlay, **self.options
            )
        timm_network.reset_classifier(0)
        self.network.load_state_dict(timm_network.state_dict())
        return Loaded(file_hash(path), len(timm_network.state_dict()), [], [], "timm's file")


# Weights that a library publishes


def published_weights_name(backbone: str) -> str:
    """What a library calls its weights of a network: 'torchvision/resnet18.IMAGENET1K_V1'; raises ValueError."""
    name = TORCHVISIONS.get(backbone, backbone)
    library, _, network = name.partition("/")
    if library not in LIBRARIES:
        raise ValueError(
            f"nobody publishes weights of {backbone}; give its own file (--weights PATH), --weights landmarks or random, or "
            "another network: --set backbone.name=resnet18, torchvision/NAME or timm/NAME"
        )
    try:
        if library == "torchvision":
            return f"{name}.{library_of(name).models.get_model_weights(network).DEFAULT.name}"
        weights_info = library_of(name).get_pretrained_cfg(network)
    except (ValueError, RuntimeError, KeyError) as error:
        raise ValueError(first_line(error)) from None
    if weights_info is None or not weights_info.hf_hub_id:
        raise ValueError(
            f"timm publishes no weights of {backbone}; choose another network, --weights landmarks or random"
        )
    return f"timm/{weights_info.architecture}.{weights_info.tag}"


def fetch_weights(published: str) -> Path:
    """The file of published weights, from its library's cache or from the network; raises ValueError of one line."""
    library, _, name = published.partition("/")
    if library == "torchvision":
        network, _, tag = name.partition(".")
        weights = library_of(published).models.get_model_weights(network)[tag]
        url = weights.url
        path = torch_cache_path(weights.url.rpartition("/")[2])
    else:
        weights_info = library_of(published).get_pretrained_cfg(name)
        hub = import_module("huggingface_hub")
        hub_file = {"repo_id": weights_info.hf_hub_id, "filename": weights_info.hf_hub_filename or HUB_FILE}
        url = hub.hf_hub_url(**hub_file)
        path = torch_cache_path(f"{name}.safetensors")
        cached_path = hub.try_to_load_from_cache(**hub_file)
        path = path if path.exists() or not isinstance(cached_path, str) else Path(cached_path)
    if path.exists():
        return path
    try:
        if library == "torchvision":
            urlopen(Request(url, method="HEAD"), timeout=ANSWER_SECONDS).close()
            weights.get_state_dict(progress=False, check_hash=True)
            return path
        # One request first: offline, the download itself would say five times that it tries again.
        hub.utils.get_session().head(url, timeout=ANSWER_SECONDS)
        return Path(hub.hf_hub_download(**hub_file))
    except Exception as error:  # no network, no such file, a full disk, another file than was published
        reason = f"{type(error).__name__}: {first_line(error)[:200]}"
        raise ValueError(f"{url} cannot be fetched ({reason}); copy that file to {path}") from None


def torch_cache_path(name: str) -> Path:
    """Where torch keeps files that it fetched, and where a copied file is looked for."""
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def load_published(backbone: Backbone, path: Path) -> Loaded:
    """Fill a backbone from published weights; for grey images the first convolution sums its three channels."""
    try:
        if isinstance(backbone, Timm):
            return backbone.load(path)
        entries, _ = unwrap_checkpoint(read_checkpoint(path)[0], str(path))
        convolution_name, first_convolution = next(
            (name, module) for name, module in backbone.published().named_modules() if isinstance(module, nn.Conv2d)
        )
        weight = entries.get(f"{convolution_name}.weight")
        if weight is not None and weight.shape[1:2] == (3,) and first_convolution.in_channels == 1:
            entries[f"{convolution_name}.weight"] = weight.sum(1, keepdim=True)
        if backbone.name.startswith("torchvision/vit_"):
            network: Any = backbone.published()
            resize = import_module("torchvision.models.vision_transformer").interpolate_embeddings
            entries = dict(resize(network.image_size, network.patch_size, entries))
        return replace(load_backbone(backbone, entries), sha256=file_hash(path), container="torchvision's file")
    except (RuntimeError, KeyError) as error:
        raise ValueError(f"{path}: does not fill {backbone.name}: {first_line(error)}") from None
