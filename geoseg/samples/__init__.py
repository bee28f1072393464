"""Training samples: label rasters, chip plans and augmentation."""
