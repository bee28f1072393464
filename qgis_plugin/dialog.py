"""The dialog of an algorithm that asks for a recipe: the usual one, and a button in it.

The table of classes starts empty, since a recipe has its own; the button fills these in, to be
changed. Batch runs and the Model Designer have their own dialogs, without the button.
"""

from processing.gui.AlgorithmDialog import AlgorithmDialog
from qgis.core import QgsProcessingContext
from qgis.PyQt.QtWidgets import QPushButton

from .recipes import class_table

BUTTON = "Fill from recipe"
_HELP = ("Fill in the classes of the recipe that is chosen above, to change them here. Those of a "
         "recipe file are changed in that file.")


def recipe_dialog(algorithm, parent):
    """Return the dialog of an algorithm that has `recipe_parameters`."""
    dialog = AlgorithmDialog(algorithm, parent=parent)
    panel = dialog.mainWidget()
    recipe, file, table = (panel.wrappers[name] for name in ("RECIPE", "RECIPE_FILE", "CLASSES"))
    button = QPushButton(BUTTON)
    button.setToolTip(_HELP)

    def cells():
        chosen = None if file.parameterValue() else recipe.parameterValue()
        return [cell for row in class_table(chosen) for cell in row]

    def allow(_=None):
        button.setEnabled(bool(cells()))

    for wrapper in (recipe, file):
        wrapper.widgetValueHasChanged.connect(allow)
    button.clicked.connect(lambda _=False: table.setParameterValue(cells(), QgsProcessingContext()))
    allow()
    table.wrappedWidget().layout().addWidget(button)
    return dialog
