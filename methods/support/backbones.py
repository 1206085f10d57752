"""The contract between a method and the network that it puts its heads on, and the residual networks of this project.

He et al., CVPR 2016. ResNet-18 and 50 are torchvision's. The same blocks are written out for grey images, for the VGGFace2
layout, which differs from torchvision's, and for the demo's smaller network; names and bits are torchvision's.
"""

import warnings
from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def projection_shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """The shortcut of a block that changes its input's shape; None where the identity fits."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = projection_shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions and a shortcut; the stride sits on the 3x3 convolution."""

    expansion = 4
    stride_on_first = False

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * self.expansion
        first_stride, second_stride = (stride, 1) if self.stride_on_first else (1, stride)
        self.conv1 = nn.Conv2d(inputs, width, 1, first_stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, second_stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = projection_shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class VGGFace2Bottleneck(Bottleneck):
    """The bottleneck of the VGGFace2 networks: the stride sits on the first 1x1 convolution."""

    stride_on_first = True


GIVES = ("features", "maps", "pyramid")  # what a backbone can give, each with what stands before it
STAGES = ("layer1", "layer2", "layer3", "layer4")


class Backbone(nn.Module):
    """A network without its classifier. Subclass it in one file; the class is found by its `name`.

    width: numbers that describe an image; `build` or the class says it. Everything else is measured by the engine:
    gives: 'features', 'maps' or 'pyramid'. map_side: side of the maps at the training size, set before `Method.build`.
    widths, strides: channels and stride of the maps of layer1..4 in a pyramid. precision: of the layers under `autocast`.
    """

    name: str
    width: int
    gives: str = "features"
    widths: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    precision: torch.dtype | None = None
    map_side: int = 7

    def __init__(self, channels: int = 3, side: int = 224) -> None:
        super().__init__()
        self.channels = channels
        self.build(channels, side)

    def build(self, channels: int, side: int) -> None:
        """Make the layers for images [B, channels, side, side] and say `self.width`."""
        raise NotImplementedError("write build(self, channels, side)")

    def stem(self, images: Tensor) -> Tensor:
        """[B, channels, S, S] -> what `layer1` takes; of a pyramid."""
        raise NotImplementedError("write encode(self, images), or stem and layer1 to layer4")

    def encode(self, images: Tensor) -> Tensor:
        """[B, channels, S, S] -> maps [B, width, h, w], or features [B, width] where there are no maps."""
        maps = self.stem(images)
        for stage in STAGES:
            maps = getattr(self, stage)(maps)
        return maps

    def pooled(self, maps: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        """Maps [B, width, h, w] -> features [B, width]."""
        return spatial_mean(maps, dtype)

    def maps(self, images: Tensor) -> Tensor:
        """What `encode` gives, in the precision of the parameters."""
        with self.autocast():
            top_maps = self.encode(images)
        return top_maps.to(next(self.parameters()).dtype)

    def forward(self, images: Tensor) -> Tensor:
        """[B, channels, S, S] -> features [B, width]."""
        top_maps = self.maps(images)
        return self.pooled(top_maps) if top_maps.ndim == 4 else top_maps

    def autocast(self) -> AbstractContextManager:
        """The context of the layers: automatic casting to `precision`, or nothing."""
        if self.precision is None:
            return nullcontext()
        return torch.autocast(next(self.parameters()).device.type, self.precision)

    def published(self) -> nn.Module:
        """The module whose names published files of this network have."""
        return self


def measure_backbone(backbone: Backbone, side: int) -> None:
    """Note what a backbone gives at the training size, by one blank image; raises ValueError of one line."""
    if backbone.strides:
        backbone.map_side = -(-side // backbone.strides[-1])
        return
    mode = backbone.training
    try:
        with torch.no_grad():
            image = torch.zeros(1, backbone.channels, side, side)
            maps = backbone.eval().maps(image)
            features = backbone(image)
            sides = measure_stages(backbone, image)
    except Exception as error:  # whatever an author's code raises
        raise ValueError(f"cannot take images of {side} px: {type(error).__name__}: {first_line(error)}") from error
    backbone.train(mode)
    if not isinstance(getattr(backbone, "width", None), int):
        raise ValueError("says no width; set self.width, the number of its features, in build")
    if features.shape != (1, backbone.width):
        raise ValueError(f"gives {list(features.shape)} for one image, expected [1, {backbone.width}] (its width)")
    if maps.ndim == 4 and maps.shape[1] == backbone.width and maps.shape[2] == maps.shape[3]:
        backbone.gives = "maps"
        backbone.map_side = maps.shape[3]
        each_half = len(sides) == 4 and all(abs(larger - 2 * smaller) <= 1 for larger, smaller in pairwise(sides))
        if each_half and side % sides[0] == 0:
            backbone.gives = "pyramid"
            backbone.strides = tuple(side // sides[0] * 2**n for n in range(4))


def measure_stages(backbone: Backbone, image: Tensor) -> list[int]:
    """The sides of the maps of layer1..4, whose widths are noted; empty where there are no such stages."""
    if not all(hasattr(backbone, stage) for stage in STAGES):
        return []
    maps = [backbone.stem(image)]
    for stage in STAGES:
        maps.append(getattr(backbone, stage)(maps[-1]))
    if any(stage_maps.ndim != 4 for stage_maps in maps):
        return []
    backbone.widths = tuple(stage_maps.shape[1] for stage_maps in maps[1:])
    return [stage_maps.shape[3] for stage_maps in maps[1:]]


def first_line(error: BaseException) -> str:
    return (str(error).strip() or "no reason given").splitlines()[0]


class ResidualNetwork(Backbone):
    """A residual network.

    block, depths: the kind and number of blocks of layer1..4. base: width of the stem and of layer1's blocks; multiples
    of 16 only, since oneDNN writes out of bounds on narrower strided 1x1 convolutions. stem_kernel: 7 (torchvision) or 3.
    pool: 'padded' (torchvision: 3x3, stride 2, padding 1), 'ceil' (VGGFace2: no padding, the last window may hang over the
    edge) or None.
    """

    gives = "pyramid"
    block: ClassVar[type[BasicBlock] | type[Bottleneck]]
    depths: ClassVar[tuple[int, int, int, int]]
    base: ClassVar[int] = 64
    stem_kernel: ClassVar[int] = 7
    pool: ClassVar[str | None] = "padded"

    def build(self, channels: int, side: int) -> None:
        base = self.base
        block = self.block
        pool = self.pool
        if base % 16:
            raise ValueError(f"a backbone of base width {base} may crash in oneDNN; choose a multiple of 16")
        self.widths = tuple(base * 2**stage * block.expansion for stage in range(4))
        self.width = self.widths[3]
        self.strides = tuple((2 if pool is None else 4) * 2**stage for stage in range(4))
        self.make_layers(channels)

    def make_layers(self, channels: int) -> None:
        base = self.base
        block = self.block
        ceil = self.pool == "ceil"
        self.conv1 = nn.Conv2d(channels, base, self.stem_kernel, 2, self.stem_kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        self.maxpool = nn.Identity() if self.pool is None else nn.MaxPool2d(3, 2, 0 if ceil else 1, ceil_mode=ceil)
        inputs = (base, *self.widths)
        for stage, depth in enumerate(self.depths):
            width = base * 2**stage
            stride = 1 if stage == 0 else 2
            first_block = block(inputs[stage], width, stride)
            further_blocks = [block(self.widths[stage], width, 1) for _ in range(depth - 1)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(first_block, *further_blocks))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def adopt(self, network: nn.Module) -> None:
        """Take over the layers of one of torchvision's residual networks, under their names."""
        for name in ("conv1", "bn1", "maxpool", *STAGES):
            self.add_module(name, getattr(network, name))

    def stem(self, images: Tensor) -> Tensor:
        """[B, channels, S, S] -> [B, base, s, s]."""
        return self.maxpool(F.relu(self.bn1(self.conv1(images)), inplace=True))


class TorchvisionLayers(ResidualNetwork):
    """One of torchvision's networks; for grey images, which those do not take, the same from the blocks above."""

    def make_layers(self, channels: int) -> None:
        if channels != 3:
            super().make_layers(channels)
            return
        from torchvision import models

        with warnings.catch_warnings():  # of its empty classifier, which draws no random number
            warnings.simplefilter("ignore")
            self.adopt(getattr(models, self.name)(num_classes=0))


def spatial_mean(maps: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """[B, C, h, w] -> [B, C]; the gradient lies in memory as channels-last maps do.

    That of `mean((2, 3))` does not, and everything that it is added to on its way back becomes slow.
    """
    return maps.permute(0, 2, 3, 1).flatten(1, 2).mean(1, dtype=dtype)


class ResNet18(TorchvisionLayers):
    """ResNet-18, torchvision's."""

    name = "resnet18"
    block = BasicBlock
    depths = (2, 2, 2, 2)


class ResNet50(TorchvisionLayers):
    """ResNet-50, torchvision's."""

    name = "resnet50"
    block = Bottleneck
    depths = (3, 4, 6, 3)


class ResNet50VGGFace2(ResidualNetwork):
    """ResNet-50 as VGGFace2's networks lay it out; same keys as torchvision's, so a wrong choice loads silently."""

    name = "resnet50_vggface2"
    block = VGGFace2Bottleneck
    depths = (3, 4, 6, 3)
    pool = "ceil"


class ResNet10(ResidualNetwork):
    """One block a stage, widths 16 to 128, a 3x3 stem without pooling: the demo's network for small images."""

    name = "resnet10_w16"
    block = BasicBlock
    depths = (1, 1, 1, 1)
    base = 16
    stem_kernel = 3
    pool = None


BACKBONES: dict[str, type[Backbone]] = {cls.name: cls for cls in (ResNet10, ResNet18, ResNet50, ResNet50VGGFace2)}
