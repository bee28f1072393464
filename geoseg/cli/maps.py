"""Commands from model to map: predict, refine, classify, polygonize, trace-coastline, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from geoseg.cli.common import (
    Numbers,
    device_option,
    done,
    out_option,
    overwrite_option,
    task,
    thresholds,
)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@out_option("Probability raster")
@click.option("--model", "more", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
              help="A further model, to average with the first. May be repeated.")
@click.option("--weight", "weights", multiple=True, type=float, metavar="W",
              help="Weight of a model; once for each, the first one first.  [default: all equal]")
@click.option("--tile", type=int, help="Side of a tile in pixels.  [default: as in the recipe]")
@click.option("--overlap", type=float, help="Fraction that neighbouring tiles share and blend.  "
              "[default: as in the recipe]")
@click.option("--blend", type=click.Choice(["hann", "gauss", "box", "crop"]),
              help="How overlapping tiles are joined.  [default: as in the recipe]")
@click.option("--tta", type=click.Choice(["none", "flips", "d4"]),
              help="Average over four flips, or over the eight flips and quarter turns (d4).  "
                   "[default: as in the recipe]")
@click.option("--scales", type=Numbers(), help="Average over the image at these scales, "
              "such as 0.75,1,1.25.  [default: as in the recipe]")
@click.option("--smooth", type=float, help="Standard deviation in pixels of a smoothing before "
              "probabilities are taken.  [default: as in the recipe]")
@click.option("--uncertainty", type=click.Path(path_type=Path),
              help="Also write the entropy, 0 (sure) to 1 (no idea), to this raster.")
@click.option("--dtype", default="uint8", show_default=True,
              type=click.Choice(["uint8", "float32"]), help="How probabilities are stored.")
@device_option
@click.option("--precision", default="auto", show_default=True,
              type=click.Choice(["auto", "32", "bf16", "16"]), help="Arithmetic.")
@click.option("--force", is_flag=True,
              help="Go on even if pixel size or values differ grossly from the training.")
@overwrite_option
def predict(model: Path, image: Path, more: tuple[Path, ...], weights: tuple[float, ...],
            **options: Any) -> None:  # noqa: ANN401
    """Predict class probabilities over an image of any size.

    \b
    Example:
      geoseg predict model.safetensors ortho.tif -o probabilities.tif
      geoseg predict a.safetensors ortho.tif --model b.safetensors --tta flips -o probabilities.tif
    """
    with task("Predict") as progress:
        from geoseg.maps.predict import predict

        path = predict([model, *more], image, weights=weights or None, progress=progress, **options)
    done(path)


@click.command()
@click.argument("proba", type=click.Path(path_type=Path))
@click.argument("image", type=click.Path(path_type=Path))
@out_option("Refined probability raster")
@click.option("--iterations", type=int, help="Mean-field iterations.  [default: 5]")
@click.option("--smoothness", type=float, help="Weight of the kernel that wants neighbours to "
              "agree; 0 for none.  [default: 3]")
@click.option("--smoothness-range", type=float, help="Its standard deviation in pixels.  "
              "[default: 1]")
@click.option("--appearance", type=float, help="Weight of the kernel that wants nearby pixels of "
              "one look to agree; 0 for none.  [default: 5]")
@click.option("--appearance-range", type=float, help="Its standard deviation in pixels.  "
              "[default: 8]")
@click.option("--appearance-values", type=float, help="Its standard deviation in standard "
              "deviations of the bands.  [default: 0.5]")
@device_option
@overwrite_option
def refine(proba: Path, image: Path, **options: Any) -> None:  # noqa: ANN401
    """Draw the edges of probabilities to edges of the image.

    \b
    Example:
      geoseg refine probabilities.tif ortho.tif -o refined.tif
    """
    with task("Refine") as progress:
        from geoseg.maps.refine import refine

        path = refine(proba, image, progress=progress, **options)
    done(path)


@click.command()
@click.argument("proba", type=click.Path(path_type=Path))
@out_option("Class map")
@click.option("--threshold", multiple=True, metavar="T or CLASS=T",
              help="Probability from which a class is mapped; see the manual.  "
                   "[default: what validation found best]")
@click.option("--min-area", default=0.0, show_default=True,
              help="Merge smaller patches into their largest neighbour: m², or pixels without "
                   "georeference.")
@overwrite_option
def classify(proba: Path, out: Path, threshold: tuple[str, ...], min_area: float,
             overwrite: bool) -> None:
    """Turn probabilities into a class map.

    \b
    Example:
      geoseg classify probabilities.tif -o classes.tif --min-area 20
    """
    wanted = thresholds(threshold)
    with task("Classify") as progress:
        from geoseg.maps.classify import classify

        path = classify(proba, out=out, threshold=wanted, min_area=min_area,
                        overwrite=overwrite, progress=progress)
    done(path)


@click.command()
@click.argument("classes", type=click.Path(path_type=Path))
@out_option("Polygons (.gpkg, .fgb, .parquet, .geojson)")
@click.option("--simplify", default=0.0, show_default=True,
              help="Tolerance in metres; neighbours keep their common edges.")
@click.option("--min-area", default=0.0, show_default=True,
              help="Merge smaller patches into their largest neighbour, in m².")
@click.option("--classes", "only", multiple=True, metavar="CLASS",
              help="Only this class. May be repeated.")
@click.option("--proba", type=click.Path(path_type=Path),
              help="Probability raster, for the mean confidence of each polygon.")
@overwrite_option
def polygonize(classes: Path, out: Path, simplify: float, min_area: float, only: tuple[str, ...],
               proba: Path | None, overwrite: bool) -> None:
    """Turn a class map into polygons that share their edges.

    \b
    Example:
      geoseg polygonize classes.tif -o polygons.gpkg --simplify 0.5
    """
    with task("Polygonize") as progress:
        from geoseg.maps.polygons import polygonize

        path = polygonize(classes, out=out, simplify=simplify, min_area=min_area,
                          only=only or None, proba=proba, overwrite=overwrite, progress=progress)
    done(path)


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("chips", type=click.Path(path_type=Path))
@click.option("--split", default="test", show_default=True,
              type=click.Choice(["train", "val", "test"]), help="Which chips to score.")
@out_option("Report (.html; a .json is written beside it)")
@click.option("--objects", metavar="CLASS", help="Class whose patches are objects, such as cells, "
              "to be scored as such too.  [default: as in the recipe]")
@device_option
@overwrite_option
def evaluate(model: Path, chips: Path, split: str, out: Path, objects: str | None, device: str,
             overwrite: bool) -> None:
    """Score a model on chips that it was not trained on.

    \b
    Example:
      geoseg evaluate model.safetensors chips.gpkg --split test -o report.html
    """
    with task("Evaluate") as progress:
        from geoseg.maps.evaluate import evaluate

        scores = evaluate(model, chips, split=split, out=out, objects=objects, device=device,
                          overwrite=overwrite, progress=progress)
    click.echo(scores.table())
    done(out)
