"""`run`: the whole chain, from an image to a scored map, in one folder; restartable."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import geoseg
from geoseg.errors import GeosegError, OutputError, RasterError, SourceError
from geoseg.geo.grid import Grid
from geoseg.geo.ground import Bounds
from geoseg.geo.output import making_folder, write_text
from geoseg.geo.raster import open_raster
from geoseg.geo.vector import OSM_SUFFIXES
from geoseg.progress import Progress, part, silent
from geoseg.recipe import Recipe

_log = logging.getLogger("geoseg")
_RECORD = "run.json"


@dataclass(frozen=True)
class ChainResult:
    """What a run made."""

    products: dict[str, Path]
    """Files by what they are: labels, chips, model, probabilities, refined, classes, polygons,
    coastline, report, overview."""


def run(recipe: Recipe | str | Path, *, image: str | Path, out: str | Path,
        aoi: str | Path | None = None, osm: str | Path | None = None,
        labels: Sequence[str | Path] = (), device: str = "auto", overwrite: bool = False,
        progress: Progress = silent) -> ChainResult:
    """Make a scored map of an image, from labels to report, in one folder.

    Made are labels, chips, model, probabilities, classes, polygons, report and overview; refined
    probabilities if the recipe asks for them, and a coastline if it names a water class.
    A second run keeps every step whose inputs and settings have not changed, and resumes a
    training that was interrupted.

    Args:
        recipe: Recipe, its TOML file, or the name of a shipped one.
        image: The scene to learn from and to map.
        out: Folder for everything that is made.
        aoi: Area of interest: a vector file or "west,south,east,north" in degrees; by default the
            whole image. Labels are made, and the model learns, only inside it.
        osm: OpenStreetMap data at hand: an .osm or .pbf extract, or a vector file with tags. By
            default the area is fetched from an Overpass server, unless `labels` are given.
        labels: Further sources of labels, or instead of OpenStreetMap: vector files, land-cover
            rasters.
        device: `auto`, `cpu`, `cuda` or `mps`.
        overwrite: Make every step again.
        progress: Told the step and how far it is.

    Raises:
        GeosegError: As the single steps raise; what was finished before is kept.
    """
    recipe = Recipe.of(recipe)
    folder = Path(out)
    if folder.is_file():
        raise OutputError(folder, "is a file", "Name a folder")
    with open_raster(image) as dataset:
        Grid.of(dataset, georeferenced=recipe.georeferenced)
    with making_folder(folder):
        return _Chain(recipe, Path(image), folder, aoi, osm, tuple(labels), device, overwrite,
                      progress).run()


@dataclass
class _Chain:
    recipe: Recipe
    image: Path
    folder: Path
    aoi: str | Path | None
    osm: str | Path | None
    labels: tuple[str | Path, ...]
    device: str
    overwrite: bool
    progress: Progress

    def run(self) -> ChainResult:
        """Make, or keep, one product after the other."""
        self._steps = _Steps(self.folder, self.overwrite, self.progress)
        step, recipe, settings = self._steps.make, self.recipe, self.recipe.map
        labels = step("labels", "labels.tif", 0.06, "burn_labels", self._sources(),
                      recipe.without("image", "chips", "augment", "train"),
                      like=self.image, within=self.aoi)
        chips = step("chips", "chips.gpkg", 0.08, "plan_chips", self.image, labels,
                     recipe=recipe.without("augment", "train"))
        model = step("model", "model.safetensors", 0.84, "train", chips, recipe,
                     device=self.device)
        proba = step("probabilities", "probabilities.tif", 0.91, "predict", model, self.image,
                     device=self.device, **recipe.predict.model_dump())
        proba = self._refined(proba)
        classes = step("classes", "classes.tif", 0.93, "classify", proba,
                       threshold=settings.threshold, min_area=settings.min_area)
        polygons = step("polygons", "polygons.gpkg", 0.95, "polygonize", classes, proba=proba,
                        simplify=settings.simplify)
        coastline = self._coastline(proba)
        step("report", "report.html", 0.99, "evaluate", model, chips,
             split="test" if recipe.chips.split[2] else "val", objects=recipe.map.objects,
             device=self.device)
        step("overview", "overview.png", 1.0, "overview", self.image, labels=labels,
             classes=classes, polygons=polygons, coastline=coastline)
        self.progress(1.0, "finished")
        return ChainResult(self._steps.products)

    def _sources(self) -> list[str | Path]:
        sources = list(self.labels)
        is_extract = self.osm is not None and Path(self.osm).suffix.lower() in OSM_SUFFIXES
        if self.osm is not None and not is_extract:
            return [*sources, self.osm]
        if sources and not is_extract:
            return sources
        if not self.recipe.georeferenced:
            raise SourceError(self.image, "has no georeference, so OpenStreetMap cannot be laid "
                              "over it", "Give labels")
        area = self.aoi if self.aoi is not None else _bounds_in_degrees(self.image)
        recipe = self.recipe.without("labels", "image", "chips", "augment", "train")
        return [*sources, self._steps.make("osm", "osm.gpkg", 0.02, "fetch_osm", area, recipe,
                                           file=self.osm)]

    def _refined(self, proba: Path) -> Path:
        settings = self.recipe.refine
        if not settings.crf:
            return proba
        return self._steps.make("refined", "refined.tif", 0.92, "refine", proba, self.image,
                                device=self.device, **settings.model_dump(exclude={"crf"}))

    def _coastline(self, proba: Path) -> Path | None:
        settings = self.recipe.map
        if settings.water is None:
            return None
        try:
            return self._steps.make("coastline", "coastline.gpkg", 0.96, "trace_coastline", proba,
                                    water=settings.water, smooth=settings.smooth,
                                    min_length=settings.min_length)
        except RasterError as error:
            _log.warning("No coastline: %s", error)
            return None


class _Steps:
    """Runs steps, and keeps the record of which are finished with which inputs."""

    def __init__(self, folder: Path, overwrite: bool, progress: Progress) -> None:
        self.products: dict[str, Path] = {}
        self._folder, self._progress, self._done = folder, progress, 0.0
        self._record: dict[str, dict[str, str]] = {}
        if (folder / _RECORD).exists() and not overwrite:
            self._record = _read_record(folder / _RECORD)

    def make(self, name: str, product: str, stop: float, verb: str, *inputs: Any,  # noqa: ANN401
             **settings: Any) -> Path:  # noqa: ANN401
        """Run a public verb that writes `product`, unless that was done with the same inputs.

        Verbs are given by name, so that a step that is kept loads nothing.
        """
        start, self._done = self._done, stop
        path = self._folder / product
        fingerprint = _fingerprint(name, inputs, settings)
        known = self._record.get(name, {})
        if known.get("finished") == fingerprint and path.exists():
            self._progress(stop, f"{name}: kept from before")
        else:
            if name == "model":
                begun = known.get("begun") == fingerprint
                self._write(name, {"begun": fingerprint})
                run_folder = self._folder / "training"
                settings |= {"run_dir": run_folder,
                             "resume": begun and (run_folder / "state.safetensors").exists()}
            report = part(self._progress, start, stop)
            getattr(geoseg, verb)(
                *inputs, out=path, overwrite=True,
                progress=lambda done, message: report(done, f"{name}: {message}"), **settings)
            self._write(name, {"finished": fingerprint})
        self.products[name] = path
        return path

    def _write(self, name: str, entry: dict[str, str]) -> None:
        self._record[name] = entry
        write_text(self._folder / _RECORD, json.dumps(self._record, indent=1))


def _read_record(path: Path) -> dict[str, dict[str, str]]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise GeosegError(path, "is damaged", "Delete it to make every step again") from error
    return dict(record)


def _fingerprint(name: str, inputs: Sequence[Any], settings: Mapping[str, Any]) -> str:
    """Hash a step's settings and the size and time of the files it reads."""
    parts = [geoseg.__version__, name]
    for value in [*inputs, *settings.items()]:
        parts.append(_describe(value))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _describe(value: object) -> str:
    if isinstance(value, list | tuple):
        return f"[{','.join(_describe(item) for item in value)}]"
    if isinstance(value, Recipe):
        return json.dumps(value.without("predict", "refine", "map").to_dict(), sort_keys=True)
    if isinstance(value, str | Path) and Path(value).is_file():
        stat = Path(value).stat()
        return f"{Path(value).resolve()} {stat.st_size} {stat.st_mtime_ns}"
    return str(value)


def _bounds_in_degrees(image: Path) -> str:
    """Return the bounds of an image as "west,south,east,north"."""
    from rasterio.warp import transform_bounds

    with open_raster(image) as dataset:
        grid = Grid.of(dataset)
    bounds: Bounds = transform_bounds(grid.crs, "EPSG:4326", *grid.bounds)
    return ",".join(f"{value:.7f}" for value in bounds)
