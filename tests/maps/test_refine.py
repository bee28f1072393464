"""The dense random field, against sums over all pairs of pixels; and its windows."""

from itertools import product

import numpy as np
import pytest
import rasterio
import torch
from scipy.special import expit, logit, softmax

from geoseg.errors import GeosegError, GridError
from geoseg.geo.raster import open_raster
from geoseg.maps.crf import Kernels, mean_field
from geoseg.maps.predict import predict
from geoseg.maps.probabilities import stored_thresholds
from geoseg.maps.refine import refine
from tests.worlds import Constant, make_model, pointwise, write_image

ROWS, COLUMNS, BANDS = 6, 7, 2
KERNELS = Kernels(smoothness=1.5, smoothness_range=2.5, appearance=2.0, appearance_range=4.0,
                  appearance_values=0.7)
"""Both reach over the whole of a small image."""


def small_world(classes):
    generator = np.random.default_rng(0)
    probabilities = softmax(generator.normal(size=(classes, ROWS, COLUMNS)) * 2, axis=0)
    image = generator.normal(size=(BANDS, ROWS, COLUMNS))
    valid, seen = (generator.random((ROWS, COLUMNS)) < share for share in (0.8, 0.7))
    return probabilities, valid, image, seen


def kernel(close, taking_part):
    """Return the normalised kernel (pixels, pixels) of `close(place, place)`, 0 on the diagonal."""
    pixels = list(product(range(ROWS), range(COLUMNS)))
    raw = np.array([[close(a, b) if taking_part[a] and taking_part[b] else 0.0 for b in pixels]
                    for a in pixels])
    norm = np.sqrt(np.maximum(raw.sum(axis=1), 1e-30))
    return (raw - np.diag(np.diag(raw))) / norm[:, None] / norm[None, :]


def all_pairs(image, valid, seen):
    def nearby(a, b):
        return np.exp(-((a[0] - b[0])**2 + (a[1] - b[1])**2) / (2 * 2.5**2))

    def alike(a, b):
        unlike = np.mean((image[:, *a] - image[:, *b])**2)
        return np.exp(-((a[0] - b[0])**2 + (a[1] - b[1])**2) / (2 * 4.0**2)
                      - unlike / (2 * 0.7**2))

    return 1.5 * kernel(nearby, valid) + 2.0 * kernel(alike, valid & seen)


def tensors(*arrays):
    return [torch.from_numpy(np.asarray(array, bool if array.dtype == bool else np.float32))
            for array in arrays]


def test_exclusive_classes_against_all_pairs_of_pixels():
    probabilities, valid, image, seen = small_world(3)
    pairs = all_pairs(image, valid, seen)
    q = probabilities.reshape(3, -1)
    for _ in range(4):
        # Potts: what each pixel pays for a class is all that its ties give to other classes.
        others = q.sum(axis=0) - q
        q = softmax(np.log(probabilities.reshape(3, -1)) - others @ pairs.T, axis=0)
    found = mean_field(*tensors(np.log(probabilities), valid, image, seen), kernels=KERNELS,
                       iterations=4, overlapping=False)
    np.testing.assert_allclose(found.numpy()[:, valid], q.reshape(3, ROWS, COLUMNS)[:, valid],
                               atol=2e-5)
    assert np.abs(found.numpy() - probabilities)[:, valid].max() > 0.1


def test_each_overlapping_class_is_a_field_of_two_exclusive_ones():
    probabilities, valid, image, seen = small_world(3)
    pairs = all_pairs(image, valid, seen)
    found = mean_field(*tensors(logit(probabilities), valid, image, seen), kernels=KERNELS,
                       iterations=3, overlapping=True)
    for band, result in zip(probabilities, found.numpy(), strict=True):
        yes = band.ravel()
        for _ in range(3):
            yes = expit(logit(band.ravel()) + pairs @ yes - pairs @ (1 - yes))
        np.testing.assert_allclose(result[valid], yes.reshape(ROWS, COLUMNS)[valid], atol=2e-5)


def test_nothing_changes_without_weights():
    probabilities, valid, image, seen = small_world(3)
    none = Kernels(0, 1, 0, 1, 1)
    found = mean_field(*tensors(np.log(probabilities), valid, image, seen), kernels=none,
                       iterations=3, overlapping=False)
    np.testing.assert_allclose(found.numpy(), probabilities, atol=1e-6)
    assert none.halo(3) == 0


@pytest.fixture
def scene(tmp_path):
    """An image of 1100 columns, so of two windows, its probabilities, and a hole at their seam."""
    generator = np.random.default_rng(1)
    array = generator.integers(1, 255, (3, 24, 1100), dtype=np.uint8)
    array[:, 5:9, 1018:1030] = 0
    image = write_image(tmp_path / "image.tif", array, nodata=0)
    model = make_model(pointwise(3, 2), gain=60.0, thresholds={"water": 0.4})
    return image, predict(model, image, out=tmp_path / "proba.tif", tile=64, dtype="float32")


def test_windows_do_not_show(scene, tmp_path):
    image, proba = scene
    options = {"iterations": 3, "appearance_range": 2.5, "appearance_values": 0.8}
    out = refine(proba, image, out=tmp_path / "refined.tif", device="cpu", **options)
    with rasterio.open(image) as dataset:
        array = dataset.read().astype(np.float64)
    with rasterio.open(proba) as dataset:
        before = dataset.read()
    valid = (array != 0).any(axis=0)
    spread = [np.diff(np.percentile(band[valid], [15.8655, 84.1345]))[0] / 2 for band in array]
    whole = mean_field(*tensors(np.log(np.where(valid, before, 0.5)), valid,
                                array / np.array(spread)[:, None, None], valid),
                       kernels=Kernels(3.0, 1.0, 5.0, 2.5, 0.8), iterations=3, overlapping=False)
    with rasterio.open(out) as dataset:
        after = dataset.read()
    np.testing.assert_array_equal(np.isfinite(after).all(axis=0), valid)
    np.testing.assert_allclose(after[:, valid], whole.numpy()[:, valid], atol=1e-5)
    assert np.abs(after - before)[:, valid].max() > 0.1


def test_the_halo_is_as_wide_as_it_must_be():
    """What lies one pixel beyond it changes nothing; what lies within can."""
    kernels = Kernels(5.0, 0.5, 5.0, 1.0, 1.0)
    halo = kernels.halo(2)
    assert halo == 6
    unary, image = torch.zeros(2, 1, 30), torch.zeros(1, 1, 30)
    unary[0, 0, ::2] = 1
    seen = torch.ones(1, 30, dtype=torch.bool)

    def first_pixel(changed):
        other = seen.clone()
        if changed is not None:
            other[0, changed] = False
        return mean_field(unary, other, image, other, kernels=kernels, iterations=2,
                          overlapping=False)[0, 0, 0].item()

    assert first_pixel(halo + 1) == first_pixel(None)
    assert first_pixel(halo) != first_pixel(None)


def test_the_file_is_like_the_one_that_came_in(scene, tmp_path):
    image, _ = scene
    model = make_model(pointwise(3, 2), gain=60.0, thresholds={"water": 0.4})
    proba = predict(model, image, out=tmp_path / "bytes.tif", tile=64)
    out = refine(proba, image, out=tmp_path / "refined.tif", iterations=1, appearance=0)
    with open_raster(proba) as before, open_raster(out) as after:
        for fact in ("crs", "transform", "shape", "dtypes", "nodata", "scales", "descriptions"):
            assert getattr(after, fact) == getattr(before, fact), fact
        assert stored_thresholds(after) == {"water": 0.4}
        np.testing.assert_array_equal(after.read_masks(1), before.read_masks(1))
    assert out.with_suffix(".qml").exists()


def test_edges_move_to_those_of_the_image(tmp_path):
    """Unsure, noisy probabilities of a disc: the image shows where its edge is."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    disc = (y - 30)**2 + (x - 33)**2 < 18**2
    array = np.where(disc, 160, 90) + generator.normal(size=(3, 64, 64)) * 8
    image = write_image(tmp_path / "image.tif", array.astype(np.uint8))
    chances = expit(np.where(disc, 0.6, -0.6) + generator.normal(size=disc.shape))
    proba = predict(make_model(Constant([0.0, 0.0])), image, out=tmp_path / "p.tif", tile=64,
                    dtype="float32")
    with rasterio.open(proba, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.write(np.stack([1 - chances, chances]).astype(np.float32))
    out = refine(proba, image, out=tmp_path / "refined.tif", appearance_range=4, device="cpu")
    with rasterio.open(out) as dataset:
        refined = dataset.read(2)
    assert ((chances > 0.5) == disc).mean() < 0.75
    assert ((refined > 0.5) == disc).mean() > 0.995


def test_errors_before_work(scene, tmp_path):
    image, proba = scene
    other = write_image(tmp_path / "other.tif", np.ones((3, 24, 1000), np.uint8))
    with pytest.raises(GridError, match="Give the image that the probabilities were predicted"):
        refine(proba, other, out=tmp_path / "out.tif")
    with pytest.raises(GeosegError, match=r"iterations: is 0\. It should be greater than"):
        refine(proba, image, out=tmp_path / "out.tif", iterations=0)
    with pytest.raises(GeosegError, match="predict"):
        refine(image, image, out=tmp_path / "out.tif")
    assert not (tmp_path / "out.tif").exists()
