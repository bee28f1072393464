"""Inside the QGIS desktop: what a script started by `qgis_desktop.py` drives QGIS with.

    from qgis_stage import add_layer, open_algorithm, run_algorithm, shot

    add_layer("ortho.tif")
    dialog = open_algorithm("geoseg:predict", {"IMAGE": "ortho.tif"})
    shot("predict", dialog)
    run_algorithm(dialog)

The script runs once the main window stands, in QGIS' own interpreter; QGIS ends when it ends.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import runpy
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from qgis.core import QgsMapLayer, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import QEventLoop, Qt, QTimer
from qgis.PyQt.QtWidgets import QApplication, QDialog, QDockWidget, QWidget
from qgis.utils import iface

_ORDER = json.loads(os.environ["GEOSEG_STAGE"])
OUT = Path(_ORDER["out"])
"""Where pictures go."""


def wait(milliseconds: int = 200) -> None:
    """Let QGIS work for a while."""
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def wait_until(condition: Callable[[], object], what: str = "", seconds: float = 60) -> None:
    """Let QGIS work until the condition holds; after so many seconds raise TimeoutError."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what or condition}")
        wait(50)


def shot(name: str, widget: QWidget | None = None) -> Path:
    """Save a picture of a widget, or of the whole screen, as OUT/name.png."""
    wait(400)
    picture = widget.grab() if widget else QApplication.primaryScreen().grabWindow(0)
    return _saved(picture, name)


def map_shot(name: str) -> Path:
    """Save what the map shows, once it is drawn."""
    draw()
    return _saved(iface.mapCanvas().grab(), name)


def draw() -> None:
    """Draw the map and wait for it."""
    canvas = iface.mapCanvas()
    canvas.refresh()
    wait(100)
    wait_until(lambda: not canvas.isDrawing(), "a drawn map")


def add_layer(source: str | Path, name: str = "") -> QgsMapLayer:
    """Add a raster or a vector layer to the project and zoom to it; return it."""
    title = name or Path(str(source).split("|")[0]).stem
    layer: QgsMapLayer = QgsRasterLayer(str(source), title)
    if not layer.isValid():
        layer = QgsVectorLayer(str(source), title, "ogr")
    if not layer.isValid():
        raise ValueError(f"{source} is neither a raster nor a vector layer")
    QgsProject.instance().addMapLayer(layer)
    QgsProject.instance().setCrs(layer.crs())
    zoom_to(layer)
    return layer


def zoom_to(layer: QgsMapLayer) -> None:
    """Show a layer with a little air around it."""
    extent = layer.extent()
    extent.scale(1.05)
    iface.mapCanvas().setExtent(extent)


def toolbox(search: str = "") -> QDockWidget:
    """Show the Processing toolbox, filtered by a word; return its dock."""
    dock = iface.mainWindow().findChild(QDockWidget, "ProcessingToolbox")
    dock.show()
    dock.raise_()
    dock.searchBox.setText(search)
    wait(300)
    return dock


def open_algorithm(name: str, parameters: dict[str, Any] | None = None) -> QDialog:
    """Open the dialog of an algorithm, such as geoseg:predict, as the toolbox does; return it."""
    import processing

    dialog = processing.createAlgorithmDialog(name, parameters or {})
    if dialog is None:
        raise ValueError(f"There is no algorithm {name}")
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    dialog.show()
    dialog.raise_()
    wait(300)
    return dialog


def run_algorithm(dialog: QDialog, seconds: float = 600) -> dict[str, Any]:
    """Press Run in a dialog and wait for the end; return the results.

    Raises:
        RuntimeError: It failed or was cancelled; the text is the dialog's log.
    """
    ends = []
    dialog.algorithmFinished.connect(lambda ok, results: ends.append((ok, results)))
    dialog.runButton().click()
    wait_until(lambda: ends, "the end of the algorithm", seconds)
    wait(300)
    ok, results = ends[0]
    if not ok:
        raise RuntimeError(f"The algorithm did not succeed:\n{log_of(dialog)}")
    return results


def log_of(dialog: QDialog) -> str:
    """Return the log of an algorithm's dialog as plain text."""
    return dialog.findChild(QWidget, "txtLog").toPlainText()


@contextlib.contextmanager
def longest_stall() -> Iterator[list[float]]:
    """Measure how long QGIS stood still at most; the list gets the seconds at the end.

    A timer ticks every few milliseconds; whenever the window is stuck, so is the timer.
    """
    ticks, result = [time.monotonic()], []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start(5)
    try:
        yield result
    finally:
        timer.stop()
        ticks.append(time.monotonic())
        result.append(max(after - before for before, after in itertools.pairwise(ticks)))


def quit(code: int = 0) -> None:
    """End QGIS without a question, and its process with this code."""
    sys.stdout.flush()
    sys.stderr.flush()
    Path(_ORDER["status"]).write_text(str(code))
    for widget in QApplication.topLevelWidgets():
        if widget is not iface.mainWindow():
            widget.close()
    # An empty project has neither changes nor temporary layers that QGIS would ask about.
    QgsProject.instance().clear()
    QgsProject.instance().setDirty(False)
    QTimer.singleShot(10_000, lambda: os._exit(0))
    QTimer.singleShot(0, iface.actionExit().trigger)


def begin() -> None:
    """Run the script as soon as the main window stands; called once, by `qgis_desktop.py`."""
    QTimer.singleShot(0, _play)


def _play() -> None:
    code: object = 0
    try:
        wait(1000)
        window, size = iface.mainWindow(), QApplication.primaryScreen().size()
        window.showMaximized()
        window.setGeometry(0, 0, size.width(), size.height())
        wait(500)
        sys.argv = [_ORDER["script"], *_ORDER["arguments"]]
        runpy.run_path(_ORDER["script"], run_name="__main__")
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        shot("failure")
        code = 1
    if code and not isinstance(code, int):
        print(code, file=sys.stderr)
    quit(code if isinstance(code, int) else int(code is not None))


def _saved(picture: Any, name: str) -> Path:  # noqa: ANN401 - a QPixmap of any Qt
    path = OUT / f"{name}.png"
    if not picture.save(str(path)):
        raise OSError(f"{path} could not be written")
    return path
