"""Commands for the whole way: run, recipes."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli.common import (
    device_option,
    done,
    out_option,
    overwrite_option,
    sentences,
    settings_option,
    task,
    with_settings,
)


@click.command()
@click.argument("recipe")
@settings_option
@click.option("--image", required=True, type=click.Path(path_type=Path),
              help="Image to learn from and to map.")
@click.option("--aoi", help="Area of interest: a vector file or \"west,south,east,north\" in "
              "degrees.  [default: the whole image]")
@click.option("--osm", type=click.Path(path_type=Path),
              help="OpenStreetMap data at hand: .osm, .pbf or a vector file with tags.")
@click.option("--labels", multiple=True, type=click.Path(path_type=Path),
              help="Vector file or land-cover raster to learn from. May be repeated.")
@out_option("Folder")
@device_option
@overwrite_option
def run(recipe: str, settings: tuple[str, ...], image: Path, aoi: str | None, osm: Path | None,
        labels: tuple[Path, ...], out: Path, device: str, overwrite: bool) -> None:
    """Do the whole chain: from an image to a scored map in one folder.

    Started again, it keeps the steps that are finished and goes on with the rest.

    \b
    Example:
      geoseg run landcover-osm --image ortho.tif --aoi area.gpkg -o map
    """
    with task("Run") as progress:
        from geoseg.chain import run

        result = run(with_settings(recipe, settings), image=image, out=out, aoi=aoi, osm=osm,
                     labels=labels, device=device, overwrite=overwrite, progress=progress)
    for name, path in result.products.items():
        done(path, name)


@click.command()
@click.argument("name", required=False)
@click.option("--schema", is_flag=True, help="Print the JSON schema of recipes.")
def recipes(name: str | None, schema: bool) -> None:
    """List the shipped recipes, or print one to start your own from.

    \b
    Example:
      geoseg recipes buildings > mine.toml
    """
    with sentences():
        from geoseg.recipe import Recipe, recipe_schema, recipe_text, shipped_recipes

        if schema:
            import json

            text = json.dumps(recipe_schema(), indent=1)
        elif name:
            text = recipe_text(name)
        else:
            names = shipped_recipes()
            text = "\n".join(f"{name:<{max(map(len, names)) + 2}}{Recipe.read(name).description}"
                             for name in names)
    click.echo(text)
