"""Statistics against numpy on the whole data; scaling by hand."""

import numpy as np

from geoseg.learn.card import BandCard
from geoseg.learn.scaling import Statistics, scale


def test_statistics_gathered_in_parts_equal_those_of_the_whole():
    random = np.random.default_rng(0)
    values = random.normal([[[30000.0]], [[-3.0]]], [[[2.0]], [[10.0]]], (2, 300, 200))
    valid = random.random((2, 300, 200)) < 0.7
    statistics = Statistics(2)
    for rows in np.split(np.arange(300), [10, 120, 121]):
        statistics.add(values[:, rows].astype(np.float32), valid[:, rows])
    kept = [values[band][valid[band]] for band in range(2)]
    np.testing.assert_allclose(statistics.mean, [k.mean() for k in kept], rtol=1e-6)
    np.testing.assert_allclose(statistics.deviation, [k.std() for k in kept], rtol=1e-3)
    np.testing.assert_allclose(statistics.percentile(99), [np.percentile(k, 99) for k in kept],
                               rtol=0.05)


def test_a_band_without_values_is_noticed():
    statistics = Statistics(2)
    statistics.add(np.ones((2, 4, 4)), np.stack([np.ones((4, 4), bool), np.zeros((4, 4), bool)]))
    assert statistics.is_empty


def test_scaling_is_the_formula():
    bands = [BandCard(index=i + 1, name="", dtype="uint16", offset=o, gain=g, low=0, high=1)
             for i, (o, g) in enumerate([(100.0, 20.0), (0.0, 3.0)])]
    values = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4) * 50
    valid = np.ones_like(values, bool)
    valid[1, 2] = False
    offset, gain = np.array([[100.0, 0.0], [20.0, 3.0]])[:, :, None, None]
    expected = (values - offset) / gain
    expected[~valid] = 0
    found = scale(values, valid, bands)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)
