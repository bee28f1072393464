"""The plugin: registers the provider, and offers the set-up of the engine in the menu."""

from qgis.core import QgsApplication, QgsProcessingModelAlgorithm
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction

from .algorithm import PROVIDER
from .paths import icon, models
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
        self._add("Map an area…", "whole", lambda: self._open("maparea"))
        self._add("Set up engine…", "setup", lambda: self._open("setupengine"))
        self._add("Example in the Model Designer…", "whole", self._design)

    def unload(self):
        """Take everything back."""
        for action in self._actions:
            self._iface.removePluginMenu(MENU, action)
        self._actions.clear()
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None

    def _add(self, title, picture, action):
        entry = QAction(QIcon(icon(picture)), title, self._iface.mainWindow())
        entry.triggered.connect(lambda _=False: action())
        self._iface.addPluginToMenu(MENU, entry)
        self._actions.append(entry)

    def _design(self):
        """Open a copy of the shipped model, so that the plugin's own stays as it is."""
        from processing.modeler.ModelerDialog import ModelerDialog

        model = QgsProcessingModelAlgorithm()
        model.fromFile(str(models()[0]))
        model.setSourceFilePath("")
        ModelerDialog.create(model).show()

    def _open(self, name):
        """Open an algorithm's dialog as the toolbox does, which asks first whether it can run."""
        import processing

        algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"{PROVIDER}:{name}")
        possible, reason = algorithm.canExecute()
        if possible:
            processing.execAlgorithmDialog(f"{PROVIDER}:{name}")
        else:
            self._iface.messageBar().pushWarning("geoseg", reason)
