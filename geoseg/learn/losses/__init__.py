"""Losses by name, in any weighted sum: `0.7*ce + 0.3*dice`.

`geoseg.recipe.formula` reads the formula and lists the names with their options; here stands what
they compute, one module per kind: by pixel, by region, by distance; `soft` makes targets that fade
around a label. docs/methods/losses.md has the formulas with their sources.
"""

from geoseg.learn.losses.loss import Loss

__all__ = ["Loss"]
