"""The networks against torchvision's, and the facts that methods read from them."""

import pytest
import torch
import torchvision
from torch import nn

from methods.support.backbones import BACKBONES, BasicBlock, Bottleneck, ResidualNetwork, spatial_mean

TORCHVISION = {"resnet18": torchvision.models.resnet18, "resnet50": torchvision.models.resnet50}


def randomised(network: nn.Module) -> nn.Module:
    """Statistics and scales of every batch normalisation differ from their start values."""
    generator = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.0, generator=generator)
            module.bias.data.normal_(0, 0.1, generator=generator)
            module.running_mean.normal_(0, 0.1, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
    return network


@pytest.mark.parametrize("name", TORCHVISION)
def test_equals_torchvision_in_both_modes(name):
    theirs = randomised(TORCHVISION[name]().double())
    ours = BACKBONES[name](3).double()
    loaded = ours.load_state_dict({k: v for k, v in theirs.state_dict().items() if not k.startswith("fc.")})
    assert not loaded.missing_keys and not loaded.unexpected_keys
    theirs.fc = nn.Identity()
    images = torch.randn(2, 3, 80, 80, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for mode in (True, False):
        torch.testing.assert_close(ours.train(mode)(images), theirs.train(mode)(images), rtol=1e-10, atol=1e-10)
    for key, value in ours.state_dict().items():
        torch.testing.assert_close(value, theirs.state_dict()[key])


def test_start_weights_are_drawn_as_torchvisions():
    torch.manual_seed(3)
    ours = BACKBONES["resnet18"](3)
    for name, module in ours.named_modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 30000:
            fan_out = module.out_channels * module.kernel_size[0] ** 2
            assert float(module.weight.detach().std()) == pytest.approx((2 / fan_out) ** 0.5, rel=0.03), name
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all() and (module.bias == 0).all()
            assert module.eps == 1e-5 and module.momentum == 0.1


def test_vggface2_layout_differs_in_pool_and_stride_but_not_in_names():
    vggface2, torchvisions = BACKBONES["resnet50_vggface2"](3), BACKBONES["resnet50"](3)
    shapes = [{key: value.shape for key, value in net.state_dict().items()} for net in (vggface2, torchvisions)]
    assert shapes[0] == shapes[1]
    for layer in (vggface2.layer2, vggface2.layer3, vggface2.layer4):
        assert layer[0].conv1.stride == (2, 2) and layer[0].conv2.stride == (1, 1)
    assert torchvisions.layer2[0].conv1.stride == (1, 1) and torchvisions.layer2[0].conv2.stride == (2, 2)
    images = torch.randn(1, 3, 96, 96)
    vggface2.load_state_dict(torchvisions.state_dict())
    assert vggface2.eval().stem(images).shape == torchvisions.eval().stem(images).shape == (1, 64, 24, 24)
    shifted = nn.functional.max_pool2d(torch.relu(vggface2.bn1(vggface2.conv1(images))), 3, 2, ceil_mode=True)
    torch.testing.assert_close(vggface2.stem(images), shifted)
    assert not torch.equal(vggface2.stem(images), torchvisions.stem(images))


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("channels", [1, 3])
def test_declared_widths_and_strides_are_the_real_ones(name, channels):
    backbone = BACKBONES[name](channels).eval()
    images = torch.randn(1, channels, 64, 64)
    with torch.no_grad():
        maps = [backbone.stem(images)]
        for layer in (backbone.layer1, backbone.layer2, backbone.layer3, backbone.layer4):
            maps.append(layer(maps[-1]))
        assert tuple(m.shape[1] for m in maps[1:]) == backbone.widths
        assert tuple(64 // m.shape[2] for m in maps[1:]) == backbone.strides
        assert backbone.width == backbone.widths[-1] and backbone.channels == channels
        torch.testing.assert_close(backbone.maps(images), maps[-1])
        torch.testing.assert_close(backbone(images), maps[-1].mean((2, 3)))


def test_demo_network_sees_48_pixels_as_3_by_3():
    backbone = BACKBONES["resnet10_w16"](1)
    assert backbone.widths == (16, 32, 64, 128)
    assert backbone.maps(torch.randn(2, 1, 48, 48)).shape == (2, 128, 3, 3)


def test_precision_holds_inside_and_float32_leaves():
    backbone = BACKBONES["resnet10_w16"](1)
    backbone.precision = torch.bfloat16
    seen = []
    backbone.layer4.register_forward_hook(lambda module, given, out: seen.append(out.dtype))
    images = torch.randn(2, 1, 48, 48)
    assert backbone.maps(images).dtype == backbone(images).dtype == torch.float32
    assert seen == [torch.bfloat16] * 2
    backbone.precision = None
    assert backbone.double().maps(images.double()).dtype == torch.float64


def test_narrow_networks_are_refused():
    class Narrow(ResidualNetwork):
        block, depths, base = BasicBlock, (1, 1, 1, 1), 8

    with pytest.raises(ValueError, match="multiple of 16"):
        Narrow()


class Written18(ResidualNetwork):
    block, depths = BasicBlock, (2, 2, 2, 2)


class Written50(ResidualNetwork):
    block, depths = Bottleneck, (3, 4, 6, 3)


@pytest.mark.parametrize("precision", [None, torch.bfloat16])
@pytest.mark.parametrize(("name", "written"), [("resnet18", Written18), ("resnet50", Written50)])
def test_colour_images_get_torchvisions_layers_and_the_same_bits_as_the_blocks_written_here(name, written, precision):
    networks, drawn = [], []
    for cls in (BACKBONES[name], written):
        torch.manual_seed(7)
        networks.append(cls(3).to(memory_format=torch.channels_last))
        drawn.append(torch.get_rng_state())
    theirs, ours = networks
    assert isinstance(theirs.layer2[0], torchvision.models.resnet.BasicBlock | torchvision.models.resnet.Bottleneck)
    assert list(theirs.state_dict()) == list(ours.state_dict()) and torch.equal(*drawn)
    assert list(theirs.state_dict()) == [k for k in TORCHVISION[name]().state_dict() if not k.startswith("fc.")]
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(1)).contiguous(
        memory_format=torch.channels_last
    )
    outputs = []
    for network in networks:
        network.precision = precision
        outputs.append(network(images))
        outputs[-1].square().sum().backward()
    assert torch.equal(*outputs)
    for (key, one), two in zip(theirs.named_parameters(), ours.parameters(), strict=True):
        assert torch.equal(one, two) and torch.equal(one.grad, two.grad), key
    for one, two in zip(theirs.buffers(), ours.buffers(), strict=True):
        assert torch.equal(one, two)
    with torch.no_grad():
        stages = theirs.layer4(theirs.layer3(theirs.layer2(theirs.layer1(theirs.stem(images)))))
        if precision is None:
            torch.testing.assert_close(theirs(images), spatial_mean(stages))
    assert (theirs.widths, theirs.strides, theirs.width) == (ours.widths, ours.strides, ours.width)


def test_grey_images_get_the_blocks_written_here():
    assert isinstance(BACKBONES["resnet18"](1).layer1[0], BasicBlock)
