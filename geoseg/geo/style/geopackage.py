"""Styles inside a GeoPackage: QGIS' table `layer_styles`, one default style per layer.

A style beside the file would hold for all its layers, so several layers need this table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from geoseg.geo.style.document import is_ours


def write_style_table(path: Path, documents: Mapping[str, str]) -> None:
    """Add the table to a GeoPackage that has none.

    Args:
        path: The GeoPackage.
        documents: Text of a style document by layer name.
    """
    import pandas as pd
    import pyogrio

    # Columns and their order are those of QGIS, which writes more styles into the table.
    frame = pd.DataFrame({
        "f_table_catalog": "", "f_table_schema": "", "f_table_name": list(documents),
        "f_geometry_column": "geom", "styleName": list(documents),
        "styleQML": list(documents.values()), "styleSLD": "", "useAsDefault": True,
        "description": "Made by geoseg", "owner": "geoseg", "ui": "",
        "update_time": datetime.now(UTC)})
    pyogrio.write_dataframe(frame, path, layer="layer_styles", driver="GPKG",
                            layer_options={"FID": "id"})


def foreign_styles(path: Path) -> dict[str, str]:
    """Return the default styles that somebody else made, by layer, in an existing GeoPackage."""
    if not path.is_file():
        return {}
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT f_table_name, styleQML FROM layer_styles "
                                    "WHERE useAsDefault").fetchall()
    except sqlite3.Error:
        return {}
    return {layer: text for layer, text in rows if text and not is_ours(text)}
