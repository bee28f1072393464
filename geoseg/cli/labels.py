"""Commands from sources to chips: fetch-osm, burn-labels, plan-chips, export-chips."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli.common import (
    Split,
    done,
    optional_recipe_option,
    out_option,
    overwrite_option,
    recipe_option,
    settings_option,
    task,
    with_settings,
)


@click.command("fetch-osm")
@click.argument("aoi")
@recipe_option
@settings_option
@out_option("GeoPackage")
@click.option("--file", type=click.Path(path_type=Path),
              help="Read this .osm or .pbf extract instead of asking a server.")
@click.option("--endpoint", default="https://overpass-api.de/api", show_default=True,
              help="Overpass server.")
@click.option("--cache", type=click.Path(path_type=Path), metavar="FOLDER",
              help="Folder in which replies of the server are kept and looked up.")
@click.option("--max-area", "max_area_km2", default=2500.0, show_default=True,
              help="Largest area in km² to ask a server for.")
@overwrite_option
def fetch_osm(aoi: str, recipe: str, settings: tuple[str, ...], out: Path, file: Path | None,
              endpoint: str, cache: Path | None, max_area_km2: float, overwrite: bool) -> None:
    """Fetch the OpenStreetMap features that RECIPE names, inside AOI.

    AOI is a vector file, or "west,south,east,north" in degrees. The result has a column `class`.

    \b
    Example:
      geoseg fetch-osm 8.40,49.90,8.45,49.93 -r landcover-osm -o osm.gpkg
    """
    with task("Fetch OSM") as progress:
        from geoseg.sources.osm import fetch_osm

        path = fetch_osm(aoi, with_settings(recipe, settings), out=out, file=file,
                         endpoint=endpoint, cache=cache, max_area_km2=max_area_km2,
                         overwrite=overwrite, progress=progress)
    done(path)


@click.command("burn-labels")
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@recipe_option
@settings_option
@click.option("--like", required=True, type=click.Path(path_type=Path),
              help="Image on whose grid the labels are made.")
@click.option("--assign", nargs=2, multiple=True, metavar="FILE CLASS",
              help="Every feature of FILE is CLASS. May be repeated.")
@click.option("--within", metavar="AOI",
              help="Leave out of training what lies outside: a vector file or "
                   "\"west,south,east,north\" in degrees.")
@out_option("Label raster")
@overwrite_option
def burn_labels(sources: tuple[str, ...], recipe: str, settings: tuple[str, ...], like: Path,
                assign: tuple[tuple[str, str], ...], within: str | None, out: Path,
                overwrite: bool) -> None:
    """Burn vectors and land-cover rasters into a label raster on an image's grid.

    Where sources overlap, the class that stands later in RECIPE wins. Lines become as wide as
    their tags or the recipe say, in metres.

    \b
    Example:
      geoseg burn-labels osm.gpkg -r landcover-osm --like ortho.tif -o labels.tif
    """
    with task("Burn labels") as progress:
        from geoseg.samples.labels import burn_labels

        path = burn_labels([*sources, *(file for file, _ in assign)],
                           with_settings(recipe, settings), like=like, out=out,
                           assign=dict(assign), within=within, overwrite=overwrite,
                           progress=progress)
    done(path)


@click.command("plan-chips")
@click.argument("image", required=False, type=click.Path(path_type=Path))
@click.argument("labels", required=False, type=click.Path(path_type=Path))
@click.option("--scene", "scenes", nargs=2, multiple=True, type=click.Path(path_type=Path),
              metavar="IMAGE LABELS", help="A further scene and its labels. May be repeated.")
@click.option("--from", "folder", type=click.Path(path_type=Path),
              help="Take in a folder of tiles as export-chips writes it.")
@optional_recipe_option
@settings_option
@click.option("--size", type=int, help="Side of a chip in pixels.  [default: 256]")
@click.option("--split", type=Split(), help="Shares of training, validation and test area.  "
              "[default: 70/15/15]")
@click.option("--block", type=int, help="Side of a spatial block in chips.")
@click.option("--seed", type=int, help="Seed of the split.")
@click.option("--overlap", default=0.0, show_default=True,
              help="Fraction that neighbouring chips share.")
@click.option("--random", type=int, metavar="N", help="N random chips instead of a regular plan.")
@click.option("--min-valid", default=0.25, show_default=True,
              help="Smallest share of a chip that must have data and labels.")
@out_option("Chip plan (GeoPackage)")
@overwrite_option
def plan_chips(image: Path | None, labels: Path | None, scenes: tuple[tuple[Path, Path], ...],
               folder: Path | None, recipe: str | None, settings: tuple[str, ...],
               size: int | None, split: tuple[float, float, float] | None, block: int | None,
               seed: int | None, overlap: float, random: int | None, min_valid: float, out: Path,
               overwrite: bool) -> None:
    """Plan training, validation and test chips, in spatial blocks a chip apart.

    The plan is a layer of squares: open it over the image before training.

    \b
    Example:
      geoseg plan-chips ortho.tif labels.tif --size 256 --split 70/15/15 -o chips.gpkg
    """
    if settings and recipe is None:
        raise click.UsageError("--set changes a setting of a recipe: give --recipe, too")
    with task("Plan chips") as progress:
        from geoseg.samples.chips import plan_chips

        plan = plan_chips(image, labels, scenes=scenes, folder=folder,
                          recipe=with_settings(recipe, settings) if recipe else None, size=size,
                          split=split, block=block, seed=seed, overlap=overlap, random=random,
                          min_valid=min_valid, out=out, overwrite=overwrite, progress=progress)
    click.echo(plan.table())
    done(out)


@click.command("export-chips")
@click.argument("chips", type=click.Path(path_type=Path))
@out_option("Folder")
@overwrite_option
def export_chips(chips: Path, out: Path, overwrite: bool) -> None:
    """Cut a chip plan into georeferenced image and label tiles, for use elsewhere.

    \b
    Example:
      geoseg export-chips chips.gpkg -o tiles
    """
    with task("Export chips") as progress:
        from geoseg.samples.export import export_chips

        path = export_chips(chips, out=out, overwrite=overwrite, progress=progress)
    done(path)
