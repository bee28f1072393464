"""Networks: parameter counts as published, any number of bands, dropout."""

import pytest
import torch

from geoseg.learn.card import NetworkCard
from geoseg.learn.networks import Reduced, build_network, parameter_groups


@pytest.mark.parametrize(("encoder", "millions"), [
    ("resnet18", 14.33), ("resnet34", 24.44), ("efficientnet-b0", 6.25),
    ("tu-mobilenetv4_conv_small", 4.98),
])
def test_parameter_counts(encoder, millions):
    network = build_network(NetworkCard(architecture="unet", encoder=encoder, bands=3, classes=4))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize("architecture", ["unet", "fpn", "linknet", "deeplabv3plus"])
@pytest.mark.parametrize("bands", [1, 10])
def test_output_has_one_channel_per_class_at_full_resolution(architecture, bands):
    network = build_network(NetworkCard(architecture=architecture, encoder="resnet18", bands=bands,
                                        classes=5)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, bands, 64, 96)).shape == (1, 5, 64, 96)


def test_dropout_acts_only_in_training():
    network = build_network(NetworkCard(architecture="unet", encoder="resnet18", bands=3,
                                        classes=2, dropout=0.5))
    batch = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        network.eval()
        assert torch.equal(network(batch), network(batch))
        network.train()
        assert not torch.equal(network(batch), network(batch))


def test_groups_hold_every_parameter_once():
    network = build_network(NetworkCard(architecture="unet", encoder="resnet18", bands=3,
                                        classes=2))
    groups = parameter_groups(network, 1e-3, 0.1)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in network.parameters())
    assert [group["lr"] for group in groups] == [1e-4, 1e-3]


def test_a_shallow_network_sees_less_far():
    """The gradient of one output pixel reaches less of the input, and fewer weights do the work."""
    reach, size = {}, {}
    for depth in (3, 5):
        network = build_network(NetworkCard(architecture="unet", encoder="resnet18", bands=1,
                                            classes=1, depth=depth)).eval()
        batch = torch.randn(1, 1, 256, 256, requires_grad=True)
        network(batch)[0, 0, 128, 128].backward()
        reach[depth] = int((batch.grad[0, 0].abs() > 0).any(0).sum())
        size[depth] = sum(p.numel() for p in network.parameters())
    assert reach[3] < reach[5] / 2
    assert size[3] < size[5]


def test_the_detail_branch_is_part_of_the_network():
    card = NetworkCard(architecture="unet", encoder="resnet18", bands=4, classes=3, detail=8)
    network = build_network(card)
    assert network(torch.zeros(2, 4, 32, 64)).shape == (2, 3, 32, 64)
    held = [id(p) for group in parameter_groups(network, 1e-3, 0.1) for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in network.parameters())


def test_the_classic_unet_has_the_published_number_of_parameters():
    """31,031,940 in convolutions and 13,696 in batch normalisation, for 3 bands and 4 classes."""
    network = build_network(NetworkCard(architecture="classic-unet", encoder="none", bands=3,
                                        classes=4, width=64))
    assert sum(p.numel() for p in network.parameters()) == 31_045_636


@pytest.mark.parametrize("depth", [3, 5])
def test_the_classic_unet_answers_at_full_resolution(depth):
    network = build_network(NetworkCard(architecture="classic-unet", encoder="none", bands=2,
                                        classes=3, width=8, depth=depth))
    assert network(torch.zeros(1, 2, 64, 96)).shape == (1, 3, 64, 96)


@pytest.mark.parametrize("factor", [2, 3])
def test_a_reduced_network_answers_on_the_grid_it_is_given(factor):
    """Its core is asked for every pixel of the coarse image; the answer lies where it belongs."""
    class Core(torch.nn.Module):
        def forward(self, batch):
            self.seen = batch.shape[-2:]
            return batch

    core = Core()
    ramp = torch.arange(101.0).expand(1, 1, 70, 101)
    answer = Reduced(core, factor)(ramp)
    assert core.seen == (-(-70 // (32 * factor)) * 32, -(-101 // (32 * factor)) * 32)
    inner = slice(factor, -2 * factor)
    torch.testing.assert_close(answer[..., inner], ramp[..., inner], atol=1e-4, rtol=0)


@pytest.mark.parametrize("architecture", ["unet", "classic-unet"])
def test_reducing_costs_no_parameter_and_keeps_the_shape(architecture):
    sizes = []
    for reduce in (1, 2):
        network = build_network(NetworkCard(architecture=architecture, encoder="resnet18", bands=3,
                                            classes=2, detail=8, width=8, reduce=reduce))
        assert network(torch.zeros(2, 3, 64, 96)).shape == (2, 2, 64, 96)
        groups = parameter_groups(network, 1e-3, 0.1)
        assert groups[0]["params"]
        sizes.append([len(group["params"]) for group in groups])
    assert sizes[0] == sizes[1]
