"""The formula of a loss: what is read, and what is refused with which cure."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import RecipeError
from geoseg.learn.losses import Loss
from geoseg.recipe.formula import ALIASES, LOSSES, OPTIONS, Term, check_loss, parse_loss
from geoseg.recipe.recipe import Recipe


def test_formulas_are_read():
    assert parse_loss("0.5*ce+dice(smooth=1e-5)") == [
        Term(0.5, "ce", {}), Term(1.0, "dice", {"smooth": 1e-5})]
    assert parse_loss(" focal( gamma = 2 , alpha=.25 ) + 2 * focal-tversky(beta=0.6)") == [
        Term(1.0, "focal", {"gamma": 2.0, "alpha": 0.25}),
        Term(2.0, "focal-tversky", {"alpha": 0.3, "beta": 0.6, "smooth": 1.0, "gamma": 4 / 3})]
    assert parse_loss("bce + jaccard()") == [Term(1.0, "ce", {}), Term(1.0, "iou", {"smooth": 1.0})]
    assert parse_loss("focal(gamma=1e+0) + exp-log") == [
        Term(1.0, "focal", {"gamma": 1.0}),
        Term(1.0, "exp-log", {"gamma": 0.3, "dice": 0.8, "smooth": 1.0})]


@st.composite
def written_terms(draw):
    """Return a term and its text."""
    name, weight = draw(st.sampled_from(LOSSES)), draw(st.floats(1e-3, 1e3))
    options = {key: option.default for key, option in OPTIONS[name].items()
               if option.default is not None}
    given = {key: draw(st.floats(0.01, 0.99)) for key in OPTIONS[name] if draw(st.booleans())}
    space = draw(st.sampled_from(["", " "]))
    inside = f"{space},".join(f"{key}{space}={space}{value}" for key, value in given.items())
    text = f"{weight}{space}*{space}{name}" + (f"({inside})" if inside else "")
    return Term(weight, name, {**options, **given}), text


@given(st.lists(written_terms(), min_size=1, max_size=4))
def test_what_is_written_is_what_is_read(written):
    assert parse_loss(" + ".join(text for _, text in written)) == [term for term, _ in written]


@pytest.mark.parametrize(("formula", "says"), [
    ("", "'' is not a loss; write a sum such as"),
    ("ce +", "'' is not a loss"),
    ("2ce", "'2ce' is not a loss"),
    ("ce - dice", "'ce - dice' is not a loss; write a sum"),
    ("ce + dice * ce", "'dice * ce' is not a loss"),
    ("ce dice", "'ce dice' is not a loss"),
    ("focal(gamma=2", "'focal(gamma=2' is not a loss"),
    ("nan*ce", "'nan*ce' is not a loss"),
    ("focul", "'focul' is not a loss; did you mean 'focal'? known are ce, dice"),
    ("Focal", "did you mean 'focal'?"),
    ("focal_tversky", "did you mean 'focal-tversky'?"),
    ("ce + lovász", "'lovász' is not a loss; did you mean 'lovasz'?"),
    ("magic", "'magic' is not a loss; known are ce, dice, iou"),
    ("0*ce + dice", "the weight 0 of ce must be more than 0; leave out"),
    ("-1*ce + dice", "the weight -1 of ce must be more than 0"),
    ("1e999*ce", "must be more than 0"),
    ("focal(gama=2)", "focal has no option 'gama'; did you mean 'gamma'? known are gamma, alpha"),
    ("lovasz(gamma=2)", "lovasz has no option 'gamma'; it takes none"),
    ("ce(heat=12)", "ce has no option 'heat'; did you mean 'heatmap'? known are heatmap, blur"),
    ("ce(heatmap=0)", "heatmap=0 of ce must be more than 0"),
    ("bce(blur=-1)", "blur=-1 of bce must be more than 0"),
    ("focal(2)", "'2' in the options of focal cannot be read; write name=number"),
    ("focal(gamma=2,)", "'' in the options of focal cannot be read"),
    ("focal(gamma=two)", "'gamma=two' in the options of focal cannot be read"),
    ("focal(gamma=nan)", "'gamma=nan' in the options of focal cannot be read"),
    ("focal(gamma=1, gamma=2)", "focal is given gamma twice"),
    ("focal(gamma=-1)", "gamma=-1 of focal must be at least 0"),
    ("focal(alpha=1)", "alpha=1 of focal must be more than 0, less than 1"),
    ("tversky(alpha=0)", "alpha=0 of tversky must be more than 0"),
    ("gce(q=1.5)", "q=1.5 of gce must be more than 0, at most 1"),
    ("exp-log(dice=1.2)", "dice=1.2 of exp-log must be at least 0, at most 1"),
    ("dice(smooth=1e999)", "smooth=1e999 of dice must be at least 0"),
    ("boundary(reach=0)", "reach=0 of boundary must be more than 0"),
])
def test_what_cannot_be_is_refused_with_its_cure(formula, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_loss(formula)
    with pytest.raises(RecipeError, match=rf"train\.loss: .*{re.escape(says)}"):
        Loss(formula, overlapping=False)


def test_a_recipe_with_a_bad_formula_is_refused_when_it_is_read():
    classes = [{"name": "land", "color": "#00ff00"}, {"name": "water", "color": "#0000ff"}]
    recipe = {"name": "r", "class": classes, "train": {"loss": "ce + 0.5*jaccard(smooth=1e-5)"}}
    assert Recipe.from_dict(recipe).train.loss == "ce + 0.5*jaccard(smooth=1e-5)"
    recipe["train"]["loss"] = "ce + dise"
    with pytest.raises(RecipeError, match="did you mean 'dice'") as error:
        Recipe.from_dict(recipe)
    assert error.value.found.startswith("train.loss: 'dise' is not a loss")


def test_alpha_of_focal_is_for_two_classes():
    check_loss("focal(alpha=0.8)", 2, overlapping=False)
    check_loss("focal(alpha=0.8)", 5, overlapping=True)
    check_loss("0.25*focal", 5, overlapping=False)
    with pytest.raises(ValueError, match=r"there are 3 exclusive classes; write 0\.25\*focal"):
        check_loss("ce + focal(alpha=0.25)", 3, overlapping=False)
    labels = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    with pytest.raises(RecipeError, match="class_weights"):
        Loss("focal(alpha=0.25)", overlapping=False)(torch.zeros(1, 3, 2, 2), labels)


def test_a_heatmap_is_for_overlapping_classes():
    check_loss("ce(heatmap=12)", 1, overlapping=True)
    check_loss("ce(blur=2) + dice", 3, overlapping=False)
    with pytest.raises(ValueError, match=r"write ce\(blur=12\), or set task to overlapping"):
        check_loss("dice + ce(heatmap=12)", 2, overlapping=False)
    with pytest.raises(ValueError, match=r"both heatmap and blur, .* leave out one"):
        check_loss("ce(heatmap=12, blur=2)", 1, overlapping=True)
    coast = [{"name": "coast", "color": "#d7191c"}]
    recipe = {"name": "r", "class": coast, "task": "overlapping", "train": {"loss": "ce(blur=2)"}}
    assert Recipe.from_dict(recipe).train.loss == "ce(blur=2)"
    recipe["class"] = [*coast, {"name": "sea", "color": "#3182bd"}]
    recipe["task"], recipe["train"]["loss"] = "exclusive", "ce(heatmap=9)"
    with pytest.raises(RecipeError, match="heatmap of ce is for overlapping classes"):
        Recipe.from_dict(recipe)


def test_defaults_lie_within_their_bounds_and_names_differ():
    assert not set(ALIASES) & set(LOSSES)
    assert set(ALIASES.values()) <= set(LOSSES)
    assert all(option.default is None or option.admits(option.default)
               or option.default == math.inf
               for options in OPTIONS.values() for option in options.values())
