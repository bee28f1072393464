"""`ChipPlan`: which squares of which scenes train, validate and test; a layer one can look at."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geoseg.errors import GeosegError, PlanError
from geoseg.geo.grid import Grid
from geoseg.geo.ground import ground_areas
from geoseg.geo.legend import Legend
from geoseg.geo.raster import open_raster
from geoseg.geo.style.vectors import Look, category_style
from geoseg.geo.vector import layers, read_layer, write_layer
from geoseg.samples.world import World
from geoseg.tables import aligned

if TYPE_CHECKING:
    import geopandas as gpd

SPLITS = ("train", "val", "test")
"""The three parts of a plan; their order is that of `ChipsRecipe.split`."""
SPLIT_NAMES = {"train": "training", "val": "validation", "test": "test"}
"""The splits in words."""
SPLIT_COLORS = {"train": "#4477aa", "val": "#ccbb44", "test": "#ee6677"}
"""Colours of the splits, told apart with any colour vision (Tol 2021, bright scheme)."""

_FORMAT = 1
_LAYER = "chips"
_TAG = "GEOSEG_CHIPS"
_WINDOW = ("col", "row", "width", "height")
_AGAIN = "Plan again with plan-chips"
_STYLE = category_style(
    "split", [(split, SPLIT_NAMES[split], SPLIT_COLORS[split]) for split in SPLITS],
    # The image shall show through.
    Look("polygon", opacity=0.2, outline=0.6, bright_outline=True))


@dataclass(frozen=True, eq=False)
class ChipPlan:
    """The chips of one or several scenes, split in space; saved as a GeoPackage layer `chips`.

    Frame columns:
        scene, label: Absolute paths of image and label raster, in POSIX form. In the file they
            are relative to it, so that a project folder can be moved as a whole.
        col, row, width, height: Window of the chip in pixels of its scene.
        split: `train`, `val` or `test`.
        block: Number of the spatial block; a block lies in one split as a whole.
        valid: Share of the chip's pixels, 0 to 1, that have image data and a label.
        share_0, share_1, ...: Share of each class among the labelled pixels, 0 to 1. Of
            overlapping classes each has its own share.
        weight: Chance of being drawn in training, relative; mean 1 over the training chips.
        geometry: The chip's square in the CRS of the first scene. In pixel space x is the column
            and y the negative row, and further scenes stand to the right of the first.
    """

    frame: gpd.GeoDataFrame
    """One row per chip, in order of scene, row and column."""
    legend: Legend
    """Classes of the label rasters."""
    size: int
    """Side of a chip in pixels; of the largest where tiles from elsewhere differ."""
    gap: int
    """Pixels that lie at least between chips of different splits."""
    seed: int
    """Seed of the assignment of blocks to splits."""
    georeferenced: bool = True
    """False if the plan is in pixel space."""
    path: Path | None = None
    """File of the plan, if it has one."""

    def rows(self, split: str) -> gpd.GeoDataFrame:
        """Return the chips of one split, as rows of the frame; maybe none.

        Raises:
            PlanError: There is no such split.
        """
        if split not in SPLITS:
            raise PlanError(f"split {split!r}", f"is not one of {', '.join(SPLITS)}",
                            "Use one of these")
        return self.frame[self.frame["split"] == split]

    def shares(self, split: str) -> np.ndarray:
        """Return the share of each class among the labelled pixels of a split.

        Returns:
            float64 (classes,) in 0..1; zeros for an empty split.
        """
        rows = self.rows(split)
        shares = rows[[f"share_{value}" for value in range(len(self.legend))]].to_numpy(float)
        pixels = (rows["valid"] * rows["width"] * rows["height"]).to_numpy(float)
        return np.asarray(pixels @ shares / max(float(pixels.sum()), 1.0))

    def table(self) -> str:
        """Return chips, ground area and class shares of each split as aligned text."""
        head = ["split", "chips", "area", *self.legend.names]
        return aligned([head, *(self._line(split) for split in SPLITS)])

    def _line(self, split: str) -> list[str]:
        rows = self.rows(split)
        shares = [f"{100 * share:.1f} %" for share in self.shares(split)]
        return [split, str(len(rows)), _area_text(rows), *shares]

    def write(self, path: str | Path) -> ChipPlan:
        """Write the plan and return it with its path.

        Args:
            path: New .gpkg file, checked before with `check_output`.

        Raises:
            OutputError: The system refused to write.
        """
        path = Path(path)
        folder = path.absolute().parent
        frame = self.frame.assign(**{name: [_relative(value, folder) for value in self.frame[name]]
                                     for name in ("scene", "label")})
        facts = {"format": _FORMAT, "size": self.size, "gap": self.gap, "seed": self.seed,
                 "georeferenced": self.georeferenced, "legend": self.legend.to_dict(),
                 "folder": folder.as_posix()}
        write_layer(frame, path, layer=_LAYER,
                    metadata={_TAG: json.dumps(facts, ensure_ascii=False)}, style=_STYLE)
        return replace(self, path=path)

    @classmethod
    def read(cls, path: str | Path) -> ChipPlan:
        """Read a plan and check that its scenes and labels are still what they were.

        Args:
            path: GeoPackage made by `plan_chips`; edited by hand it may be.

        Raises:
            PlanError: The file is no chip plan, holds an unknown split, or a scene or label is
                missing, changed its size, or no longer shares one grid; or the layer was edited so
                that two splits share a pixel.
        """
        path = Path(path)
        facts = _facts(path)
        frame = read_layer(path, _LAYER)
        legend = Legend.from_dict(facts["legend"])
        _check_columns(path, frame, legend)
        folders = path.absolute().parent, Path(facts["folder"])
        places = {value: _resolve(value, folders, path)
                  for value in {*frame["scene"], *frame["label"]}}
        frame = frame.assign(scene=frame["scene"].map(places), label=frame["label"].map(places))
        _check_apart(path, frame, _check_scenes(path, frame, facts["georeferenced"]))
        return cls(frame, legend, facts["size"], facts["gap"], facts["seed"],
                   facts["georeferenced"], path)


def _area_text(rows: gpd.GeoDataFrame) -> str:
    if rows.empty:
        return "-"
    union = np.array([shapely.union_all(rows.geometry.to_numpy())])
    area = float(ground_areas(union, rows.crs)[0])
    if rows.crs is None:
        return f"{area / 1e6:.2f} Mpx"
    return f"{area / 1e6:.2f} km²" if area >= 1e5 else f"{area:.0f} m²"


def _relative(target: str, folder: Path) -> str:
    """Return a path as seen from a folder, or as it is on another drive."""
    try:
        return Path(os.path.relpath(target, folder)).as_posix()
    except ValueError:
        return target


def _resolve(stored: str, folders: tuple[Path, ...], plan: Path) -> str:
    """Find a stored path from where the plan lies now, else from where it was written."""
    candidates = [Path(os.path.normpath(folder / stored)) for folder in folders]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.as_posix()
    raise PlanError(plan, f"refers to {candidates[0]}, which does not exist",
                    f"{_AGAIN}, or put the file back")


def _facts(path: Path) -> dict[str, Any]:
    """Return the metadata that makes a GeoPackage a chip plan."""
    import pyogrio

    if not path.is_file():
        raise PlanError(path, "does not exist", "Check the path, or make it with plan-chips")
    try:
        available = layers(path)
    except GeosegError:
        available = []
    found = pyogrio.read_info(path, layer=_LAYER)["layer_metadata"] if _LAYER in available else {}
    if _TAG not in (found or {}):
        raise PlanError(path, "is not a chip plan", "Give a file made by plan-chips")
    facts: dict[str, Any] = json.loads(found[_TAG])
    if facts["format"] != _FORMAT:
        raise PlanError(path, f"has format {facts['format']}; this geoseg reads {_FORMAT}",
                        f"{_AGAIN} of this version")
    return facts


def _check_columns(path: Path, frame: gpd.GeoDataFrame, legend: Legend) -> None:
    wanted = {"scene", "label", *_WINDOW, "split", "block", "valid", "weight",
              *(f"share_{value}" for value in range(len(legend)))}
    missing = sorted(wanted - set(frame.columns))
    if missing:
        raise PlanError(path, f"lacks the column {missing[0]!r}", _AGAIN)
    if frame.empty or frame[sorted(wanted)].isna().to_numpy().any():
        raise PlanError(path, "holds no chips" if frame.empty else "has empty cells", _AGAIN)
    unknown = sorted(set(frame["split"]) - set(SPLITS))
    if unknown:
        raise PlanError(path, f"has a chip with split {unknown[0]!r}",
                        f"Set it to {', '.join(SPLITS)}, or delete the chip")


def _check_scenes(path: Path, frame: gpd.GeoDataFrame, georeferenced: bool) -> dict[str, Grid]:
    """Check that each scene and label share one grid, in which the chips lie; return the grids."""
    found = {}
    for (scene, label), rows in frame.groupby(["scene", "label"]):
        grids = []
        for name in (scene, label):
            with open_raster(name) as dataset:
                grids.append(Grid.of(dataset, georeferenced=georeferenced))
        try:
            grids[0].require_same(grids[1], label, scene)
        except GeosegError as error:
            raise PlanError(path, f"is out of date: {label} {error.found}", _AGAIN) from error
        if not _inside(rows, grids[0]):
            raise PlanError(path, f"has chips that reach beyond {scene}",
                            f"{_AGAIN}, since the image was replaced")
        found[scene] = grids[0]
    return found


def _check_apart(path: Path, frame: gpd.GeoDataFrame, grids: dict[str, Grid]) -> None:
    """Check that no pixel is in two splits, since the layer may have been edited by hand."""
    numbers = {scene: number for number, scene in enumerate(grids)}
    pairs = World.of(list(grids.values()), 1).near(
        frame["scene"].map(numbers).to_numpy(), frame[list(_WINDOW)].to_numpy(), 0)
    split = frame["split"].to_numpy()
    shared = pairs[split[pairs[:, 0]] != split[pairs[:, 1]]]
    if len(shared):
        first, second = split[shared[0]]
        raise PlanError(path, f"has {first} and {second} chips that share pixels",
                        f"{_AGAIN}, or undo the change to their split")


def _inside(rows: gpd.GeoDataFrame, grid: Grid) -> bool:
    columns, lines, widths, heights = (rows[name].to_numpy() for name in _WINDOW)
    return bool((columns >= 0).all() and (lines >= 0).all()
                and (columns + widths <= grid.width).all()
                and (lines + heights <= grid.height).all())
