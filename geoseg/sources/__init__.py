"""Sources of labels: OpenStreetMap, vector files and land-cover rasters."""
