"""The algorithms, one per file, in the order of the work."""

from .burn_labels import BurnLabels
from .cast_transects import CastTransects
from .classify import Classify
from .coastline_accuracy import CoastlineAccuracy
from .coastline_change import CoastlineChange
from .evaluate import Evaluate
from .export_chips import ExportChips
from .fetch_osm import FetchOsm
from .map_area import MapArea
from .model_information import ModelInformation
from .plan_chips import PlanChips
from .polygonize import Polygonize
from .predict import Predict
from .refine import Refine
from .sea_and_land import SeaAndLand
from .set_up_engine import SetUpEngine
from .trace_coastline import TraceCoastline
from .train_model import TrainModel

ALGORITHMS = (SetUpEngine, MapArea, FetchOsm, BurnLabels, PlanChips, ExportChips, TrainModel,
              ModelInformation, Predict, Refine, Classify, Polygonize, Evaluate, SeaAndLand,
              TraceCoastline, CoastlineAccuracy, CastTransects, CoastlineChange)
