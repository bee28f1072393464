"""The curriculum: pure chips first, mixed ones later, all of them in the end."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy

from geoseg.learn.curriculum import chances, make_chances, mixture
from geoseg.learn.dataset import Scenes, TrainingCrops
from geoseg.learn.preflight import make_card
from geoseg.progress import silent
from geoseg.recipe import AugmentRecipe
from tests.learn.scenes import make_plan, make_recipe


def test_mixture_is_the_entropy_of_the_classes():
    shares = np.array([[1, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3], [0.9, 0.1, 0]])
    expected = [entropy(row) for row in shares]
    np.testing.assert_allclose(mixture(shares, overlapping=False), expected, atol=1e-12)
    assert expected[0] < expected[3] < expected[1] < expected[2]


def test_overlapping_classes_are_mixed_each_on_its_own():
    shares = np.array([[1, 1], [0.5, 1], [0.5, 0.5], [0.2, 0.0]])
    expected = [0, np.log(2) / 2, np.log(2), entropy([0.2, 0.8]) / 2]
    np.testing.assert_allclose(mixture(shares, overlapping=True), expected, atol=1e-12)


def test_the_pool_grows_from_the_easiest_quarter_to_all():
    difficulty = np.array([7, 3, 1, 5, 0, 2, 6, 4], float)
    weights = np.arange(1.0, 9.0)

    def pool(step):
        found = chances(step, steps=100, share=0.6, weights=weights, difficulty=difficulty)
        assert found.sum() == pytest.approx(1)
        inside = found > 0
        np.testing.assert_allclose(found[inside] / found[inside][0],
                                   weights[inside] / weights[inside][0])
        return set(difficulty[inside].astype(int))

    assert pool(0) == {0, 1}
    # A quarter and three quarters of 20 / 60: half of the eight chips.
    assert pool(20) == {0, 1, 2, 3}
    assert pool(21) == {0, 1, 2, 3, 4}
    assert pool(59) == pool(60) == pool(99) == set(range(8))


@given(arrays(float, 12, elements=st.sampled_from([0.0, 0.1, 0.5, 0.7])),
       arrays(float, 12, elements=st.sampled_from([0.0, 1.0, 3.0])), st.integers(0, 49),
       st.permutations(range(12)))
def test_chances_depend_on_difficulty_alone(difficulty, weights, step, order):
    weights[0] = 1.0

    def at(step, order):
        return chances(step, steps=50, share=0.8, weights=weights[order],
                       difficulty=difficulty[order])

    found, order = at(step, np.arange(12)), np.array(order)
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(at(step, order), found[order])
    assert set(np.flatnonzero(found)) <= set(np.flatnonzero(at(step + 1, np.arange(12))))
    drawn = weights > 0
    assert max(difficulty[found > 0]) <= min(difficulty[drawn & (found == 0)], default=1)


def test_without_a_curriculum_chips_are_drawn_by_weight():
    weights = np.array([1.0, 2.0, 5.0])
    found = chances(0, steps=10, share=0.0, weights=weights, difficulty=np.array([2.0, 1.0, 0.0]))
    np.testing.assert_array_equal(found, [0.125, 0.25, 0.625])


def test_training_sees_pure_chips_before_mixed_ones(tmp_path):
    plan = make_plan(tmp_path)
    chips = plan.rows("train")
    difficulty = mixture(chips[["share_0", "share_1"]].to_numpy(), overlapping=False)
    drawn = make_chances(chips, 100, 0.5, overlapping=False)
    card = make_card(plan, make_recipe(), "32", silent)
    with Scenes() as scenes:
        crops = TrainingCrops(scenes, chips, card.bands, AugmentRecipe(scale=(0.5, 0.51)), 32, 0,
                              drawn)
        mixed = [np.mean([4 * share * (1 - share) for share in
                          [(crops.crop(step, index)[1] == 1).mean() for index in range(80)]])
                 for step in (0, 50)]
    assert difficulty[drawn(0) > 0].max() <= np.quantile(difficulty, 0.3)
    assert (drawn(50) > 0).all()
    assert mixed[0] < 0.6 * mixed[1]
