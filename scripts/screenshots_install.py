"""Inside the QGIS desktop: install the zip as the plugin manager does, by its own dialog.

Started by `screenshots.py` in a QGIS that has never seen geoseg, with the path of the zip.
"""

from __future__ import annotations

import sys
import traceback

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt, QTimer
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QListWidget, QMessageBox, QPushButton, QWidget
from qgis.utils import active_plugins, iface

from qgis_stage import shot, wait_until

FOLDER = "geoseg_qgis"
SIZE = (900, 420)


def manager() -> QWidget | None:
    """Return the plugin manager's window once it is open."""
    return next((widget for widget in QApplication.topLevelWidgets()
                 if widget.objectName() == "QgsPluginManagerBase" and widget.isVisible()), None)


def install(zip_path: str) -> None:
    """Choose the zip in the open manager and press its button."""
    wait_until(manager, "the plugin manager")
    window = manager()
    window.resize(*SIZE)
    tabs = window.findChild(QListWidget, "mOptionsListWidget")
    [place] = [row for row in range(tabs.count()) if "ZIP" in tabs.item(row).text()]
    tabs.setCurrentRow(place)
    window.findChild(QWidget, "mZipFileWidget").setFilePath(zip_path)
    button = window.findChild(QPushButton, "buttonInstallFromZip")
    wait_until(button.isEnabled, "the button")
    shot("install", window)
    # QGIS warns of unknown sources, in a window that has to be answered before the click returns.
    QTimer.singleShot(1000, confirm)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    wait_until(lambda: FOLDER in active_plugins, "the plugin")
    window.close()


def confirm() -> None:
    """Answer a question with Yes."""
    question = QApplication.activeModalWidget()
    if isinstance(question, QMessageBox):
        QTest.mouseClick(question.button(QMessageBox.StandardButton.Yes), Qt.MouseButton.LeftButton)


def main() -> None:
    """Install, and see that all is there without a new start."""
    failures = []

    def drive() -> None:
        # What is raised in a timer would be lost.
        try:
            install(sys.argv[1])
        except BaseException:
            failures.append(traceback.format_exc())
            QApplication.activeModalWidget().close()

    QTimer.singleShot(500, drive)
    # Comes back when the manager is closed.
    iface.actionManagePlugins().trigger()
    wait_until(lambda: manager() is None, "the end of the plugin manager")
    if failures:
        raise AssertionError(failures[0])
    [provider] = [item for item in QgsApplication.processingRegistry().providers()
                  if item.id() == "geoseg"]
    [menu] = [entry for entry in iface.pluginMenu().actions() if "geoseg" in entry.text()]
    print(f"The plugin is on: {len(provider.algorithms())} algorithms, and the menu {menu.text()}",
          flush=True)


main()
