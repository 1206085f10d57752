"""The residual networks that every method puts its heads on, under torchvision's key names.

He et al., CVPR 2016. Written out because importing torchvision costs more than a short run, because the VGGFace2 layout
differs from torchvision's, and because the demo needs a smaller network. Checkpoints of torchvision's networks fit.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def projection(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    """The shortcut of a block that changes its input's shape; None where the identity fits."""
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.downsample = projection(inputs, width, stride)

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
        first, second = (stride, 1) if self.stride_on_first else (1, stride)
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, first, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, second, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class VGGFace2Bottleneck(Bottleneck):
    """The bottleneck of the VGGFace2 networks: the stride sits on the first 1x1 convolution."""

    stride_on_first = True


class Backbone(nn.Module):
    """A residual network without its classifier.

    block, depths: the kind and number of blocks of layer1..4. base: width of the stem and of layer1's blocks; multiples
    of 16 only, since oneDNN writes out of bounds on narrower strided 1x1 convolutions. channels: of the images.
    stem_kernel: 7 (torchvision) or 3. pool: 'padded' (torchvision: 3x3, stride 2, padding 1), 'ceil' (VGGFace2: no
    padding, the last window may hang over the edge) or None.
    widths, strides: channels and stride of the maps of layer1..4; `width` is the last width. map_side: side of layer4's
    map at the training size, set by the engine before `Method.build`. precision: of the convolutions under `autocast`.
    """

    precision: torch.dtype | None = None
    map_side: int = 7

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        channels: int = 3,
        base: int = 64,
        stem_kernel: int = 7,
        pool: str | None = "padded",
    ) -> None:
        super().__init__()
        if base % 16:
            raise ValueError(f"a backbone of base width {base} may crash in oneDNN; choose a multiple of 16")
        self.channels = channels
        self.widths = tuple(base * 2**stage * block.expansion for stage in range(4))
        self.width = self.widths[3]
        self.strides = tuple((2 if pool is None else 4) * 2**stage for stage in range(4))

        self.conv1 = nn.Conv2d(channels, base, stem_kernel, 2, stem_kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        ceil = pool == "ceil"
        self.maxpool = nn.Identity() if pool is None else nn.MaxPool2d(3, 2, 0 if ceil else 1, ceil_mode=ceil)
        inputs = (base, *self.widths)
        for stage, depth in enumerate(depths):
            width, stride = base * 2**stage, 1 if stage == 0 else 2
            first = block(inputs[stage], width, stride)
            rest = [block(self.widths[stage], width, 1) for _ in range(depth - 1)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(first, *rest))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def autocast(self) -> AbstractContextManager:
        """The context of the convolutions: automatic casting to `precision`, or nothing."""
        if self.precision is None:
            return nullcontext()
        return torch.autocast(self.conv1.weight.device.type, self.precision)

    def stem(self, images: Tensor) -> Tensor:
        """[B, channels, S, S] -> [B, base, s, s]."""
        return self.maxpool(F.relu(self.bn1(self.conv1(images)), inplace=True))

    def maps(self, images: Tensor) -> Tensor:
        """[B, channels, S, S] -> layer4's maps [B, width, h, w], in the precision of the parameters."""
        with self.autocast():
            top = self.layer4(self.layer3(self.layer2(self.layer1(self.stem(images)))))
        return top.to(self.conv1.weight.dtype)

    def forward(self, images: Tensor) -> Tensor:
        """[B, channels, S, S] -> layer4's spatial means [B, width]."""
        return spatial_mean(self.maps(images))


def spatial_mean(maps: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """[B, C, h, w] -> [B, C]; the gradient lies in memory as channels-last maps do.

    That of `mean((2, 3))` does not, and everything that it is added to on its way back becomes slow.
    """
    return maps.permute(0, 2, 3, 1).flatten(1, 2).mean(1, dtype=dtype)


def resnet18(channels: int = 3) -> Backbone:
    """ResNet-18, torchvision's layout."""
    return Backbone(BasicBlock, (2, 2, 2, 2), channels)


def resnet50(channels: int = 3) -> Backbone:
    """ResNet-50, torchvision's layout."""
    return Backbone(Bottleneck, (3, 4, 6, 3), channels)


def resnet50_vggface2(channels: int = 3) -> Backbone:
    """ResNet-50 as VGGFace2's networks lay it out; same keys as torchvision's, so a wrong choice loads silently."""
    return Backbone(VGGFace2Bottleneck, (3, 4, 6, 3), channels, pool="ceil")


def resnet10_w16(channels: int = 3) -> Backbone:
    """One block a stage, widths 16 to 128, a 3x3 stem without pooling: the demo's network for small images."""
    return Backbone(BasicBlock, (1, 1, 1, 1), channels, base=16, stem_kernel=3, pool=None)


BACKBONES: dict[str, Callable[[int], Backbone]] = {
    "resnet10_w16": resnet10_w16,
    "resnet18": resnet18,
    "resnet50": resnet50,
    "resnet50_vggface2": resnet50_vggface2,
}
