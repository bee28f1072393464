"""Inside the QGIS desktop: the first hour with geoseg, done with the dialogs, and its pictures.

Started by `screenshots.py`, which says where the demo's scene and its map lie, where the steps' own
products go, and which parts to do.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from qgis.core import QgsProject
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QAction, QApplication, QDockWidget, QWidget
from qgis.utils import iface

from qgis_pictures import IMAGE, dialog_of, fresh, map_picture, nodes, opened, show, step, window
from qgis_stage import draw, log_of, longest_stall, run_algorithm, shot, toolbox, wait, wait_until

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


def start(order: Order) -> None:
    """Take pictures of what one sees first, and of dialogs whose work would show nothing more."""
    fresh(order.source("image.tif"))
    main = window(1100, 720, "Layers")
    found = toolbox("geoseg")
    main.resizeDocks([main.findChild(QDockWidget, "Layers"), found], [210, 250],
                     Qt.Orientation.Horizontal)
    iface.mapCanvas().zoomToFullExtent()
    draw()
    shot("desktop", main)
    found.hide()
    dialog_of("setupengine", {}).close()
    dialog_of("refine", {"PROBABILITIES": f"{order.map}/probabilities.tif",
                         "IMAGE": order.source("image.tif")}).close()


def labels(order: Order) -> None:
    """Go the way step by step, to a trained model."""
    fresh(order.source("image.tif"))
    image, recipe = order.source("image.tif"), {"RECIPE_FILE": order.recipe}
    step("fetchosm", {"AREA": order.source("aoi.gpkg"), "FILE": order.source("town.osm"), **recipe,
                      "OUTPUT": order.product("osm.gpkg")})
    show("OSM polygons", "OSM lines", IMAGE)
    map_picture("map-osm")
    step("burnlabels", {"IMAGE": image, "OSM": order.product("osm.gpkg"), **recipe,
                        "OUTPUT": order.product("labels.tif")})
    show("labels")
    map_picture("map-labels")
    chips = order.product("chips.gpkg")
    step("planchips", {"IMAGE": image, "LABELS": order.product("labels.tif"), **recipe,
                       "OUTPUT": chips})
    show("chips", IMAGE)
    map_picture("map-chips", None)
    step("exportchips", {"CHIPS": chips, "OUTPUT": order.product("tiles")})
    step("trainmodel", {"CHIPS": chips, **recipe, "STEPS": FEW,
                        "OUTPUT": order.product("model.safetensors")}, "On the validation chips")


def maps(order: Order) -> None:
    """Go on, with the model that "Map an area" has trained for the recipe's full time."""
    fresh(order.source("image.tif"))
    image, model = order.source("image.tif"), f"{order.map}/model.safetensors"
    step("modelinformation", {"FILE": model}, "kind ")
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
    show("polygons", IMAGE)
    map_picture("map-polygons")
    step("tracecoastline", {"PROBABILITIES": proba, "WATER": "water", "MIN_LENGTH": 60,
                            "OUTPUT": order.product("coastline.gpkg")})
    show("coastline", IMAGE)
    map_picture("map-coastline")
    step("evaluate", {"MODEL": model, "CHIPS": f"{order.map}/chips.gpkg",
                      "OUTPUT": order.product("report.html")}, "class ")


def maparea(order: Order) -> None:
    """Go the whole way in one dialog."""
    fresh(order.source("image.tif"))
    parameters = {"IMAGE": order.source("image.tif"), "AREA": order.source("aoi.gpkg"),
                  "OSM": order.source("osm.gpkg"), "RECIPE_FILE": order.recipe,
                  "OUTPUT": order.map}
    step("maparea", parameters, "class ")
    main = window(1100, 720, "Layers")
    main.resizeDocks([main.findChild(QDockWidget, "Layers")], [250], Qt.Orientation.Horizontal)
    for node in nodes():
        node.setExpanded(node.name() in ("classes", "Class map"))
    iface.mapCanvas().zoomToFullExtent()
    draw()
    shot("maparea-result", main)


def designer(order: Order) -> None:
    """Open the shipped model in the Model Designer, and run it from the toolbox."""
    fresh(order.source("image.tif"))
    [menu] = [entry.menu() for entry in iface.pluginMenu().actions() if "geoseg" in entry.text()]
    next(entry for entry in menu.actions() if "Designer" in entry.text()).trigger()
    wait_until(designers, "the Model Designer")
    [dialog] = designers()
    dialog.resize(1200, 800)
    wait(500)
    next(action for action in dialog.findChildren(QAction)
         if action.text().replace("&", "") == "Zoom Full").trigger()
    shot("designer", dialog)
    dialog.setDirty(False)
    dialog.close()
    extent = QgsProject.instance().mapLayersByName(IMAGE)[0].extent()
    box = (f"{extent.xMinimum()},{extent.xMaximum()},{extent.yMinimum()},{extent.yMaximum()} "
           "[EPSG:32630]")
    run = opened("Image to polygons", {
        "IMAGE": order.source("image.tif"), "AREA": box, "RECIPE": "landcover-osm",
        "EXTRACT": order.source("town.osm"), "STEPS": FEW,
        "SETTINGS": "chips.size=128; train.pretrained=false; train.learning_rate=2e-3"})
    shot("model", run)
    print("model:", json.dumps(run_algorithm(run, 3000), default=str), flush=True)
    run.close()


def designers() -> list[QWidget]:
    """Return the open windows of the Model Designer."""
    return [widget for widget in QApplication.topLevelWidgets()
            if type(widget).__name__ == "ModelerDialog" and widget.isVisible()]


def cancel(order: Order) -> None:
    """Cancel a training, and measure for how long QGIS stood still at most."""
    fresh(order.source("image.tif"))
    model = order.product("cancelled.safetensors")
    dialog = opened("trainmodel", {"CHIPS": f"{order.map}/chips.gpkg", "RECIPE_FILE": order.recipe,
                                   "OUTPUT": model})
    ends: list[bool] = []
    dialog.algorithmFinished.connect(lambda ok, _: ends.append(ok))
    with longest_stall() as at_start:
        dialog.runButton().click()
        wait(1000)
    with longest_stall() as at_work:
        wait_until(lambda: log_of(dialog).count("step ") > 1 or ends, "the training", 600)
    with longest_stall() as at_end:
        dialog.cancelButton().click()
        wait_until(lambda: ends, "the end", 60)
    shot("cancelled", dialog)
    for name, stalls in (("pressing Run", at_start), ("training", at_work), ("cancel", at_end)):
        print(f"longest stall, {name}: {1000 * stalls[0]:.0f} ms", flush=True)
    print(log_of(dialog)[-300:], flush=True)
    dialog.close()
    if Path(model).exists():
        raise AssertionError("the cancelled training left a model")


def main() -> None:
    """Do the parts that are asked for."""
    order = Order(**json.loads(sys.argv[1]))
    for part in order.parts:
        globals()[part](order)


main()
