"""`info`: what a model, raster or chip plan is, in plain values; loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from geoseg.errors import GeosegError
from geoseg.geo.grid import Grid
from geoseg.geo.legend import Legend
from geoseg.geo.raster import open_raster

if TYPE_CHECKING:
    from geoseg.learn.card import BandCard


def info(file: str | Path) -> dict[str, Any]:
    """Describe a file.

    Args:
        file: Model (.safetensors), chip plan (.gpkg) or raster.

    Returns:
        JSON-ready facts; the first is `kind`.

    Raises:
        GeosegError: The file is none of these, or is damaged.
    """
    path = Path(file)
    if path.suffix == ".safetensors":
        return _model(path)
    if path.suffix == ".gpkg":
        return _plan(path)
    return _raster(path)


def describe(facts: dict[str, Any]) -> str:
    """Return facts as aligned lines for a person; empty lists are left out."""
    plain = {key: value for key, value in facts.items()
             if not isinstance(value, dict) and value != []}
    width = max(len(key) for key in plain) + 2
    return "\n".join(f"{key:<{width}}{_plain(value)}" for key, value in plain.items())


def _model(path: Path) -> dict[str, Any]:
    from geoseg.learn.card import read_card
    from geoseg.learn.scores import decimals

    card = read_card(path)
    scores = card.scores
    return {
        "kind": "model", "file": str(path), "recipe": card.name, "trained": card.created,
        "geoseg": card.geoseg, "task": card.task,
        "classes": [item.name for item in card.classes],
        "bands": [_band(band) for band in card.bands],
        "pixel size": f"{card.resolution:.3g} m" if card.georeferenced else "any (pixel space)",
        "network": card.network.title,
        "temperature": round(card.temperature, 3),
        "thresholds": [f"{name} {value:.2f}" for name, value in card.thresholds.items()],
        "validation": f"mean IoU {decimals(scores.get('mean_iou'))}, accuracy "
                      f"{decimals(scores.get('accuracy'))}",
        "licence": card.licence or "not stated",
        "card": card.model_dump(mode="json"),
    }


def _band(band: BandCard) -> str:
    unit = {"none": "", "sqrt": " after sqrt", "log": " after log", "sigma0": " dB"}[band.transform]
    return f"{band.index} {band.name} ({band.dtype}, {band.low:.4g} to {band.high:.4g}{unit})"


def _plan(path: Path) -> dict[str, Any]:
    from geoseg.samples.plan import ChipPlan

    plan = ChipPlan.read(path)
    counts = plan.frame["split"].value_counts().to_dict()
    return {
        "kind": "chip plan", "file": str(path), "classes": list(plan.legend.names),
        "chip size": f"{plan.size} px", "gap": f"{plan.gap} px",
        "chips": [f"{counts.get(split, 0)} {split}" for split in ("train", "val", "test")],
        "scenes": sorted(set(plan.frame["scene"])),
    }


def _raster(path: Path) -> dict[str, Any]:
    with open_raster(path) as dataset:
        try:
            grid = Grid.of(dataset)
        except GeosegError:
            grid = Grid.of(dataset, georeferenced=False)
        try:
            legend: Legend | None = Legend.of(dataset)
        except GeosegError:
            legend = None
        width, height = grid.pixel_size
        return {
            "kind": "raster", "file": str(path),
            "size": f"{dataset.width} x {dataset.height} px",
            "bands": [f"{index} {name or ''}".strip() for index, name
                      in zip(dataset.indexes, dataset.descriptions, strict=True)],
            "dtype": dataset.dtypes[0], "nodata": dataset.nodata,
            "crs": _crs_name(grid),
            "pixel size": f"{width:.4g} x {height:.4g} m" if grid.is_georeferenced else "1 px",
            "bounds": [round(value, 6) for value in grid.bounds],
            "classes": list(legend.names) if legend else "no geoseg legend",
        }


def _crs_name(grid: Grid) -> str:
    """Return the code of a CRS, such as EPSG:4326, or the name of one that has no code."""
    crs = grid.pyproj_crs
    if crs is None:
        return "none (pixel space)"
    return ":".join(crs.to_authority() or (f"{crs.name} (no code)",))


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
