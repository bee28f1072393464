"""geoseg in QGIS: every step from image to map in the Processing toolbox.

This folder and the modules below `algorithms` are the only ones that know QGIS. The work is done by
the engine, in a process and an environment of its own.
"""


def classFactory(iface):
    """Return the plugin; QGIS calls this when it is switched on."""
    from .plugin import GeosegPlugin

    return GeosegPlugin(iface)
