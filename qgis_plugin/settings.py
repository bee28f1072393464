"""What the user has settled about the engine, kept in QGIS' settings.

Each setting can be overruled by an environment variable, for administrators and tests.
"""

import os

from qgis.core import QgsSettings

INTERPRETER = "interpreter"
"""A Python of the user's own that has the engine's packages."""
HOME = "home"
"""Folder in which `Set up engine` keeps its environment."""

_VARIABLES = {INTERPRETER: "GEOSEG_ENGINE_PYTHON", HOME: "GEOSEG_ENGINE_HOME"}


def read(name):
    """Return a setting, or None if it is not set."""
    return os.environ.get(_VARIABLES[name]) or QgsSettings().value(f"geoseg/{name}") or None


def proxy():
    """Return the address of the HTTP proxy that QGIS is told to use, or None."""
    known = QgsSettings()
    kind = known.value("proxy/proxyType", "")
    if not known.value("proxy/proxyEnabled", False, bool) or kind not in ("HttpProxy", ""):
        return None
    host, port = known.value("proxy/proxyHost", ""), known.value("proxy/proxyPort", "")
    return f"http://{host}{f':{port}' if port else ''}" if host else None


def write(name, value):
    """Keep a setting; None forgets it."""
    if value is None:
        QgsSettings().remove(f"geoseg/{name}")
    else:
        QgsSettings().setValue(f"geoseg/{name}", str(value))
