"""Commands around the model: train, info."""

from __future__ import annotations

import json
from pathlib import Path

import click

from geoseg.cli.common import (
    device_option,
    done,
    out_option,
    overwrite_option,
    recipe_option,
    sentences,
    settings_option,
    task,
    with_settings,
)


@click.command()
@click.argument("chips", type=click.Path(path_type=Path))
@recipe_option
@settings_option
@out_option("Model (.safetensors)")
@click.option("--run-dir", type=click.Path(path_type=Path),
              help="Folder for log, curves and resumable state.  [default: beside the model]")
@click.option("--resume", is_flag=True, help="Go on from the state in the run folder.")
@device_option
@click.option("--devices", default=1, show_default=True, help="How many devices to share a step.")
@overwrite_option
def train(chips: Path, recipe: str, settings: tuple[str, ...], out: Path, run_dir: Path | None,
          resume: bool, device: str, devices: int, overwrite: bool) -> None:
    """Train a network on a chip plan.

    \b
    Example:
      geoseg train chips.gpkg -r landcover-osm -o model.safetensors
    """
    with task("Train") as progress:
        from geoseg.learn.scores import Scores
        from geoseg.learn.train import train

        model = train(chips, with_settings(recipe, settings), out=out, run_dir=run_dir,
                      resume=resume, device=device, devices=devices, overwrite=overwrite,
                      progress=progress)
    click.echo("On the validation chips:")
    click.echo(Scores.from_dict(model.card.scores).table())
    done(out)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def info(file: Path, as_json: bool) -> None:
    """Tell what a model, a raster or a chip plan is.

    \b
    Example:
      geoseg info model.safetensors
    """
    with sentences():
        from geoseg.describe import describe, info

        facts = info(file)
    click.echo(json.dumps(facts, indent=1, ensure_ascii=False) if as_json else describe(facts))
