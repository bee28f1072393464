"""Reading and writing vector files, with errors that an analyst understands."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import SourceError
from geoseg.geo.ground import Bounds
from geoseg.geo.output import not_written, replacing
from geoseg.geo.style.document import Style, has_foreign_style, write_style
from geoseg.geo.style.geopackage import foreign_styles, write_style_table

if TYPE_CHECKING:
    import geopandas as gpd
    import pyproj

VECTOR_SUFFIXES = (".gpkg", ".fgb", ".geojson", ".parquet")
"""File name endings of the vector files that geoseg writes."""

OSM_SUFFIXES = (".osm", ".pbf")
"""File name endings of OpenStreetMap extracts."""

_DRIVERS = {".gpkg": "GPKG", ".fgb": "FlatGeobuf", ".geojson": "GeoJSON"}
_OPTIONS = {"GPKG": {"VERSION": "1.2"}}
"""Of new files; older versions of QGIS warn of newer versions of GeoPackage."""


def split_layer(source: str | Path) -> tuple[Path, str | None]:
    """Split `file.gpkg|layername=roads`, as QGIS writes sources, into path and layer."""
    path, _, options = str(source).partition("|")
    layer = next((option.removeprefix("layername=") for option in options.split("|")
                  if option.startswith("layername=")), None)
    return Path(path), layer


def layers(path: Path) -> list[str]:
    """Return the names of the layers of a vector file that have geometries; maybe none.

    Raises:
        SourceError: The file is missing or is no vector file.
    """
    import pyogrio
    from pyogrio.errors import DataSourceError

    if not path.is_file():
        raise SourceError(path, "does not exist", "Check the path")
    if path.suffix.lower() == ".parquet":
        return [path.stem]
    try:
        return [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    except DataSourceError as error:
        raise SourceError(path, "cannot be opened as a vector file",
                          "Give a GeoPackage, FlatGeobuf, GeoJSON, GeoParquet, Shapefile or OSM "
                          "extract") from error


@dataclass(frozen=True, slots=True)
class LayerSummary:
    """What a layer holds, found without reading its features where the format allows."""

    crs: pyproj.CRS | None
    """CRS, or None if the file does not say."""
    features: int
    """Number of features, or -1 where only reading all of them would tell (OSM extracts)."""
    bounds: Bounds | None
    """(left, bottom, right, top) in the layer's CRS; None if empty or unknown."""
    columns: tuple[str, ...]
    """Attribute columns."""


def summarize_layer(path: Path, layer: str) -> LayerSummary:
    """Return CRS, size, extent and columns of a layer.

    Args:
        path: The file.
        layer: The layer, by name.

    Raises:
        SourceError: The file or layer cannot be read.
    """
    import numpy as np
    import pyogrio
    import pyproj
    from pyogrio.errors import DataLayerError, DataSourceError

    if path.suffix.lower() == ".parquet":
        frame = read_layer(path)
        names = tuple(str(name) for name in frame.columns if name != frame.geometry.name)
        bounds = tuple(float(value) for value in frame.total_bounds)
        return LayerSummary(frame.crs, len(frame), _finite(bounds), names)
    _check_layer(path, layer)
    is_osm = path.suffix.lower() in OSM_SUFFIXES
    try:
        with _quiet():
            info = pyogrio.read_info(path, layer=layer, force_feature_count=not is_osm,
                                     force_total_bounds=not is_osm)
    except (DataSourceError, DataLayerError) as error:
        raise _damaged(path) from error
    crs = None if info["crs"] is None else pyproj.CRS.from_user_input(info["crs"])
    found = info["total_bounds"]
    return LayerSummary(crs, int(info["features"]), None if found is None else _finite(found),
                        tuple(str(name) for name in np.asarray(info["fields"])))


def read_layer(path: Path, layer: str | None = None, *, bounds: Bounds | None = None
               ) -> gpd.GeoDataFrame:
    """Read one layer of a vector file; features with broken rings are read as missing geometry.

    Args:
        path: The file.
        layer: The layer, or None for the first.
        bounds: (left, bottom, right, top) in the layer's CRS; if given, only features that meet
            them are read.

    Returns:
        The features with all attributes, in the layer's CRS, which may be None.

    Raises:
        SourceError: The file or layer cannot be read.
    """
    import geopandas as gpd
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    _check_layer(path, layer)
    if path.suffix.lower() == ".parquet":
        try:
            frame = gpd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise SourceError(path, "cannot be read as GeoParquet", "Check the file") from error
        return frame if bounds is None else frame.cx[bounds[0]:bounds[2], bounds[1]:bounds[3]]
    try:
        with _quiet():
            return pyogrio.read_dataframe(path, layer=layer, on_invalid="ignore", bbox=bounds)
    except (DataSourceError, DataLayerError) as error:
        raise _damaged(path) from error


def _check_layer(path: Path, layer: str | None) -> None:
    """Check that a file is a vector file and, if a layer is named, that it is there."""
    available = layers(path)
    if layer is not None and layer not in available:
        raise SourceError(path, f"has no layer {layer!r} (it has {', '.join(available)})",
                          "Choose one of these")


def _finite(bounds: tuple[float, ...]) -> Bounds | None:
    left, bottom, right, top = bounds
    # Infinite coordinates stay visible: their features are refused when they are read.
    return None if left != left or bottom != bottom else (left, bottom, right, top)


def _damaged(path: Path) -> SourceError:
    return SourceError(path, "cannot be read to its end", "The file is damaged; fetch or copy "
                       "it again")


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence GDAL's remark on each broken ring; the reader of the features counts them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


@contextmanager
def _no_crs_warnings() -> Iterator[None]:
    """Layers in pixel space are meant to have no CRS."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
        yield


def write_layer(frame: gpd.GeoDataFrame, path: Path, *, layer: str,
                metadata: Mapping[str, str] | None = None, style: Style | None = None) -> None:
    """Write features to a new file: GeoPackage, FlatGeobuf, GeoJSON or GeoParquet by its ending.

    The features on disk are counted before the file takes its name. GeoJSON is written in WGS 84,
    as its standard (RFC 7946) demands.

    Args:
        frame: The features.
        path: New file, checked before with `check_output`.
        layer: Layer name in a GeoPackage.
        metadata: Layer metadata, kept by GeoPackage only.
        style: QGIS style to lay beside the file.

    Raises:
        OutputError: The system refused to write.
    """
    suffix = path.suffix.lower()
    if suffix == ".geojson" and frame.crs is not None:
        frame = frame.to_crs("EPSG:4326")
    with replacing(path) as part:
        if suffix == ".parquet":
            frame.to_parquet(part, compression="zstd")
        else:
            _write({layer: frame}, part, path, metadata if suffix == ".gpkg" else None)
    if style is not None:
        write_style(path, style)


def write_layers(frames: Mapping[str, gpd.GeoDataFrame], path: Path, *,
                 metadata: Mapping[str, str] | None = None,
                 styles: Mapping[str, Style] | None = None) -> None:
    """Write several layers to a new GeoPackage; each is counted again before it takes its name.

    Args:
        frames: Layer name to features, at least one layer.
        path: New .gpkg file, checked before with `check_output`.
        metadata: Metadata of each layer, not of the file: that makes GDAL leave an .aux.xml beside
            the file whenever it is read.
        styles: QGIS styles of the layers, kept in the file. Styles that somebody else made, there
            or beside it, go before them.

    Raises:
        OutputError: The system refused to write.
    """
    documents = {layer: style.document() for layer, style in (styles or {}).items()}
    if has_foreign_style(path):
        documents = {}
    documents |= {layer: text for layer, text in foreign_styles(path).items() if layer in frames}
    with replacing(path) as part:
        _write(frames, part, path, metadata)
        if documents:
            with _refusals(path):
                write_style_table(part, documents)


def _write(frames: Mapping[str, gpd.GeoDataFrame], part: Path, path: Path,
           metadata: Mapping[str, str] | None) -> None:
    """Write layers to `part`, which will become `path`, and count what arrived."""
    import pyogrio

    written, driver = 0, _DRIVERS[path.suffix.lower()]
    with _refusals(path):
        for layer, frame in frames.items():
            with _no_crs_warnings():
                pyogrio.write_dataframe(frame, part, layer=layer, driver=driver,
                                        dataset_options=_OPTIONS.get(driver),
                                        layer_metadata=dict(metadata) if metadata else None)
            written += pyogrio.read_info(part, layer=layer, force_feature_count=True)["features"]
    total = sum(len(frame) for frame in frames.values())
    if written != total:
        raise not_written(path, f"took only {written} of {total} features")


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError

    try:
        yield
    except (DataSourceError, DataLayerError, FeatureError, GeometryError) as error:
        raise not_written(path) from error
