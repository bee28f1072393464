"""`Grid`: where the pixels of a raster lie. Two equal grids are aligned, pixel for pixel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyproj
import shapely
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

from geoseg.errors import GridError
from geoseg.geo.ground import Bounds, metric_crs

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

PIXEL_SPACE = Affine(1, 0, 0, 0, -1, 0)
"""Coordinates of an image without georeference: x = column, y = -row, as QGIS shows it."""

PIXEL_SPACE_TAG = {"GEOSEG_SPACE": "pixels, no georeference"}
"""Raster tag by which products made in pixel space say so."""


def apply(transform: Affine, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return points taken through an affine transform; affine itself takes single points.

    Args:
        transform: The transform.
        x: float, any shape: x, or columns.
        y: float of the same shape: y, or rows.

    Returns:
        x and y of the results; equal points stay equal to the last bit.
    """
    return (transform.a * x + transform.b * y + transform.c,
            transform.d * x + transform.e * y + transform.f)


def apply_to_shapes(transform: Affine, shapes: np.ndarray) -> np.ndarray:
    """Return shapely geometries (n,) taken through an affine transform, vertex by vertex."""
    return np.asarray(shapely.transform(
        shapes, lambda points: np.column_stack(apply(transform, points[:, 0], points[:, 1]))))


@dataclass(frozen=True, slots=True)
class Grid:
    """The pixel grid of a raster.

    A grid without CRS is *pixel space*: x is the column, y the negative row, the unit is one
    pixel, and no product of it claims a place on the Earth.
    """

    crs: CRS | None
    """Coordinate reference system, or None for pixel space."""
    transform: Affine
    """Pixel (column, row) to CRS coordinates, of the pixel's upper left corner."""
    width: int
    """Columns."""
    height: int
    """Rows."""

    @classmethod
    def of(cls, dataset: DatasetReader, *, georeferenced: bool = True) -> Grid:
        """Return the grid of an open raster.

        Args:
            dataset: Open rasterio dataset.
            georeferenced: If False, the grid is pixel space whatever the file says. Products that
                geoseg made in pixel space carry a tag and are always read that way.

        Raises:
            GridError: The raster has no CRS or no geotransform but should have.
        """
        if not georeferenced or PIXEL_SPACE_TAG.items() <= dataset.tags().items():
            return cls(None, PIXEL_SPACE, dataset.width, dataset.height)
        if dataset.crs is None:
            raise GridError(dataset.name, "has no coordinate reference system",
                            "Assign one (QGIS: Assign projection), georeference the image "
                            "(QGIS: Georeferencer), or set georeferenced = false in the recipe "
                            "to work in pixels")
        if dataset.transform == Affine.identity():
            raise GridError(dataset.name, "has a CRS but no geotransform",
                            "Georeference the image (QGIS: Georeferencer), or set "
                            "georeferenced = false in the recipe to work in pixels")
        return cls(dataset.crs, dataset.transform, dataset.width, dataset.height)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return self.height, self.width

    @property
    def is_georeferenced(self) -> bool:
        """Whether the grid has a place on the Earth."""
        return self.crs is not None

    @property
    def pyproj_crs(self) -> pyproj.CRS | None:
        """The CRS as pyproj and geopandas want it."""
        return None if self.crs is None else pyproj.CRS.from_wkt(self.crs.to_wkt())

    @property
    def bounds(self) -> Bounds:
        """(left, bottom, right, top) in CRS units; encloses the raster if it is rotated."""
        columns = np.array([0, self.width, self.width, 0], dtype=float)
        rows = np.array([0, 0, self.height, self.height], dtype=float)
        x, y = apply(self.transform, columns, rows)
        return float(x.min()), float(y.min()), float(x.max()), float(y.max())

    @property
    def window(self) -> Window:
        """The window of the whole raster."""
        return Window(0, 0, self.width, self.height)

    def crop(self, window: Window) -> Grid:
        """Return the grid of a window, which may reach beyond this grid."""
        transform = self.transform @ Affine.translation(window.col_off, window.row_off)
        return Grid(self.crs, transform, int(window.width), int(window.height))

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(width, height) of the central pixel: metres on the ground, or 1, 1 in pixel space."""
        crs = self.pyproj_crs
        if crs is None:
            return 1.0, 1.0
        column, row = self.width / 2, self.height / 2
        to_metres = pyproj.Transformer.from_crs(crs, metric_crs(crs, self.bounds), always_xy=True)
        x, y = apply(self.transform, np.array([column, column + 1, column]),
                     np.array([row, row, row + 1]))
        x, y = to_metres.transform(x, y)
        return float(np.hypot(x[1] - x[0], y[1] - y[0])), float(np.hypot(x[2] - x[0], y[2] - y[0]))

    @property
    def pixel_area(self) -> float:
        """Ground area of the central pixel in m², or 1 in pixel space."""
        width, height = self.pixel_size
        return width * height

    @property
    def resolution(self) -> float:
        """Mean ground size of the central pixel in metres, or 1 in pixel space."""
        return float(np.sqrt(self.pixel_area))

    def require_same(self, other: Grid, name: str | Path, reference: str | Path) -> None:
        """Check that another raster lies on this grid, to a billionth of a CRS unit.

        Args:
            other: Grid of the other raster.
            name: File of the other raster, for the message.
            reference: File that has this grid, for the message.

        Raises:
            GridError: Size, CRS or transform differ.
        """
        if self.shape != other.shape:
            found = (f"has {other.width} x {other.height} px but {Path(reference).name} has "
                     f"{self.width} x {self.height} px")
        elif self.crs != other.crs:
            found = f"is in {other.crs} but {Path(reference).name} is in {self.crs}"
        elif not self.transform.almost_equals(other.transform, precision=1e-9):
            found = f"does not line up with the pixels of {Path(reference).name}"
        else:
            return
        raise GridError(name, found, f"Make it with burn-labels --like {Path(reference).name}, "
                        "which puts labels on exactly the image's grid")
