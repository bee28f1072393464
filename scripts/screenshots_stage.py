"""Inside the QGIS desktop: the first hour with geoseg, done with the dialogs, and its pictures.

Started by `screenshots.py`, which says where the demo's scene and its map lie, where the steps' own
products go, how long to train, and which parts to do.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qgis.core import QgsLayerTreeLayer, QgsProject, QgsRectangle
from qgis.PyQt.QtCore import QRect, Qt
from qgis.PyQt.QtWidgets import (
    QAction,
    QApplication,
    QDialog,
    QDockWidget,
    QProgressBar,
    QWidget,
)
from qgis.utils import iface
from qgis_stage import (
    OUT,
    add_layer,
    draw,
    log_of,
    longest_stall,
    open_algorithm,
    run_algorithm,
    shot,
    toolbox,
    wait,
    wait_until,
)

DIALOG = (900, 640)
"""Width and height of a dialog."""
TOWN = QgsRectangle(500_480, 4_982_680, 501_320, 4_983_260)
"""The part of the scene that maps show, in its CRS: the old town, the beach and the island."""
FEW = 40
"""Training steps where only the way counts, not the map."""


@dataclass(frozen=True)
class Order:
    """What `screenshots.py` asks for."""

    scene: str
    """Folder of the demo's scene."""
    map: str
    """Folder of the demo's map."""
    work: str
    """A folder for the products of the steps."""
    recipe: str
    """The demo's recipe."""
    parts: list[str]
    """Names of functions below."""

    def source(self, name: str) -> str:
        """Return a file of the scene."""
        return f"{self.scene}/{name}"

    def product(self, name: str) -> str:
        """Return a file that a step writes."""
        return f"{self.work}/{name}"


# --- the window ---------------------------------------------------------------------------------

def window(width: int, height: int, *docks: str) -> QWidget:
    """Give the main window a size and only these docks; return it."""
    main = iface.mainWindow()
    main.showNormal()
    main.statusBar().hide()
    for dock in main.findChildren(QDockWidget):
        dock.setVisible(dock.objectName() in docks)
    main.setGeometry(0, 0, width, height)
    wait(300)
    return main


def fresh(order: Order) -> None:
    """Begin a project with nothing but the image."""
    QgsProject.instance().clear()
    add_layer(order.source("image.tif"), "ortho").setName("ortho")
    folded()


def nodes() -> Iterator[QgsLayerTreeLayer]:
    """Yield the layers of the project, from the top."""
    return iter(QgsProject.instance().layerTreeRoot().findLayers())


def folded() -> None:
    """Fold every legend but the topmost visible one."""
    visible = [node for node in nodes() if node.isVisible()]
    for node in nodes():
        node.setExpanded(node is visible[0] and node.name() != "ortho")


def show(*names: str) -> None:
    """Show only these layers; QGIS names them after their files.

    Raises:
        LookupError: One of them is not in the project.
    """
    there = [node.name() for node in nodes()]
    if not set(names) <= set(there):
        raise LookupError(f"{names} are not all among {there}")
    for node in nodes():
        node.setItemVisibilityChecked(node.name() in names)
    folded()


def map_picture(name: str, extent: QgsRectangle | None = TOWN) -> None:
    """Take a picture of legend and map without the tool bars; no extent is the whole image."""
    main, canvas = window(980, 700, "Layers"), iface.mapCanvas()
    layers = main.findChild(QDockWidget, "Layers")
    main.resizeDocks([layers], [230], Qt.Orientation.Horizontal)
    wait(200)
    canvas.setExtent(extent or QgsProject.instance().mapLayersByName("ortho")[0].extent())
    iface.messageBar().clearWidgets()
    draw()
    iface.layerTreeView().clearSelection()
    iface.layerTreeView().setCurrentIndex(iface.layerTreeView().model().index(-1, -1))
    wait(400)
    places = [QRect(widget.mapTo(main, widget.rect().topLeft()), widget.size())
              for widget in (layers, canvas)]
    main.grab(places[0].united(places[1])).save(str(OUT / f"{name}.png"))


def dialog_of(name: str, parameters: dict[str, Any], size: tuple[int, int] = DIALOG) -> QDialog:
    """Open a dialog and take its picture."""
    dialog = opened(name, parameters)
    dialog.resize(*size)
    wait(100)
    shot(name, dialog)
    return dialog


def opened(name: str, parameters: dict[str, Any]) -> QDialog:
    """Open a dialog."""
    if "RECIPE_FILE" in parameters:
        parameters = {**parameters, "CLASSES": [" ", "", "", ""]}  # XXX
    dialog = open_algorithm(f"geoseg:{name}", parameters)
    dialog.resize(*DIALOG)
    dialog.runButton().setFocus()
    return dialog


def step(name: str, parameters: dict[str, Any], size: tuple[int, int] = DIALOG,
         log: str = "") -> dict[str, Any]:
    """Take a picture of a dialog, press Run, wait for the results; `log` names a picture of it."""
    dialog = dialog_of(name, parameters, size)
    results = run_algorithm(dialog, 3000)
    print(f"{name}: {json.dumps(results, default=str)}", flush=True)
    if log:
        shot(log, dialog)
    dialog.close()
    wait(500)
    return results





# --- the parts ----------------------------------------------------------------------------------

def start(order: Order) -> None:
    """Take pictures of what one sees first."""
    fresh(order)
    main = window(1100, 720, "Layers")
    found = toolbox("geoseg")
    main.resizeDocks([main.findChild(QDockWidget, "Layers"), found], [210, 250],
                     Qt.Orientation.Horizontal)
    iface.mapCanvas().zoomToFullExtent()
    draw()
    shot("desktop", main)
    found.hide()
    dialog_of("setupengine", {}).close()


def labels(order: Order) -> None:
    """Go the way step by step, to a trained model."""
    fresh(order)
    image, recipe = order.source("image.tif"), {"RECIPE_FILE": order.recipe}
    step("fetchosm", {"AREA": order.source("aoi.gpkg"), "FILE": order.source("town.osm"), **recipe,
                      "OUTPUT": order.product("osm.gpkg")})
    show("polygons", "lines", "ortho")
    map_picture("map-osm")
    step("burnlabels", {"IMAGE": image, "OSM": order.product("osm.gpkg"), **recipe,
                        "OUTPUT": order.product("labels.tif")})
    show("labels")
    map_picture("map-labels")
    chips = order.product("chips.gpkg")
    step("planchips", {"IMAGE": image, "LABELS": order.product("labels.tif"), **recipe,
                       "OUTPUT": chips})
    show("chips", "ortho")
    map_picture("map-chips", None)
    step("exportchips", {"CHIPS": chips, "OUTPUT": order.product("tiles")})
    step("trainmodel", {"CHIPS": chips, **recipe, "STEPS": FEW,
                        "OUTPUT": order.product("model.safetensors")}, log="log-trainmodel")


def maps(order: Order) -> None:
    """Go on, with the model that "Map an area" has trained for the recipe's full time."""
    fresh(order)
    image, model = order.source("image.tif"), f"{order.map}/model.safetensors"
    step("modelinformation", {"FILE": model}, log="log-modelinformation")
    proba, classes = order.product("probabilities.tif"), order.product("classes.tif")
    step("predict", {"MODEL": model, "IMAGE": image, "OUTPUT": proba,
                     "UNCERTAINTY": order.product("uncertainty.tif")})
    show("probabilities")
    map_picture("map-probabilities")
    show("uncertainty")
    map_picture("map-uncertainty")
    step("classify", {"PROBABILITIES": proba, "MIN_AREA": 12, "OUTPUT": classes})
    show("classes")
    map_picture("map-classes")
    step("polygonize", {"CLASSES": classes, "PROBABILITIES": proba, "SIMPLIFY": 0.6,
                        "OUTPUT": order.product("polygons.gpkg")})
    show("polygons", "ortho")
    map_picture("map-polygons")
    step("tracecoastline", {"PROBABILITIES": proba, "WATER": "water", "MIN_LENGTH": 60,
                            "OUTPUT": order.product("coastline.gpkg")})
    show("coastline", "ortho")
    map_picture("map-coastline")
    step("evaluate", {"MODEL": model, "CHIPS": f"{order.map}/chips.gpkg",
                      "OUTPUT": order.product("report.html")},
         log="log-evaluate")


def maparea(order: Order) -> None:
    """Go the whole way in one dialog."""
    fresh(order)
    parameters = {"IMAGE": order.source("image.tif"), "AREA": order.source("aoi.gpkg"),
                  "OSM": order.source("osm.gpkg"), "RECIPE_FILE": order.recipe,
                  "OUTPUT": order.map}
    step("maparea", parameters, log="log-maparea")
    main = window(1100, 720, "Layers")
    main.resizeDocks([main.findChild(QDockWidget, "Layers")], [250], Qt.Orientation.Horizontal)
    for node in nodes():
        node.setExpanded(node.name() == "Class map")
    iface.mapCanvas().zoomToFullExtent()
    draw()
    shot("maparea-result", main)


def designer(order: Order) -> None:
    """Open the shipped model in the Model Designer, and run it from the toolbox."""
    fresh(order)
    [action] = [action for action in iface.pluginMenu().findChildren(QAction)
                if action.text().startswith("Example in the Model Designer")]
    action.trigger()
    wait_until(lambda: [widget for widget in QApplication.topLevelWidgets()
                        if "odeler" in type(widget).__name__ and widget.isVisible()], "designer")
    [dialog] = [widget for widget in QApplication.topLevelWidgets()
                if "odeler" in type(widget).__name__ and widget.isVisible()]
    dialog.resize(1200, 800)
    wait(500)
    shot("designer", dialog)
    dialog.setDirty(False)
    dialog.close()
    extent = QgsProject.instance().mapLayersByName("ortho")[0].extent()
    box = (f"{extent.xMinimum()},{extent.xMaximum()},{extent.yMinimum()},{extent.yMaximum()} "
           "[EPSG:32630]")
    run = open_algorithm("geoseg:Image to polygons", {
        "IMAGE": order.source("image.tif"), "AREA": box, "RECIPE": "landcover-osm",
        "EXTRACT": order.source("town.osm"), "STEPS": FEW,
        "SETTINGS": "chips.size=128; train.pretrained=false; train.learning_rate=2e-3"})
    run.resize(*DIALOG)
    run.runButton().setFocus()
    shot("model", run)
    print("model:", json.dumps(run_algorithm(run, 3000), default=str), flush=True)
    run.close()


def cancel(order: Order) -> None:
    """Cancel a training, and measure for how long QGIS stood still at most."""
    fresh(order)
    model = order.product("cancelled.safetensors")
    dialog = opened("trainmodel", {"CHIPS": f"{order.map}/chips.gpkg", "RECIPE_FILE": order.recipe,
                                   "OUTPUT": model})
    ends: list[bool] = []
    dialog.algorithmFinished.connect(lambda ok, _: ends.append(ok))
    bar = dialog.findChild(QProgressBar)
    with longest_stall() as stalls:
        dialog.runButton().click()
        wait_until(lambda: bar.value() > 1 or ends, "the first steps of the training", 600)
        wait(2000)
        dialog.cancelButton().click()
        wait_until(lambda: ends, "the end", 60)
    wait(500)
    shot("cancelled", dialog)
    print(f"cancel: longest stall {1000 * stalls[0]:.0f} ms; log ends:\n"
          f"{log_of(dialog)[-400:]}", flush=True)
    dialog.close()
    if Path(model).exists():
        raise AssertionError("the cancelled training left a model")


def main() -> None:
    """Do the parts that are asked for."""
    order = Order(**json.loads(sys.argv[1]))
    for part in order.parts:
        globals()[part](order)


main()
