"""The engine's own Python environment: made once, outside QGIS and outside the plugin.

It holds packages of others only; the engine's source comes with the plugin. Knows nothing of QGIS,
and needs nothing but the standard library.
"""

from .checking import check_interpreter
from .errors import SetupCancelled, SetupFailed
from .home import EngineHome

__all__ = ["EngineHome", "SetupCancelled", "SetupFailed", "check_interpreter"]
