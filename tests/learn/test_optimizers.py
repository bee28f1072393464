"""Optimisers: each learns, each resumes to the last bit, Muon makes convolutions orthogonal."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from geoseg.learn.card import NetworkCard
from geoseg.learn.networks import build_network
from geoseg.learn.optimizers import make_optimizer
from geoseg.learn.state import Course, load_state, save_state
from geoseg.recipe import TrainRecipe
from geoseg.recipe.names import OPTIMIZERS

CARD = NetworkCard(architecture="classic-unet", encoder="", bands=2, classes=2, width=8, depth=3,
                   detail=0)


def network(seed=0):
    torch.manual_seed(seed)
    return build_network(CARD).to(memory_format=torch.channels_last).train()


def settings(name, **changes):
    return TrainRecipe(optimizer=name, **{"weight_decay": 1e-3, **changes})


def samples(step):
    """Return images and labels that say where the first band exceeds the second."""
    images = torch.from_numpy(np.random.default_rng(step).normal(size=(4, 2, 16, 16))).float()
    return images.contiguous(memory_format=torch.channels_last), (
        images[:, 0] > images[:, 1]).long()


def learn(net, optimizer, steps):
    losses = []
    for step in steps:
        images, labels = samples(step)
        loss = functional.cross_entropy(net(images), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_learns_a_tiny_problem(name):
    rate = {"adadelta": 1.0, "sgd": 0.1, "radam": 0.1}.get(name, 0.01)
    net = network()
    losses = learn(net, make_optimizer(net, settings(name, learning_rate=rate), pretrained=False),
                   range(40))
    assert np.mean(losses[-5:]) < 0.5 * losses[0]


def bits(net, optimizer):
    slots = optimizer.state_dict()["state"]
    found = {name: tensor.numpy().tobytes() for name, tensor in net.state_dict().items()}
    found |= {(index, name): value.numpy().tobytes() if torch.is_tensor(value) else value
              for index, slot in slots.items() for name, value in slot.items()}
    return found


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_resumes_to_the_last_bit(name, tmp_path):
    def start(seed):
        net = network(seed)
        return net, make_optimizer(net, settings(name), pretrained=True)

    whole, optimizer = start(0)
    learn(whole, optimizer, range(6))
    halted, first = start(0)
    learn(halted, first, range(3))
    save_state(tmp_path / "state", "print", Course(step=3, best=0.5), halted, halted, first)
    resumed, second = start(1)
    course = load_state(tmp_path / "state", "print", resumed, resumed, second)
    learn(resumed, second, range(course.step, 6))
    assert bits(resumed, second) == bits(whole, optimizer)
    assert bits(resumed, second) != bits(halted, first)


@pytest.mark.parametrize(("name", "kind"), [
    ("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("radam", torch.optim.RAdam),
    ("adadelta", torch.optim.Adadelta), ("rmsprop", torch.optim.RMSprop),
    ("sgd", torch.optim.SGD)])
def test_a_name_is_torchs_optimiser_with_the_recipes_numbers(name, kind):
    net, twin = network(), network()
    chosen = settings(name, learning_rate=0.02, momentum=0.7, weight_decay=0.03)
    own = {"momentum": 0.7} if name in ("rmsprop", "sgd") else {}
    learn(net, make_optimizer(net, chosen, pretrained=False), range(3))
    learn(twin, kind(twin.parameters(), lr=0.02, weight_decay=0.03, **own), range(3))
    for mine, expected in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(mine, expected)


@pytest.mark.parametrize(("name", "decoupled"), [(name, name in ("adamw", "muon"))
                                                 for name in OPTIMIZERS])
def test_weight_decay_shrinks_the_weights_or_joins_the_gradient(name, decoupled):
    """With no gradient, decoupled decay multiplies by 1 - rate x decay, for any optimiser."""
    net = network()
    before = [parameter.detach().clone() for parameter in net.parameters()]
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    chosen = settings(name, learning_rate=0.1, weight_decay=0.5, momentum=0.9)
    make_optimizer(net, chosen, pretrained=False).step()
    shrunk = [torch.allclose(after, 0.95 * old) for after, old in
              zip(net.parameters(), before, strict=True)]
    # The first step of sgd, and of radam while it still warms up, is the gradient as it is.
    assert all(shrunk) == (decoupled or name in ("sgd", "radam"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_pretrained_encoder_learns_at_its_own_rate(name):
    net = network()
    encoder = {id(parameter) for parameter in net.encoder.parameters()}
    chosen = settings(name, learning_rate=0.5, encoder_factor=0.1)
    for pretrained, rate in ((True, 0.05), (False, 0.5)):
        groups = make_optimizer(net, chosen, pretrained=pretrained).param_groups
        found = {id(p): group["lr"] for group in groups for p in group["params"]}
        assert len(found) == len(list(net.parameters()))
        assert all(found[key] == (pytest.approx(rate) if key in encoder else 0.5)
                   for key in found)


class Layers(nn.Module):
    """One of each kind of weight."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 12, 3), nn.BatchNorm2d(12))
        self.depthwise = nn.Conv2d(12, 12, 3, groups=12)
        self.up = nn.ConvTranspose2d(12, 6, 2)
        self.head = nn.Conv2d(6, 2, 1)


def test_muon_moves_a_convolution_as_torchs_moves_the_flattened_one():
    net = Layers().to(memory_format=torch.channels_last)
    optimizer = make_optimizer(net, settings("muon", momentum=0.8, learning_rate=0.01),
                               pretrained=False)
    weights = [net.encoder[0].weight, net.up.weight]
    flat = [nn.Parameter(weight.detach().reshape(len(weight), -1).clone()) for weight in weights]
    oracle = torch.optim.Muon(flat, lr=0.01, weight_decay=1e-3, momentum=0.8,
                              adjust_lr_fn="match_rms_adamw")
    for seed in range(4):
        torch.manual_seed(seed)
        for weight, matrix in zip(weights, flat, strict=True):
            weight.grad = torch.randn_like(weight)
            matrix.grad = weight.grad.reshape(len(weight), -1).clone()
        optimizer.step()
        oracle.step()
        for weight, matrix in zip(weights, flat, strict=True):
            torch.testing.assert_close(weight.detach().reshape(len(weight), -1), matrix.detach())


def test_muons_step_is_orthogonal_and_the_rest_is_adamws():
    net = Layers()
    before = {name: weight.detach().clone() for name, weight in net.named_parameters()}
    optimizer = make_optimizer(net, settings("muon", weight_decay=0.0, learning_rate=0.01),
                               pretrained=False)
    torch.manual_seed(0)
    for weight in net.parameters():
        weight.grad = torch.randn_like(weight)
    optimizer.step()
    for name, weight in net.named_parameters():
        moved = (before[name] - weight.detach()) / 0.01
        if name in ("encoder.0.weight", "up.weight"):
            # The singular values of Newton and Schulz's five rounds lie between 0.68 and 1.13,
            # times 0.2 sqrt(longer side): the root mean square of a step of AdamW.
            scale = 0.2 * max(len(weight), weight[0].numel()) ** 0.5
            values = torch.linalg.svdvals(moved.reshape(len(weight), -1)) / scale
            assert values.min() > 0.6
            assert values.max() < 1.25
        else:
            # The first step of AdamW is the sign of the gradient.
            torch.testing.assert_close(moved, weight.grad.sign(), atol=1e-3, rtol=1e-3)
