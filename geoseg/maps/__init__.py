"""Prediction, class maps, polygons, coastlines and reports."""
