"""Networks: every name builds, answers and learns; sizes as published; refusals; wrappers."""

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from lightning_fabric import Fabric

from geoseg.errors import RecipeError
from geoseg.learn.answers import Answers, damped
from geoseg.learn.card import NetworkCard
from geoseg.learn.networks import (
    Reduced,
    build_network,
    check_batch,
    is_pretrained,
    parameter_groups,
)
from geoseg.recipe.names import NETWORKS


def card(architecture="unet", **changes):
    encoder = {"dpt": "tu-vit_tiny_patch16_224", "manet": "resnet18"}.get(architecture,
                                                                          "mobilenet_v2")
    return NetworkCard.model_validate({
        "architecture": architecture, "encoder": encoder, "bands": 3, "classes": 2,
        "width": 4} | changes)


def count(network):
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("bands", "classes", "presence"), [(1, 2, False), (3, 4, True),
                                                            (10, 1, False)])
@pytest.mark.parametrize("architecture", NETWORKS)
def test_every_network_answers_and_learns(architecture, bands, classes, presence):
    """On sides that are multiples of 32, for any number of bands; no branch of it is dead."""
    made = card(architecture, bands=bands, classes=classes, presence=presence, detail=4)
    torch.manual_seed(0)
    network = build_network(made)
    batch = torch.randn(2, bands, 64, 96)
    answer = network(batch)
    if presence:
        assert isinstance(answer, Answers)
        assert answer.presence.shape == (2, classes)
    parts = [answer.logits, answer.presence] if presence else [answer]
    assert parts[0].shape == (2, classes, 64, 96)
    sum((part * torch.randn_like(part)).sum() for part in parts).backward()
    for name, weight in network.named_parameters():
        if weight.requires_grad:
            assert weight.grad is not None, name
            assert weight.grad.isfinite().all(), name
            assert weight.ndim == 1 or weight.grad.any(), name
    with torch.inference_mode():
        assert network.eval()(batch[:1, :, :32, :32]).shape == (1, classes, 32, 32)
    if bands == 10 and (architecture == "unet" or "-" in architecture):
        again = build_network(made)
        again.load_state_dict(network.state_dict(), strict=True)
        with torch.inference_mode():
            torch.testing.assert_close(again.eval()(batch), network(batch))


@pytest.mark.parametrize(("encoder", "millions"), [
    ("resnet18", 14.33), ("resnet34", 24.44), ("efficientnet-b0", 6.25),
    ("efficientnet-b3", 13.16), ("tu-mobilenetv4_conv_small", 4.98), ("mit_b0", 5.55),
])
def test_parameter_counts(encoder, millions):
    network = build_network(card(encoder=encoder, classes=4))
    assert count(network) / 1e6 == pytest.approx(millions, abs=0.01)


@pytest.mark.parametrize(("architecture", "depth"), [
    *((name, 3) for name in NETWORKS if "-" not in name and name not in ("dpt", "pspnet")),
    ("fpn", 4), ("unet", 4), ("deeplabv3plus", 4)])
def test_a_shallower_encoder_still_answers_at_full_resolution(architecture, depth):
    network = build_network(card(architecture, depth=depth)).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 64, 32)).shape == (1, 2, 64, 32)


def test_a_window_transformer_takes_images_of_any_size():
    network = build_network(card(encoder="tu-swin_tiny_patch4_window7_224")).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 96, 160)).shape == (1, 2, 96, 160)


def test_weights_without_a_part_in_the_answer_are_frozen():
    """They would make the devices of a shared step wait for each other."""
    network = build_network(card(encoder="resnet18", depth=3))
    network(torch.randn(2, 3, 64, 64)).sum().backward()
    frozen = {name for name, weight in network.named_parameters() if not weight.requires_grad}
    assert {name.split(".")[1] for name in frozen} == {"layer3", "layer4"}
    assert frozen == {name for name, weight in network.named_parameters() if weight.grad is None}


@pytest.mark.parametrize(("changes", "match"), [
    ({"architecture": "unett"}, "Did you mean 'unet'.*fcn-8s"),
    ({"encoder": "resnet43"}, "Did you mean 'resnet34'.*efficientnet-b0"),
    ({"encoder": "convnext_atto"}, "As a timm model it is written tu-convnext_atto"),
    ({"encoder": "tu-convnext_ato"}, "Did you mean 'tu-convnext_atto'"),
    ({"encoder": "tu-vit_tiny_patch16_224"}, "cannot be built.*go with dpt only"),
    ({"encoder": "tu-maxvit_tiny_rw_224"}, "does not take images of any multiple of 32"),
    ({"architecture": "linknet", "encoder": "mit_b0"}, "cannot be built.*convolutional"),
    ({"architecture": "deeplabv3", "encoder": "densenet121"}, "dilates its encoder"),
    ({"architecture": "pan", "encoder": "tu-swin_tiny_patch4_window7_224"}, "dilates its encoder"),
    ({"architecture": "dpt", "encoder": "resnet18"}, "vision transformers of timm"),
    ({"architecture": "dpt", "encoder": "tu-vit_small_patch14_dinov2"}, "patches are 8, 16 or 32"),
    ({"architecture": "pspnet", "depth": 4}, "train.depth: cannot be chosen for pspnet"),
    ({"architecture": "fcn-8s", "depth": 3}, "train.depth: cannot be chosen for fcn-8s"),
    ({"architecture": "classic-unet", "deep_supervision": True}, "nested-unet"),
])
def test_what_does_not_go_together_is_refused_with_the_cure(changes, match):
    with pytest.raises(RecipeError, match=match):
        build_network(card().model_copy(update=changes))


@pytest.mark.parametrize(("architecture", "batch", "crop", "fits"), [
    ("pan", 1, 256, False), ("deeplabv3plus", 1, 256, False), ("unet", 1, 64, True),
    ("unet", 1, 32, False), ("unet", 2, 32, True), ("classic-unet", 1, 32, True)])
def test_a_batch_too_small_for_the_network_is_refused(architecture, batch, crop, fits):
    made = card(architecture)
    network = build_network(made)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    if fits:
        check_batch(network, made, batch, crop)
        network(torch.zeros(batch, 3, crop, crop))
    else:
        with pytest.raises(RecipeError, match=r"train.batch: is too small.*2 or more"):
            check_batch(network, made, batch, crop)
        assert all(torch.equal(tensor, before[name])
                   for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("architecture", ["unet", "fpn", "nested-unet", "fcn-16s"])
def test_dropout_acts_only_in_training(architecture):
    network = build_network(card(architecture, dropout=0.5))
    batch = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        network.eval()
        assert torch.equal(network(batch), network(batch))
        network.train()
        assert not torch.equal(network(batch), network(batch))


@pytest.mark.parametrize(("architecture", "detail", "presence"), [
    ("unet", 0, False), ("unet", 8, True), ("fcn-8s", 8, True)])
def test_groups_hold_every_parameter_once(architecture, detail, presence):
    network = build_network(card(architecture, detail=detail, presence=presence))
    groups = parameter_groups(network, 1e-3, 0.1)
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in network.parameters())
    assert [group["lr"] for group in groups] == [1e-4, 1e-3]
    names = {id(p): name for name, p in network.named_parameters()}
    assert all("encoder." in names[id(p)] for p in groups[0]["params"])
    assert not any("encoder." in names[id(p)] for p in groups[1]["params"])


def test_our_own_networks_take_neither_encoder_nor_detail():
    plain, other = (build_network(card("fcn-8s", encoder=encoder, detail=detail))
                    for encoder, detail in (("resnet18", 0), ("whatever", 16)))
    assert plain.state_dict().keys() == other.state_dict().keys()


@pytest.mark.parametrize("bands", [1, 2, 6, 10])
def test_pretrained_weights_of_three_bands_serve_any_number(bands):
    """The first layer repeats its colours and keeps the sum, so a grey image looks the same."""
    encoder = smp.encoders.get_encoder("resnet18")
    colours = encoder.conv1.weight.detach().clone()
    encoder.set_in_channels(bands, pretrained=True)
    found = encoder.conv1.weight.detach()
    expected = (colours.sum(1, keepdim=True) if bands == 1
                else colours[:, [i % 3 for i in range(bands)]] * 3 / bands)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(timm.models.adapt_input_conv(bands, colours), expected)
    if bands in (1, 6):
        torch.testing.assert_close(found.sum(1), colours.sum(1), atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", ["unet", "fcn-8s", "classic-unet"])
def test_without_a_connection_the_start_is_random_and_said(architecture, monkeypatch, tmp_path,
                                                           caplog):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    torch.manual_seed(1)
    network = build_network(card(architecture), pretrained=True)
    torch.manual_seed(1)
    plain = build_network(card(architecture))
    assert not is_pretrained(network)
    assert ("could not be fetched" in caplog.text) == (architecture != "classic-unet")
    assert all(torch.equal(one, two) for one, two in zip(
        network.state_dict().values(), plain.state_dict().values(), strict=True)
        if architecture == "classic-unet")


def test_a_shallow_network_sees_less_far():
    """The gradient of one output pixel reaches less of the input, and fewer weights do the work."""
    reach, size = {}, {}
    for depth in (3, 5):
        network = build_network(card(encoder="resnet18", bands=1, classes=1, depth=depth)).eval()
        batch = torch.randn(1, 1, 256, 256, requires_grad=True)
        network(batch)[0, 0, 128, 128].backward()
        reach[depth] = int((batch.grad[0, 0].abs() > 0).any(0).sum())
        size[depth] = count(network)
    assert reach[3] < reach[5] / 2
    assert size[3] < size[5]


@pytest.mark.parametrize("factor", [2, 3])
def test_a_reduced_network_answers_on_the_grid_it_is_given(factor):
    """Its core is asked for every pixel of the coarse image; the answer lies where it belongs."""
    class Core(torch.nn.Module):
        def forward(self, batch):
            self.seen = batch.shape[-2:]
            return Answers(batch, (batch + 1,), batch.mean((2, 3)))

    core = Core()
    ramp = torch.arange(101.0).expand(1, 1, 70, 101)
    answer = Reduced(core, factor)(ramp)
    assert core.seen == (-(-70 // (32 * factor)) * 32, -(-101 // (32 * factor)) * 32)
    inner = slice(factor, -2 * factor)
    torch.testing.assert_close(answer.logits[..., inner], ramp[..., inner], atol=1e-4, rtol=0)
    torch.testing.assert_close(answer.sides[0], answer.logits + 1, atol=1e-4, rtol=0)


@pytest.mark.parametrize("architecture", ["unet", "classic-unet"])
def test_reducing_costs_no_parameter_and_keeps_the_shape(architecture):
    sizes = []
    for reduce in (1, 2):
        network = build_network(card(architecture, detail=8, reduce=reduce))
        assert network(torch.zeros(2, 3, 64, 96)).shape == (2, 2, 64, 96)
        groups = parameter_groups(network, 1e-3, 0.1)
        assert groups[0]["params"]
        sizes.append([len(group["params"]) for group in groups])
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("architecture", ["unet", "nested-unet"])
def test_the_map_that_is_damped_is_the_one_that_was_trained(architecture):
    """In training the map is undamped; in use it is damped last, outside detail and reduction."""
    network = build_network(card(architecture, detail=4, reduce=2, presence=True))
    batch = torch.randn(2, 3, 64, 64)
    network.eval()
    with torch.no_grad():
        inner = network.network(batch)
        torch.testing.assert_close(network(batch), damped(inner.logits, inner.presence))
        assert (network(batch) < inner.logits).all()


def test_answers_pass_through_fabric_in_half_precision():
    fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    network = fabric.setup_module(build_network(card(
        "nested-unet", deep_supervision=True, presence=True)).train())
    answer = network(torch.randn(2, 3, 32, 32))
    assert isinstance(answer, Answers)
    assert len(answer.sides) == 3
    assert {part.dtype for part in (answer.logits, *answer.sides, answer.presence)} == {
        torch.float32}


def test_cards_of_older_models_build_what_they_did():
    old = NetworkCard.model_validate({
        "architecture": "classic-unet", "encoder": "none", "bands": 2, "classes": 3, "width": 8,
        "depth": 3, "dropout": 0.1, "detail": 0, "reduce": 1})
    stem = [f"{index}.{name}" for index in (0, 1, 3, 4) for name in ("weight", "bias")]
    keys = {key for key in build_network(old).state_dict() if "running" not in key
            and "batches" not in key}
    assert keys == ({f"encoder.{level}.{name}" for level in range(3) for name in stem}
                    | {f"decoder.{level}.{name}" for level in range(2) for name in stem}
                    | {f"up.{level}.{name}" for level in range(2) for name in stem[:4]}
                    | {"head.1.weight", "head.1.bias"})
