"""QGIS styles, so that every product opens as it is meant to be seen."""
