"""Random changes to training crops, applied identically to image, mask and label.

Geometry is one resampling per crop: scale, rotation, shear and bending in a single look-up, then
exact flips and quarter turns. A mosaic then joins several crops. Radiometry works on scaled values,
where one unit is one standard deviation of the band. All is drawn from one generator, so that a
crop is a pure function of its seed.
"""

from geoseg.samples.augment.geometry import Sample, Warp, draw_warp, pad, resample, turn
from geoseg.samples.augment.light import Radiometry, relight
from geoseg.samples.augment.mosaic import cut_out, mosaic, rectangles
from geoseg.samples.augment.steps import finished, shaped

__all__ = ["Radiometry", "Sample", "Warp", "cut_out", "draw_warp", "finished", "mosaic", "pad",
           "rectangles", "relight", "resample", "shaped", "turn"]
