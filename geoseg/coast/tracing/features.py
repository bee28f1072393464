"""The layers that `trace_coastline` writes: their attributes and their look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

from geoseg.coast.tracing.parts import Parts
from geoseg.geo.grid import Grid
from geoseg.geo.ground import ground_areas, line_lengths
from geoseg.geo.style.vectors import Look, category_style, range_style
from geoseg.maps.shapes import place

if TYPE_CHECKING:
    import geopandas as gpd

LINE_LAYER = "coastline"
"""Layer name of the lines in a GeoPackage."""
SIDE_LAYER = "sides"
"""Layer name of the polygons in a GeoPackage."""
LINE_STYLE = range_style("confidence", [
    (0.0, 0.25, "0 to 0.25: vague", "#d7191c"), (0.25, 0.5, "0.25 to 0.5", "#f28e2b"),
    (0.5, 0.75, "0.5 to 0.75", "#2f86c8"), (0.75, 1.0, "0.75 to 1: sharp", "#08306b")],
    Look("line", width=1.2, casing=0.25))
"""From red for doubt to dark blue, told apart with any colour vision; white shows beside all."""
SIDE_STYLE = category_style("side", [("land", "land", "#d8c690"), ("water", "water", "#3182bd")],
                            Look("polygon", opacity=0.45))
"""Land and water, the image showing through."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What all features of a coastline have in common."""

    source: str
    """Names of the rasters."""
    date: str | None
    """Day as yyyy-mm-dd, if known."""

    def lines(self, parts: Parts, grid: Grid, sigma_factor: float) -> gpd.GeoDataFrame:
        """Return the attribute table of the lines, in the CRS of the grid."""
        import geopandas as gpd

        unit = "m" if grid.is_georeferenced else "px"
        shapes = parts.on_map(grid)
        columns = {
            f"length_{unit}": line_lengths(shapes, grid.pyproj_crs),
            "confidence": parts.confidence,
            f"sigma_{unit}": parts.sigma * sigma_factor,
            "kind": np.where(parts.observed, "observed", "interpolated"),
            "is_ring": parts.is_ring, "coast": parts.coast, "source": self.source,
            **({} if self.date is None else {"date": self.date})}
        return gpd.GeoDataFrame(columns, geometry=shapes, crs=grid.pyproj_crs)

    def sides(self, faces: np.ndarray, is_land: np.ndarray, grid: Grid) -> gpd.GeoDataFrame:
        """Return the attribute table of the polygons of land and water, the largest first."""
        import geopandas as gpd

        shapes = np.asarray(shapely.transform(
            faces, lambda points: place(points, grid.transform)))
        areas = ground_areas(shapes, grid.pyproj_crs)
        order = np.argsort(-areas, kind="stable")
        columns = {"side": np.where(is_land, "land", "water")[order],
                   "area_m2" if grid.is_georeferenced else "area_px": areas[order],
                   "source": self.source, **({} if self.date is None else {"date": self.date})}
        return gpd.GeoDataFrame(columns, geometry=shapes[order], crs=grid.pyproj_crs)
