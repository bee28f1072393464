"""Turns, scales and smoothing: what each averages, against plain arithmetic."""

from itertools import pairwise

import numpy as np
import pytest
import rasterio
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from torch import nn

from geoseg.maps.blending import Rows
from geoseg.maps.predict import predict
from geoseg.maps.smoothing import smoothed
from geoseg.maps.tta import mean_logits
from tests.worlds import make_model, pointwise, write_image


def turns(names):
    """Return the wanted symmetries of the square, each with the one that undoes it."""
    upside, mirror = (lambda x: x.flip(-2)), (lambda x: x.flip(-1))
    half, across = (lambda x: x.flip((-2, -1))), (lambda x: x.transpose(-2, -1))
    flips = [(lambda x: x, lambda x: x), (upside, upside), (mirror, mirror), (half, half)]
    return {"none": flips[:1], "flips": flips, "d4": flips + [
        (lambda x, there=there: across(there(x)), lambda x, back=back: back(across(x)))
        for there, back in flips]}[names]


@pytest.mark.parametrize("names", ["none", "flips", "d4"])
def test_turns_are_averaged_as_logits(names):
    torch.manual_seed(1)
    model = make_model(nn.Conv2d(3, 2, 5, padding=2))
    batch = torch.randn(2, 3, 64, 64)
    expected = sum(back(model.network(there(batch))) for there, back in turns(names))
    torch.testing.assert_close(mean_logits(model, batch, "32", tta=names),
                               expected / len(turns(names)), atol=1e-5, rtol=0)


class Sides(nn.Module):
    """Notes the sides and counts of the tiles that it sees; its answer is the first band."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.seen = []

    def forward(self, batch):
        self.seen.append((len(batch), batch.shape[-1]))
        return batch[:, :1] * self.weight


def test_scales_are_multiples_of_the_stride_and_do_not_need_more_memory():
    network = Sides()
    mean_logits(make_model(network, bands=1, classes=("one",), task="overlapping"),
                torch.zeros(4, 1, 64, 64), "32", scales=(0.25, 0.5, 1, 1.6))
    assert network.seen == [(4, 32), (4, 32), (4, 64), (1, 96), (1, 96), (1, 96), (1, 96)]


def test_a_slope_stays_where_it_is_at_every_scale():
    """Bilinear resampling keeps a linear slope; shifted by half a pixel it would differ by 1."""
    slope = torch.arange(64.0).expand(1, 1, 64, 64) * 2
    model = make_model(Sides(), bands=1, classes=("one",), task="overlapping")
    for scales in [(0.5,), (2.0,), (0.5, 1.5)]:
        answer = mean_logits(model, slope, "32", scales=scales)
        torch.testing.assert_close(answer[..., 8:-8], slope[..., 8:-8], atol=0.05, rtol=0)


def test_shrinking_has_a_low_pass():
    """A chequerboard has mean 0: without a low-pass, every second pixel would be picked."""
    board = (torch.arange(128)[:, None] + torch.arange(128)) % 2 * 2.0 - 1
    model = make_model(Sides(), bands=1, classes=("one",), task="overlapping")
    answer = mean_logits(model, board[None, None], "32", scales=(0.25,))
    assert answer[..., 8:-8, 8:-8].abs().max() < 0.05


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 60), min_size=1, max_size=6), columns=st.integers(1, 40),
       sigma=st.sampled_from([0.0, 0.1, 0.5, 1.0, 3.0]), seed=st.integers(0, 99))
def test_smoothing_is_that_of_the_whole_raster_however_it_is_cut(cuts, columns, sigma, seed):
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(2, sum(cuts), columns)).astype(np.float32)
    valid = generator.random((sum(cuts), columns)) < generator.choice([0.02, 0.7, 1.0])
    edges = np.cumsum([0, *cuts])
    blocks = [Rows(torch.from_numpy(logits[:, top:bottom]), valid[top:bottom], int(top))
              for top, bottom in pairwise(edges)]
    found = list(smoothed(iter(blocks), sigma))
    heights = [len(rows.valid) for rows in found]
    assert [rows.top for rows in found] == list(np.cumsum([0, *heights])[:-1])
    np.testing.assert_array_equal(np.concatenate([rows.valid for rows in found]), valid)
    answer = torch.cat([rows.logits for rows in found], dim=1).numpy()
    for band, result in zip(logits.astype(float), answer, strict=True):
        total, weight = (gaussian_filter(part, sigma, mode="constant") if sigma else part
                         for part in (band * valid, valid * 1.0))
        np.testing.assert_allclose(result[valid], total[valid] / weight[valid], atol=1e-4)


def test_smoothing_does_not_depend_on_the_tiles(tmp_path):
    array = np.random.default_rng(0).integers(1, 255, (3, 150, 170), dtype=np.uint8)
    array[:, 60:90, 20:150] = 0
    path = write_image(tmp_path / "image.tif", array, nodata=0)
    model = make_model(pointwise(3, 2), gain=100.0)
    answers = []
    for tile, overlap, blend in [(32, 0, "hann"), (64, 0.5, "gauss"), (192, 0.25, "crop")]:
        out = predict(model, path, out=tmp_path / f"{tile}.tif", tile=tile, overlap=overlap,
                      blend=blend, smooth=2.0, dtype="float32", precision="32")
        with rasterio.open(out) as dataset:
            answers.append(dataset.read())
    assert np.isnan(answers[0][:, 60:90, 20:150]).all()
    np.testing.assert_allclose(answers[1], answers[0], atol=1e-5)
    np.testing.assert_allclose(answers[2], answers[0], atol=1e-5)
