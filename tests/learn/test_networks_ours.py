"""Our own networks: sizes counted by hand, geometry of FCN, topology of U-Net++."""

from itertools import pairwise

import pytest
import torch
from torch.nn import functional

from geoseg.learn.answers import Answers
from geoseg.learn.card import NetworkCard
from geoseg.learn.networks import build_network
from geoseg.learn.networks.fcn import Doubling, Fcn
from geoseg.learn.networks.inception import GOOGLENET, InceptionBlock, Mixture
from geoseg.learn.networks.residual import ResidualBlock


def card(architecture, **changes):
    return NetworkCard.model_validate({"architecture": architecture, "encoder": "none", "bands": 3,
                                       "classes": 4, "width": 64} | changes)


def size(network):
    return sum(p.numel() for p in network.parameters())


def conv(before, after, side):
    """Weights and biases of a convolution, scale and shift of its batch normalisation."""
    return before * after * side**2 + after + 2 * after


def decoder(channels, classes):
    """Transposed convolution and two convolutions on each level, and the last layer."""
    return sum(conv(below, above, 2) + conv(2 * above, above, 3) + conv(above, above, 3)
               for above, below in pairwise(channels)) + channels[0] * classes + classes


LEVELS = [64, 128, 256, 512, 1024]


def test_the_classic_unet_has_the_published_number_of_parameters():
    """31,031,940 in convolutions and 13,696 in batch normalisation, for 3 bands and 4 classes."""
    assert size(build_network(card("classic-unet"))) == 31_045_636


def test_the_resnet_unet_is_a_little_smaller_than_57_million():
    encoder = conv(3, 64, 7) + 4 * conv(64, 64, 3)
    for above, here in pairwise(LEVELS):
        encoder += conv(above, here, 3) + 3 * conv(here, here, 3) + conv(above, here, 1)
    expected = encoder + decoder(LEVELS, 4)
    assert 56e6 < expected < 57e6
    assert size(build_network(card("resnet-unet"))) == expected


def test_the_inception_unet_has_more_than_48_million():
    """Blocks as in table 1 of GoogLeNet, written down here anew by their rows."""
    table = {"3a": (192, 64, 96, 128, 16, 32, 32), "3b": (256, 128, 128, 192, 32, 96, 64),
             "4a": (480, 192, 96, 208, 16, 48, 64), "4b": (512, 160, 112, 224, 24, 64, 64),
             "4c": (512, 128, 128, 256, 24, 64, 64), "4d": (512, 112, 144, 288, 32, 64, 64),
             "4e": (528, 256, 160, 320, 32, 128, 128), "5a": (832, 256, 160, 320, 32, 128, 128),
             "5b": (832, 384, 192, 384, 48, 128, 128)}
    expected = conv(3, 64, 7) + conv(64, 192, 3) + conv(192, 192, 3)
    for before, one, to_three, three, to_five, five, pool in table.values():
        expected += (conv(before, one, 1) + conv(before, to_three, 1) + conv(to_three, three, 3)
                     + conv(before, to_five, 1) + conv(to_five, five, 5) + conv(before, pool, 5))
    expected += decoder([64, 192, 480, 832, 1024], 4)
    assert 48e6 < expected < 49e6
    assert size(build_network(card("inception-unet"))) == expected


@pytest.mark.parametrize(("depth", "deep"), [(3, False), (5, True)])
def test_the_nested_unet_has_a_node_for_every_depth_of_every_level(depth, deep):
    channels = [8 * 2**level for level in range(depth)]
    expected = 0
    for level, here in enumerate(channels):
        before = channels[level - 1] if level else 3
        expected += conv(before, here, 3) + conv(here, here, 3)
        for step in range(1, depth - level):
            expected += conv(channels[level + 1], here, 2)
            expected += conv((step + 1) * here, here, 3) + conv(here, here, 3)
    expected += (depth - 1 if deep else 1) * (8 * 4 + 4)
    assert size(build_network(card("nested-unet", width=8, depth=depth,
                                   deep_supervision=deep))) == expected


@pytest.mark.parametrize(("architecture", "skips"), [
    ("fcn-32s", ()), ("fcn-16s", (512,)), ("fcn-8s", (512, 256))])
def test_the_fcn_is_vgg16_with_its_layers_as_convolutions(architecture, skips):
    plan = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    expected = sum(conv(before, after, 3) for before, after in pairwise(plan))
    expected += conv(512, 256, 7) + conv(256, 256, 1) + 256 * 4 + 4
    expected += sum(channels * 4 + 4 + 4 * 4 * 16 for channels in skips)
    assert size(build_network(card(architecture, width=4))) == expected


def test_a_residual_block_starts_from_its_shortcut():
    block = ResidualBlock(6, 6).eval()
    torch.nn.init.zeros_(block.body[-1].weight)
    batch = torch.randn(1, 6, 8, 8)
    torch.testing.assert_close(block(batch), batch.relu())
    assert len(block.body) == 5
    assert ResidualBlock(6, 12, stride=2)(batch).shape == (1, 12, 4, 4)


def test_an_inception_block_has_four_branches_of_growing_sight():
    assert [[mixture.total for mixture in level] for level in GOOGLENET] == [
        [256, 480], [512, 512, 512, 528, 832], [832, 1024]]
    block = InceptionBlock(3, Mixture(2, 3, 4, 2, 3, 2)).eval()
    with torch.no_grad():
        for weight in block.parameters():
            weight.abs_()       # or a rectifier might hide what lies behind it
    batch = torch.rand(1, 3, 15, 15, requires_grad=True)
    answer = block(batch)
    assert answer.shape == (1, 11, 15, 15)
    reach = []
    for first, last in ((0, 2), (2, 6), (6, 9)):
        batch.grad = None
        answer[0, first:last, 7, 7].sum().backward(retain_graph=True)
        reach.append(int((batch.grad[0].abs().sum(0) > 0).any(0).sum()))
    assert reach == [1, 3, 5]


def test_deep_supervision_trains_every_depth_and_maps_with_their_mean():
    network = build_network(card("nested-unet", width=4, depth=4, deep_supervision=True)).train()
    batch = torch.randn(2, 3, 32, 32)
    answer = network(batch)
    assert isinstance(answer, Answers)
    maps = [*answer.sides, answer.logits]
    assert [side.shape for side in maps] == [(2, 4, 32, 32)] * 3
    for depth, side in enumerate(maps, start=1):
        network.zero_grad()
        side.square().sum().backward(retain_graph=True)
        reached = [any(p.grad is not None and bool(p.grad.any()) for p in level.parameters())
                   for level in network.encoder]
        assert reached == [level <= depth for level in range(4)]
    given = []
    for answer_head in network.heads:
        answer_head.register_forward_hook(lambda *call: given.append(call[2]))
    with torch.no_grad():
        found = network.eval()(batch)
    assert len(given) == 3
    torch.testing.assert_close(found, sum(given) / 3)


def test_without_deep_supervision_only_the_deepest_answers():
    network = build_network(card("nested-unet", width=4, depth=3))
    assert len(network.heads) == 1
    assert isinstance(network(torch.randn(2, 3, 16, 16)), torch.Tensor)


def test_doublings_start_as_bilinear_interpolation():
    doubling = Doubling(3)
    kernel = doubling.kernel.weight[1, 1].detach()
    expected = torch.tensor([[1., 3, 3, 1], [3, 9, 9, 3], [3, 9, 9, 3], [1, 3, 3, 1]]) / 16
    torch.testing.assert_close(kernel, expected)
    assert not doubling.kernel.weight[1, 2].any()
    spot = torch.zeros(1, 3, 7, 9)
    spot[0, 1, 3, 4] = 1
    for batch in (spot, torch.randn(2, 3, 5, 1)):
        torch.testing.assert_close(doubling(batch), functional.interpolate(
            batch, scale_factor=2.0, mode="bilinear"))


@pytest.mark.parametrize(("architecture", "parts"), [("fcn-32s", 1), ("fcn-16s", 2),
                                                     ("fcn-8s", 3)])
def test_all_that_an_fcn_adds_up_lies_on_the_same_pixels(architecture, parts):
    """With plain averaging in place of VGG, each part gives a ramp back as it was."""
    network = build_network(card(architecture, bands=1, classes=1, width=4))
    assert isinstance(network, Fcn)
    network.encoder = torch.nn.ModuleList(torch.nn.AvgPool2d(2) for _ in range(5))
    network.fc6 = network.fc7 = network.score = torch.nn.Identity()
    network.skips = torch.nn.ModuleList(torch.nn.Identity() for _ in network.skips)
    rows, columns = torch.meshgrid(torch.arange(256.0), torch.arange(320.0), indexing="ij")
    ramp = (rows - 2 * columns)[None, None]
    inner = (..., slice(32, -32), slice(32, -32))
    torch.testing.assert_close(network(ramp)[inner], parts * ramp[inner], atol=1e-2, rtol=0)


def test_the_skips_of_an_fcn_start_without_a_say():
    network = build_network(card("fcn-8s", width=4)).eval()
    batch = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        deepest = batch
        for block in network.encoder:
            deepest = block(deepest)
        expected = network.score(network.fc7(network.fc6(deepest)))
        for factor in (2.0, 2.0, 8.0):
            expected = functional.interpolate(expected, scale_factor=factor, mode="bilinear")
        torch.testing.assert_close(network(batch), expected, atol=1e-5, rtol=1e-4)
        before = network(batch)
        for skip in network.skips:
            torch.nn.init.normal_(skip.weight)
        assert not torch.allclose(network(batch), before, atol=1e-3)


@pytest.mark.parametrize("axis", [2, 3])
def test_a_shifted_image_gives_a_shifted_map(axis):
    """By 32 pixels; away from the ends by half the field of view of 404 pixels and a cell."""
    network = build_network(card("fcn-8s", width=4)).train()
    for skip in network.skips:
        torch.nn.init.normal_(skip.weight, std=0.1)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0
    scene = torch.randn(1, 3, 32, 704)
    if axis == 2:
        scene = scene.transpose(2, 3)
    with torch.no_grad():
        network(scene)
        network.eval()
        here = network(scene.narrow(axis, 0, 672)).narrow(axis, 288, 96)
        there = network(scene.narrow(axis, 32, 672)).narrow(axis, 256, 96)
    assert here.std() > 0.01
    torch.testing.assert_close(here, there, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(here.narrow(axis, 0, 64), here.narrow(axis, 32, 64), atol=1e-2)
