"""The commands around coastlines: sea and land, tracing, accuracy, transects, change."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli.common import Numbers, done, out_option, overwrite_option, task

_PATH = click.Path(path_type=Path)
_SIDE = click.Choice(["left", "right"])


@click.command("split-sea-land")
@click.argument("coastline", type=_PATH, required=False)
@click.option("--area", required=True, metavar="AREA",
              help='Vector file of polygons, or "west,south,east,north" in degrees.')
@out_option("Polygons (.gpkg, .fgb, .parquet, .geojson)")
@click.option("--polygons-are", type=click.Choice(["sea", "land"]),
              help="What the polygons are, if COASTLINE holds polygons.")
@click.option("--land", type=_SIDE, default="left", show_default=True,
              help="Side of the lines on which land lies.")
@click.option("--max-gap", default=0.0, show_default=True,
              help="Longest gap in metres that is bridged by a straight line.")
@click.option("--sea-class", default="sea", show_default=True, metavar="CLASS",
              help="Name of the class of what is sea.")
@click.option("--land-class", default="land", show_default=True, metavar="CLASS",
              help="Name of the class of what is land.")
@click.option("--endpoint", default="https://overpass-api.de/api", show_default=True,
              metavar="URL", help="Overpass server.")
@click.option("--cache", type=_PATH, help="Folder in which replies are kept and looked up.")
@click.option("--max-area-km2", default=2500.0, show_default=True,
              help="Larger areas are refused before anything is downloaded.")
@overwrite_option
def split_sea_land(coastline: Path | None, area: str, out: Path, polygons_are: str | None,
                   land: str, max_gap: float, sea_class: str, land_class: str, endpoint: str,
                   cache: Path | None, max_area_km2: float, overwrite: bool) -> None:
    """Split an area into sea and land, by coastlines or by polygons of land or sea.

    Without COASTLINE, OpenStreetMap's is fetched from an Overpass server. Lines have land on their
    left, as in OpenStreetMap.

    \b
    Example:
      geoseg split-sea-land --area 14.1,50.0,14.2,50.1 -o sides.gpkg
    """
    with task("Split sea and land") as progress:
        from geoseg.sources.sea_land import split_sea_land

        path = split_sea_land(
            coastline, area=area, out=out, polygons_are=polygons_are,  # type: ignore[arg-type]
            land=land, max_gap=max_gap, sea_class=sea_class,  # type: ignore[arg-type]
            land_class=land_class, endpoint=endpoint, cache=cache, max_area_km2=max_area_km2,
            overwrite=overwrite, progress=progress)
    done(path)


@click.command("trace-coastline")
@click.argument("proba", type=_PATH, nargs=-1, required=True)
@click.option("--water", required=True, multiple=True, metavar="CLASS",
              help="Class on the wet side. May be repeated.")
@out_option("Lines (.gpkg, .fgb, .parquet, .geojson)")
@click.option("--weights", type=Numbers(), help="How much each of several rasters counts, such as "
              "2,1,1.  [default: all the same]")
@click.option("--area", metavar="AREA", help="Trace only in this area: vector file of polygons, or "
              '"west,south,east,north" in degrees.')
@click.option("--smooth", default=1.0, show_default=True,
              help="Standard deviation in pixels of the smoothing before tracing.")
@click.option("--max-gap", default=0.0, show_default=True,
              help="Longest gap in metres, where data are missing, to bridge.")
@click.option("--min-length", default=0.0, show_default=True, help="Drop shorter coasts, in m.")
@click.option("--simplify", default=0.1, show_default=True,
              help="Largest distance in pixels by which the line may be simplified.")
@click.option("--piece-length", default=0.0, show_default=True,
              help="Cut lines into pieces of about this many metres, each with its confidence.")
@click.option("--sigma-factor", default=1.0, show_default=True,
              help="Factor of the standard deviations, as measure-coastline finds it.")
@click.option("--date", metavar="YYYY-MM-DD", help="Day that the coast was seen on.")
@click.option("--polygons", type=_PATH, help="File for polygons of land and water that share the "
              "line.")
@overwrite_option
def trace_coastline(proba: tuple[Path, ...], water: tuple[str, ...], out: Path,
                    weights: tuple[float, ...] | None, area: str | None, smooth: float,
                    max_gap: float, min_length: float, simplify: float, piece_length: float,
                    sigma_factor: float, date: str | None, polygons: Path | None,
                    overwrite: bool) -> None:
    """Trace the line between water and land, between the pixels.

    Of several probability rasters of one place, such as of several models, the mean counts.

    \b
    Example:
      geoseg trace-coastline probabilities.tif --water water -o coast.gpkg
    """
    with task("Trace coastline") as progress:
        from geoseg.coast.tracing.coastline import trace_coastline

        path = trace_coastline(proba, water=water, out=out, weights=weights, area=area,
                               smooth=smooth, max_gap=max_gap, min_length=min_length,
                               simplify=simplify, piece_length=piece_length,
                               sigma_factor=sigma_factor, date=date, polygons=polygons,
                               overwrite=overwrite, progress=progress)
    done(path)


@click.command("measure-coastline")
@click.argument("lines", type=_PATH)
@click.argument("reference", type=_PATH)
@click.option("--days", type=int, metavar="N", help="Lines meet only the reference of at most N "
              "days before or after.  [default: all]")
@click.option("--within", type=Numbers(), default="5,10,20", show_default=True,
              help="Distances in metres for which to tell the share no farther.")
@click.option("--max-distance", type=float, metavar="METRES",
              help="What is farther has no counterpart on the other coast.")
@click.option("--penalty", type=float, metavar="METRES", help="What the reference counts, in a "
              "second score, where no line lies within the largest distance.")
@click.option("--area", type=_PATH, help="Polygons outside which nothing counts.")
@click.option("--land", type=_SIDE, help="Side of the lines on which land lies, for the bias.  "
              "[default: left, if traced by geoseg]")
@click.option("--step", default=1.0, show_default=True, help="Metres between samples of lines.")
@click.option("--block", type=float, metavar="METRES", help="Length of the blocks of shore drawn "
              "for the intervals.  [default: found from the errors]")
@click.option("--date-field", metavar="FIELD", help="Attribute of the lines with their dates.")
@click.option("--reference-date-field", metavar="FIELD", help="The same of the reference.")
@click.option("--seed", default=0, show_default=True, help="Of the intervals' random numbers.")
@click.option("--json", type=_PATH, help="File for all numbers (.json).")
@click.option("-o", "--out", type=_PATH, help="Layer to write, coloured by error (.gpkg, .fgb, "
              ".parquet, .geojson).")
@overwrite_option
def measure_coastline(lines: Path, reference: Path, days: int | None, within: tuple[float, ...],
                      max_distance: float | None, penalty: float | None, area: Path | None,
                      land: str | None, step: float, block: float | None, date_field: str | None,
                      reference_date_field: str | None, seed: int, json: Path | None,
                      out: Path | None, overwrite: bool) -> None:
    """Measure how far coastlines are from surveyed lines or GPS points.

    \b
    Example:
      geoseg measure-coastline coast.gpkg survey.gpkg --days 10 --json scores.json
    """
    with task("Measure coastline") as progress:
        from geoseg.coast.accuracy.measure import measure_coastline

        scores = measure_coastline(
            lines, reference, days=days, within=within, max_distance=max_distance,
            penalty=penalty, area=area, land=land, step=step, block=block,  # type: ignore[arg-type]
            date_field=date_field, reference_date_field=reference_date_field, seed=seed, json=json,
            out=out, overwrite=overwrite, progress=progress)
    click.echo(scores.table())
    for path in filter(None, (json, out)):
        done(path)


@click.command("cast-transects")
@click.argument("baseline", type=_PATH)
@click.option("--spacing", required=True, type=float, metavar="METRES",
              help="Distance from one transect to the next along the baseline.")
@click.option("--seaward", required=True, type=float, metavar="METRES",
              help="How far they reach to sea.")
@click.option("--landward", required=True, type=float, metavar="METRES",
              help="How far they reach inland.")
@out_option("Transects (.gpkg, .fgb, .parquet, .geojson)")
@click.option("--smooth", default=0.0, show_default=True,
              help="Metres over which the baseline's direction is averaged.")
@click.option("--land", type=_SIDE, default="left", show_default=True,
              help="Side of the baseline on which land lies.")
@overwrite_option
def cast_transects(baseline: Path, spacing: float, seaward: float, landward: float, out: Path,
                   smooth: float, land: str, overwrite: bool) -> None:
    """Cast transects at right angles to a baseline, from land to sea.

    \b
    Example:
      geoseg cast-transects coast.gpkg --spacing 100 --seaward 200 --landward 100 -o transects.gpkg
    """
    with task("Cast transects") as progress:
        from geoseg.coast.change.transects import cast_transects

        path = cast_transects(baseline, spacing=spacing, seaward=seaward, landward=landward,
                              out=out, smooth=smooth, land=land,  # type: ignore[arg-type]
                              overwrite=overwrite, progress=progress)
    done(path)


@click.command("measure-change")
@click.argument("sources", type=_PATH, nargs=-1, required=True)
@click.option("--transects", required=True, type=_PATH,
              help="Straight lines from land to sea, such as cast-transects makes.")
@out_option("GeoPackage with the layers transects and crossings")
@click.option("--report", type=_PATH, help="Page with plots and rates to write too (.html).")
@click.option("--date-field", metavar="FIELD", help="Attribute with the dates.")
@click.option("--name-field", metavar="FIELD", help="Attribute with the names of the transects.")
@click.option("--start", metavar="YYYY-MM-DD", help="First date that counts.")
@click.option("--end", metavar="YYYY-MM-DD", help="Last date that counts.")
@click.option("--sigma-field", metavar="FIELD", help="Attribute with the standard deviation of "
              "each position in m.  [default: sigma_m, where it is there]")
@click.option("--sigma", type=float, metavar="METRES",
              help="Standard deviation of positions that have none of their own.")
@click.option("--crossing", default="seaward", show_default=True,
              type=click.Choice(["seaward", "landward", "median"]),
              help="Which of several crossings on one date counts.")
@click.option("--reach", default=10.0, show_default=True,
              help="Metres by which a point may lie off its transect.")
@click.option("--outliers", type=float, metavar="K", help="Robust standard deviations beyond which "
              "a position does not count; 0: all count.  [default: 3.5 for lines, 0 for points]")
@click.option("--confidence", default=0.95, show_default=True, help="Of the intervals.")
@click.option("--independent", is_flag=True,
              help="Take positions for independent of each other, as DSAS does.")
@click.option("--water-level", type=_PATH, help="Table (.csv) with date and height in metres of "
              "the water, to bring lines to one height.")
@click.option("--level-field", metavar="FIELD", help="Attribute with that height instead.")
@click.option("--slope", type=float, help="Slope of the beach face, tan(beta).")
@click.option("--reference", default=0.0, show_default=True,
              help="Height in metres that lines are brought to.")
@overwrite_option
def measure_change(sources: tuple[Path, ...], transects: Path, out: Path, report: Path | None,
                   crossing: str, overwrite: bool, **options: object) -> None:
    """Measure how fast a coast moves along transects, by dated lines or survey points.

    \b
    Example:
      geoseg measure-change coasts.gpkg --transects transects.gpkg -o change.gpkg --report page.html
    """
    with task("Measure change") as progress:
        from geoseg.coast.change.measure import measure_change

        found = measure_change(
            sources, transects, out=out, report=report, overwrite=overwrite,
            crossing=crossing, progress=progress, **options)  # type: ignore[arg-type]
    click.echo(found.table())
    for path in filter(None, (out, report)):
        done(path)
