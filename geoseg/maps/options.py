"""Options of a verb that a recipe holds too: what was asked for, else what the recipe says."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

from pydantic import ValidationError

from geoseg.errors import GeosegError
from geoseg.recipe.base import Section

_Options = TypeVar("_Options", bound=Section)


def chosen(kind: type[_Options], saved: Mapping[str, Any], given: Mapping[str, Any],
           error: type[GeosegError] = GeosegError) -> _Options:
    """Return a section of a recipe with the given values in place of the saved ones.

    Args:
        kind: Type of the section.
        saved: Values that hold otherwise; keys that this version does not know are left out.
        given: What was asked for; None stands for the saved value, or else the default.
        error: What is raised.

    Raises:
        GeosegError: A value is out of range, or a name not known.
    """
    values = {name: value for name, value in saved.items() if name in kind.model_fields}
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        return kind.model_validate(values)
    except ValidationError as found:
        raise _explained(kind, found, error) from found


def _explained(kind: type[Section], found: ValidationError, error: type[GeosegError]
               ) -> GeosegError:
    """Return the first finding as an error of ours."""
    first = found.errors()[0]
    name, value = str(first["loc"][0]), first["input"]
    if first["type"] == "literal_error":
        known = get_args(kind.model_fields[name].annotation)
        nearest = difflib.get_close_matches(str(value).lower(), known, n=1, cutoff=0.5)
        hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
        return error(name, f"{value!r} is not known", f"{hint}Known are {', '.join(known)}")
    return error(name, f"is {value}", first["msg"].replace("Input should", "It should"))
