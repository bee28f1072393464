"""The command line: one command per verb, arguments in, one function called.

Exit codes: 0 done, 1 an error that was explained, 2 wrong usage.
"""

from __future__ import annotations

import click

import geoseg
from geoseg.cli import coasts, comparing, labels, learning, maps, whole

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _InOrder(click.Group):
    """A group that lists its commands in the order of the work."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder, context_settings=_CONTEXT)
@click.version_option(geoseg.__version__, prog_name="geoseg")
def main() -> None:
    """From an image and OpenStreetMap to a scored map.

    The steps, in order: fetch-osm, burn-labels, plan-chips, train, predict, refine, classify,
    polygonize, evaluate. `geoseg run` does all of them (refine only if the recipe
    says so). Every result opens in QGIS.

    Coasts: split-sea-land makes labels, trace-coastline draws the line, measure-coastline scores
    it against a survey; cast-transects and measure-change follow it over the years.
    """


for command in (labels.fetch_osm, labels.burn_labels, labels.plan_chips, labels.export_chips,
                learning.train, learning.info, maps.predict, maps.refine, maps.classify,
                maps.polygonize, maps.evaluate, comparing.compare, whole.run, whole.recipes,
                coasts.split_sea_land, coasts.trace_coastline, coasts.measure_coastline,
                coasts.cast_transects, coasts.measure_change):
    main.add_command(command)
