"""Reading and writing vector files, with errors that an analyst understands."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from geoseg.errors import OutputError, SourceError
from geoseg.geo.output import replacing

if TYPE_CHECKING:
    import geopandas as gpd

VECTOR_SUFFIXES = (".gpkg", ".fgb", ".geojson", ".parquet")
_DRIVERS = {".gpkg": "GPKG", ".fgb": "FlatGeobuf", ".geojson": "GeoJSON"}


def split_layer(source: str | Path) -> tuple[Path, str | None]:
    """Split `file.gpkg|layername=roads`, as QGIS writes sources, into path and layer."""
    path, _, options = str(source).partition("|")
    layer = next((option.removeprefix("layername=") for option in options.split("|")
                  if option.startswith("layername=")), None)
    return Path(path), layer


def layers(path: Path) -> list[str]:
    """Return the names of the spatial layers of a vector file.

    Raises:
        SourceError: The file is missing or is no vector file.
    """
    import pyogrio
    from pyogrio.errors import DataSourceError

    if path.suffix.lower() == ".parquet":
        return [path.stem]
    if not path.is_file():
        raise SourceError(path, "does not exist", "Check the path")
    try:
        return [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    except DataSourceError as error:
        raise SourceError(path, "cannot be opened as a vector file",
                          "Give a GeoPackage, FlatGeobuf, GeoJSON, GeoParquet, Shapefile or OSM "
                          "extract") from error


def read_layer(path: Path, layer: str | None = None) -> gpd.GeoDataFrame:
    """Read one layer of a vector file; features with broken rings are read as missing geometry.

    Raises:
        SourceError: The file or layer cannot be read.
    """
    import geopandas as gpd
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError

    if path.suffix.lower() == ".parquet":
        try:
            return gpd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise SourceError(path, "cannot be read as GeoParquet", "Check the file") from error
    available = layers(path)
    if layer is not None and layer not in available:
        raise SourceError(path, f"has no layer {layer!r} (it has {', '.join(available)})",
                          "Choose one of these")
    try:
        return pyogrio.read_dataframe(path, layer=layer, on_invalid="ignore")
    except (DataSourceError, DataLayerError) as error:
        raise SourceError(path, "cannot be read to its end", "The file is damaged; fetch or copy "
                          "it again") from error


def write_layer(frame: gpd.GeoDataFrame, path: Path, *, layer: str,
                metadata: Mapping[str, str] | None = None) -> None:
    """Write features to a new file: GeoPackage, FlatGeobuf, GeoJSON or GeoParquet by its ending.

    The file is counted again before it takes its name. GeoJSON is written in WGS 84, as its
    standard demands.

    Args:
        frame: The features.
        path: New file, checked before with `check_output`.
        layer: Layer name in a GeoPackage.
        metadata: Layer metadata, kept by GeoPackage only.

    Raises:
        OutputError: The system refused to write.
    """
    import pyogrio
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, GeometryError

    suffix = path.suffix.lower()
    with replacing(path) as part:
        if suffix == ".parquet":
            frame.to_parquet(part, compression="zstd")
            return
        if suffix == ".geojson" and frame.crs is not None:
            frame = frame.to_crs("EPSG:4326")
        try:
            pyogrio.write_dataframe(frame, part, layer=layer, driver=_DRIVERS[suffix],
                                    layer_metadata=dict(metadata or {}) if suffix == ".gpkg"
                                    else None)
            written = pyogrio.read_info(part)["features"]
        except (DataSourceError, DataLayerError, FeatureError, GeometryError) as error:
            raise OutputError(path, "could not be written", "Free some space or choose another "
                              "folder") from error
        if written not in (len(frame), -1):
            raise OutputError(path, f"took only {written} of {len(frame)} features",
                              "Free some space or choose another folder")
