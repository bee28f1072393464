"""Grids, windows, legends, and the reading and writing of rasters and vectors."""
