"""`export_chips`: cut a chip plan into GeoTIFF tiles for those who train elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geoseg.errors import OutputError, RasterError
from geoseg.geo.grid import PIXEL_SPACE_TAG, Grid
from geoseg.geo.output import check_output, not_written, replacing_folder
from geoseg.geo.raster import damaged, may_lack_georeference, open_raster
from geoseg.progress import Progress, silent
from geoseg.samples.plan import SPLITS, ChipPlan
from geoseg.samples.tiles import FACTS

if TYPE_CHECKING:
    import geopandas as gpd

_FORMAT = 1
_GROUP = 4
_FILE_TAGS = ("AREA_OR_POINT", "OVR_RESAMPLING_ALG")
_THREADS = min(8, os.cpu_count() or 1)


def export_chips(chips: ChipPlan | str | Path, *, out: str | Path, overwrite: bool = False,
                 progress: Progress = silent) -> Path:
    """Cut a plan into pairs of GeoTIFF tiles, one image and one label per chip.

    Tiles are `OUT/{train,val,test}/{images,labels}/SCENE_ROW_COLUMN.tif`. Pixels, data type, bands
    with their names and colours, nodata, masks, scale and tags are those of the scene; a label
    tile keeps legend and colour table. `OUT/chips.json` tells where each tile comes from. The
    folder can be planned from again with `plan_chips(folder=OUT)`.

    Args:
        chips: Chip plan, or its file.
        out: Folder to make.
        overwrite: Whether an earlier export there may be replaced, as a whole.
        progress: Progress over the tiles.

    Returns:
        The folder.

    Raises:
        OutputError: `out` cannot be written, or is a folder with other things in it.
        PlanError: The plan no longer fits its scenes.
        RasterError: A scene cannot be read.
    """
    folder = _check_folder(Path(out), overwrite)
    plan = chips if isinstance(chips, ChipPlan) else ChipPlan.read(chips)
    names = tile_names(plan.frame)
    with replacing_folder(folder) as part:
        for split in SPLITS:
            for kind in ("images", "labels"):
                (part / split / kind).mkdir(parents=True)
        jobs = list(_jobs(plan.frame, names, part))
        # Warning filters are shared by all threads, so they are set once around the pool.
        with may_lack_georeference(), ThreadPoolExecutor(_THREADS) as pool:
            try:
                _run(pool, jobs, plan.georeferenced, progress)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        (part / FACTS).write_text(json.dumps(_facts(plan, names), ensure_ascii=False, indent=1),
                                  encoding="utf-8")
    return folder


def tile_names(frame: gpd.GeoDataFrame) -> list[str]:
    """Return the tile name of each chip; scenes of one name in different folders are numbered."""
    stems: dict[str, str] = {}
    for scene in dict.fromkeys(frame["scene"]):
        stem, number = Path(scene).stem, 2
        name = stem
        while name in stems.values():
            name, number = f"{stem}-{number}", number + 1
        stems[scene] = name
    return [f"{stems[scene]}_{row:05d}_{column:05d}" for scene, row, column
            in zip(frame["scene"], frame["row"], frame["col"], strict=True)]


def _check_folder(folder: Path, overwrite: bool) -> Path:
    """Check that the folder is new or empty, or an earlier export that may be replaced."""
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / FACTS).is_file():
            raise OutputError(folder, "is a folder with other things in it",
                              "Name a new folder, or one made by export-chips before")
        if not overwrite:
            raise OutputError(folder, "exists already", "Choose another name, or allow "
                              "overwriting (command line: --overwrite)")
        return folder
    return folder if folder.is_dir() else check_output(folder)


@dataclass(frozen=True, slots=True)
class _Job:
    """Neighbouring chips of one raster, cut from one reading."""

    source: str
    windows: np.ndarray
    targets: list[Path]


def _jobs(frame: gpd.GeoDataFrame, names: list[str], folder: Path) -> Iterator[_Job]:
    """Group the chips of each raster by squares of whole blocks, so that each is read about once.

    The squares are some chips wide, so memory does not grow with the scene; a raster stored in
    full-width strips is read in full width and fewer rows.
    """
    for column, kind in (("scene", "images"), ("label", "labels")):
        targets = np.array([str(folder / split / kind / f"{name}.tif") for split, name
                            in zip(frame["split"], names, strict=True)])
        for source, rows in frame.assign(target=targets).groupby(column):
            with open_raster(source) as dataset:
                block_height, block_width = dataset.block_shapes[0]
                is_striped = block_width == dataset.width
            size = int(rows[["width", "height"]].to_numpy().max())
            high = _round_up(size if is_striped else _GROUP * size, block_height)
            wide = _round_up(_GROUP * size, block_width)
            for _, group in rows.groupby([rows["row"] // high, rows["col"] // wide]):
                yield _Job(str(source), group[["col", "row", "width", "height"]].to_numpy(),
                           [Path(target) for target in group["target"]])


def _round_up(value: int, step: int) -> int:
    return -(-value // step) * step


def _run(pool: ThreadPoolExecutor, jobs: list[_Job], georeferenced: bool,
         progress: Progress) -> None:
    futures = {pool.submit(_cut, job, georeferenced): job for job in jobs}
    done, total = 0, sum(len(job.targets) for job in jobs)
    progress(0.0, "cutting tiles")
    for future in as_completed(futures):
        future.result()
        done += len(futures[future].targets)
        progress(done / total, "cutting tiles")


def _cut(job: _Job, georeferenced: bool) -> None:
    """Read the rectangle around some chips once and write each chip out of it."""
    left, top = (int(value) for value in job.windows[:, :2].min(axis=0))
    right, bottom = (int(value) for value in (job.windows[:, :2] + job.windows[:, 2:]).max(axis=0))
    around = Window(left, top, right - left, bottom - top)
    with open_raster(job.source) as dataset:
        grid = Grid.of(dataset, georeferenced=georeferenced)
        try:
            pixels = dataset.read(window=around)
            mask = dataset.read_masks(1, window=around) if _has_own_mask(dataset) else None
        except RasterioError as error:
            raise damaged(job.source, around) from error
        for window, target in zip(job.windows.tolist(), job.targets, strict=True):
            column, row, width, height = window
            rows = slice(row - top, row - top + height)
            columns = slice(column - left, column - left + width)
            _write_tile(target, dataset, grid.crop(Window(*window)), pixels[:, rows, columns],
                        None if mask is None else mask[rows, columns])


def _has_own_mask(dataset: DatasetReader) -> bool:
    """Whether the file has a mask that is neither nodata nor an alpha band."""
    flags = dataset.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _write_tile(path: Path, source: DatasetReader, grid: Grid, pixels: np.ndarray,
                mask: np.ndarray | None) -> None:
    """Write one tile like its source, and read it back: on a full disk GDAL reports success."""
    place = {"crs": grid.crs, "transform": grid.transform} if grid.is_georeferenced else {}
    try:
        with (rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
              rasterio.open(path, "w", driver="GTiff", width=grid.width, height=grid.height,
                            count=source.count, dtype=source.dtypes[0], nodata=source.nodata,
                            compress="deflate", photometric="minisblack", **place) as tile):
            _describe(tile, source, grid)
            tile.write(pixels)
            if mask is not None:
                tile.write_mask(mask)
        with open_raster(path) as tile:
            is_whole = np.array_equal(tile.read(), pixels, equal_nan=pixels.dtype.kind == "f")
    except (RasterioError, RasterError) as error:
        raise not_written(path) from error
    if not is_whole:
        raise not_written(path, "was damaged while it was written")


def _describe(tile: rasterio.io.DatasetWriter, source: DatasetReader, grid: Grid) -> None:
    tags = {name: value for name, value in source.tags().items() if name not in _FILE_TAGS}
    tile.update_tags(**{**tags, **({} if grid.is_georeferenced else PIXEL_SPACE_TAG)})
    tile.colorinterp = source.colorinterp
    tile.scales, tile.offsets = source.scales, source.offsets
    for index, name in enumerate(source.descriptions, start=1):
        if name:
            tile.set_band_description(index, name)
    if ColorInterp.palette in source.colorinterp:
        tile.write_colormap(1, source.colormap(1))


def _facts(plan: ChipPlan, names: list[str]) -> dict[str, object]:
    """Return what `chips.json` says."""
    columns = ["split", "col", "row", "width", "height", "block"]
    rows = plan.frame[columns].to_dict("records")
    return {
        "format": _FORMAT, "size": plan.size, "gap": plan.gap, "seed": plan.seed,
        "georeferenced": plan.georeferenced, "legend": plan.legend.to_dict(),
        "chips": [{"name": name, "scene": Path(scene).name,
                   **{key: row[key] if key == "split" else int(row[key]) for key in columns}}
                  for name, scene, row in zip(names, plan.frame["scene"], rows, strict=True)],
    }
