"""The plugin: registers the provider, and offers the set-up of the engine in the menu."""

from qgis.core import QgsApplication
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction

from .algorithm import PROVIDER
from .paths import icon
from .provider import GeosegProvider

MENU = "&geoseg"


class GeosegPlugin:
    """What QGIS holds of geoseg while it is switched on."""

    def __init__(self, iface):
        self._iface = iface
        self._provider = None
        self._actions = []

    def initProcessing(self):
        """Register the algorithms; all that `qgis_process` asks for."""
        self._provider = GeosegProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self):
        """Register the algorithms and add the menu."""
        self.initProcessing()
        for title, name in (("Map an area…", "maparea"), ("Set up engine…", "setupengine")):
            action = QAction(QIcon(icon("geoseg")), title, self._iface.mainWindow())
            action.triggered.connect(lambda _=False, name=name: self._open(name))
            self._iface.addPluginToMenu(MENU, action)
            self._actions.append(action)

    def unload(self):
        """Take everything back."""
        for action in self._actions:
            self._iface.removePluginMenu(MENU, action)
        self._actions.clear()
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None

    def _open(self, name):
        """Open an algorithm's dialog as the toolbox does, which asks first whether it can run."""
        import processing

        algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"{PROVIDER}:{name}")
        possible, reason = algorithm.canExecute()
        if possible:
            processing.execAlgorithmDialog(f"{PROVIDER}:{name}")
        else:
            self._iface.messageBar().pushWarning("geoseg", reason)
