"""Inside the QGIS desktop: window, maps and dialogs as the docs show them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from qgis.core import QgsLayerTreeLayer, QgsProject, QgsRectangle
from qgis.PyQt.QtCore import QRect, Qt
from qgis.PyQt.QtGui import QTextCursor
from qgis.PyQt.QtWidgets import QDialog, QDockWidget, QWidget
from qgis.utils import iface

from qgis_stage import OUT, add_layer, draw, open_algorithm, run_algorithm, shot, wait

IMAGE = "ortho"
"""The image's name in the project."""
DIALOG = (900, 640)
"""Width and height of a dialog."""
TOWN = QgsRectangle(500_480, 4_982_680, 501_320, 4_983_260)
"""The part of the demo's scene that maps show, in its CRS: town, beach and headland."""


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


def fresh(image: str) -> None:
    """Begin a project with nothing but the image."""
    QgsProject.instance().clear()
    add_layer(image, IMAGE)
    folded()


def nodes() -> Iterator[QgsLayerTreeLayer]:
    """Yield the layers of the project, from the top."""
    return iter(QgsProject.instance().layerTreeRoot().findLayers())


def folded() -> None:
    """Fold the legends of what is not seen, and of the image."""
    for node in nodes():
        # Unfolding has no effect on a node that thinks it is unfolded.
        node.setExpanded(False)
        node.setExpanded(node.isVisible() and node.name() != IMAGE)


def show(*names: str) -> None:
    """Show only these layers; QGIS names those after their files whose place was chosen.

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
    """Take a picture of folded legend and map; no extent is the whole image."""
    folded()
    legend_and_map(name, extent or QgsProject.instance().mapLayersByName(IMAGE)[0].extent(),
                   (980, 700), 230)


def legend_and_map(name: str, extent: QgsRectangle, size: tuple[int, int], legend: int) -> None:
    """Take a picture of legend and map without the tool bars.

    Args:
        name: Name of the picture.
        extent: What the map shows, in the project's CRS.
        size: Width and height of the window.
        legend: Width of the legend.
    """
    main, canvas = window(*size, "Layers"), iface.mapCanvas()
    layers = main.findChild(QDockWidget, "Layers")
    main.resizeDocks([layers], [legend], Qt.Orientation.Horizontal)
    wait(200)
    canvas.setExtent(extent)
    iface.messageBar().clearWidgets()
    draw()
    iface.layerTreeView().clearSelection()
    iface.layerTreeView().setCurrentIndex(iface.layerTreeView().model().index(-1, -1))
    wait(400)
    places = [QRect(widget.mapTo(main, widget.rect().topLeft()), widget.size())
              for widget in (layers, canvas)]
    main.grab(places[0].united(places[1])).save(str(OUT / f"{name}.png"))


def dialog_of(name: str, parameters: dict[str, Any]) -> QDialog:
    """Open a dialog and take its picture."""
    dialog = opened(name, parameters)
    shot(name, dialog)
    return dialog


def opened(name: str, parameters: dict[str, Any]) -> QDialog:
    """Open a dialog."""
    dialog = open_algorithm(f"geoseg:{name}", parameters)
    dialog.resize(*DIALOG)
    dialog.runButton().setFocus()
    return dialog


def step(name: str, parameters: dict[str, Any], log_from: str = "") -> dict[str, Any]:
    """Take a picture of a dialog, press Run and wait for the results.

    Args:
        name: The algorithm's name.
        parameters: What is filled in.
        log_from: Text that begins what a picture of the log shows; no picture by default.
    """
    dialog = dialog_of(name, parameters)
    results = run_algorithm(dialog, 3000)
    print(f"{name}: {json.dumps(results, default=str)}", flush=True)
    if log_from:
        _log_picture(f"log-{name}", dialog, log_from)
    dialog.close()
    wait(500)
    return results


def _log_picture(name: str, dialog: QDialog, first: str) -> None:
    dialog.findChild(QWidget, "textShortHelp").hide()
    wait(200)
    log = dialog.findChild(QWidget, "txtLog")
    log.moveCursor(QTextCursor.MoveOperation.Start)
    if not log.find(first):
        raise LookupError(f"the log lacks {first!r}")
    cursor = log.textCursor()
    cursor.clearSelection()
    log.setTextCursor(cursor)
    bar = log.verticalScrollBar()
    bar.setValue(bar.value() + log.cursorRect().top() - 4)
    shot(name, dialog)
