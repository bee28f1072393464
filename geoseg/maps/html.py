"""Pages from templates: one style for all, and nothing that is named in data breaks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geoseg.geo.legend import LegendClass
from geoseg.learn.scores import decimals
from geoseg.maps.wording import class_sentence, percent


def render(package: str, template: str, content: Mapping[str, Any]) -> str:
    """Return a page as HTML.

    Args:
        package: Package whose folder `templates` holds the template.
        template: Its file name. It may include what lies beside this module's own templates, such
            as `style.css`.
        content: Values by the names that the template uses; all texts are escaped.
    """
    from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

    places = ChoiceLoader([PackageLoader(package), PackageLoader("geoseg.maps")])
    environment = Environment(loader=places, autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    environment.filters.update(css=_css, decimals=decimals, percent=percent,
                               sentence=class_sentence)
    return environment.get_template(template).render(content)


def _css(item: LegendClass) -> str:
    """Return a class's colour for a style, made anew so that nothing else gets in with it."""
    return "#{:02x}{:02x}{:02x}".format(*item.rgb)
