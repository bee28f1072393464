"""The command that compares settings: compare."""

from __future__ import annotations

from pathlib import Path

import click

from geoseg.cli.common import (
    device_option,
    done,
    out_option,
    overwrite_option,
    recipe_option,
    task,
    with_settings,
)


@click.command()
@click.argument("chips", type=click.Path(path_type=Path))
@recipe_option
@click.option("--set", "fixed", multiple=True, metavar="KEY=VALUE",
              help="Change a setting of the recipe for all, such as train.steps=300. May be "
                   "repeated.")
@click.option("--vary", multiple=True, metavar="KEY=A|B|...",
              help="Values of a setting to compare, such as \"train.loss=ce|dice\", or for a "
                   "search a range, train.learning_rate=1e-4..1e-2. May be repeated.")
@click.option("--settings", type=click.Path(path_type=Path),
              help="Named settings: a TOML file of [[setting]] tables, each with a name and "
                   "recipe keys.")
@click.option("--seeds", default=3, show_default=True,
              help="How many seeds each setting is trained with.")
@click.option("--sampler", default="grid", show_default=True,
              type=click.Choice(["grid", "random", "tpe"]), help="Which settings are tried.")
@click.option("--trials", type=int, help="How many settings to try.  [default: all of the grid]")
@click.option("--split", default="val", show_default=True,
              type=click.Choice(["train", "val", "test"]), help="Which chips to score.")
@click.option("--metric", default="mean_iou", show_default=True,
              help="Score to rank by: mean_iou, mean_dice, accuracy, kappa, ece, or of one class "
                   "iou:CLASS or dice:CLASS.")
@click.option("--jobs", default=1, show_default=True, help="How many runs at a time.")
@click.option("--chips-shown", default=4, show_default=True,
              help="How many of the chips that settings disagree about most to show.")
@out_option("Folder")
@device_option
@overwrite_option
def compare(chips: Path, recipe: str, fixed: tuple[str, ...], vary: tuple[str, ...],
            settings: Path | None, seeds: int, sampler: str, trials: int | None, split: str,
            metric: str, jobs: int, chips_shown: int, out: Path, device: str,
            overwrite: bool) -> None:
    """Compare settings over the same chips with several seeds.

    Started again, it keeps the runs that are finished and goes on with the rest.

    \b
    Example:
      geoseg compare chips.gpkg -r landcover-osm --vary train.loss="ce|dice" -o comparison
    """
    with task("Compare") as progress:
        from geoseg.comparison.compare import compare

        found = compare(chips, with_settings(recipe, fixed), out=out, vary=vary,
                        settings=settings, seeds=seeds, sampler=sampler, trials=trials,
                        split=split, metric=metric, jobs=jobs, device=device,
                        chips_shown=chips_shown, overwrite=overwrite, progress=progress)
    click.echo(found.table())
    for sentence in found.sentences:
        click.echo(sentence)
    done(found.report)
