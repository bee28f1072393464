"""The environment variables that a process of the engine is started with.

QGIS, its launchers and other Python installations set variables for their own interpreter and
libraries; another interpreter that follows them loads the wrong ones, or does not start at all.
"""

import os
import sys
from pathlib import Path

_PREFIXES = ("PYTHON", "PIP_", "CONDA_", "DYLD_", "QGIS_", "QT_")

_NAMES = frozenset((
    "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "LD_LIBRARY_PATH", "LD_PRELOAD",
    "GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA", "GEOTIFF_CSV", "GS_LIB",
))

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Variables that name trusted certificates."""


def clean_environment(variables=None, platform=None):
    """Return environment variables without those that lead another Python astray.

    Certificates are kept where they exist, since companies need their own; some installers of QGIS
    leave names of files that are gone.

    Args:
        variables: Names and values; by default those of this process.
        platform: As `sys.platform`, which is the default.
    """
    variables = os.environ if variables is None else variables
    clean = {name: value for name, value in variables.items() if not _leads_astray(name, value)}
    if (sys.platform if platform is None else platform) == "win32":
        _leave_out_osgeo4w(clean, variables.get("OSGEO4W_ROOT"))
    return clean


def _leads_astray(name, value):
    # Windows does not tell upper from lower case in names.
    name = name.upper()
    if name in CERTIFICATES:
        return not Path(value).exists()
    return name in _NAMES or name.startswith(_PREFIXES)


def _leave_out_osgeo4w(variables, root):
    """Take QGIS' own folders off the path, so that their libraries do not come first."""
    if not root:
        return
    for name in [name for name in variables if name.upper() == "PATH"]:
        variables[name] = ";".join(folder for folder in variables[name].split(";")
                                   if not is_below(folder, root))


def is_below(path, root):
    """Return whether a path of Windows is a folder or lies in it."""
    path, root = (text.strip('"').replace("/", "\\").rstrip("\\").lower() + "\\"
                  for text in (path, root))
    return path.startswith(root)
