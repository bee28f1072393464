"""How results come onto the map: with the style that lies beside them, grouped by run."""

from html import escape
from pathlib import Path

from qgis.core import QgsProcessingContext, QgsProcessingLayerPostProcessorInterface

_PLACE = "geoseg/place"
_alive = {}
"""Post-processors by layer source: QGIS holds no reference to them, and without one they vanish."""


class _Arrange(QgsProcessingLayerPostProcessorInterface):
    """Styles a layer that has just been added to the project, and puts it into its group."""

    def __init__(self, source, group, place, visible):
        super().__init__()
        self._source, self._group, self._place, self._visible = source, group, place, visible

    def postProcessLayer(self, layer, context, feedback):
        """Do it; QGIS calls this in the main thread."""
        layer.loadDefaultStyle()
        layer.triggerRepaint()
        root = context.project().layerTreeRoot() if context.project() else None
        node = root.findLayer(layer.id()) if root else None
        if node is not None:
            node = self._grouped(root, node) if self._group else node
            node.setItemVisibilityChecked(self._visible)
        _alive.pop(self._source, None)

    def _grouped(self, root, node):
        """Move a layer into the group, in its place there, since QGIS loads them by file name."""
        group = root.findGroup(self._group) or root.insertGroup(0, self._group)
        clone = node.clone()
        clone.setCustomProperty(_PLACE, self._place)
        # A legend that nobody sees is folded; a view would mind that once the node is in the tree.
        clone.setExpanded(self._visible)
        above = [child for child in group.children()
                 if int(child.customProperty(_PLACE, 0)) < self._place]
        group.insertChildNode(len(above), clone)
        node.parent().removeChildNode(node)
        return clone


def announce(context, source, title):
    """Have a layer put on the map when the algorithm has finished, under the title."""
    details = QgsProcessingContext.LayerDetails(title, context.project(), title)
    # By default QGIS prefers file names, but this file's name is not the user's.
    details.forceName = True
    context.addLayerToLoadOnCompletion(str(source), details)


def arrange(context, sources, run, hidden=()):
    """Have the layers of a run styled, and grouped if there are several of them.

    Args:
        context: The Processing context.
        sources: Layer sources in the order of the legend, topmost first.
        run: Name of the group.
        hidden: Those of them that are added but switched off.
    """
    shown = [source for source in map(str, sources) if context.willLoadLayerOnCompletion(source)]
    for place, source in enumerate(shown):
        details = context.layerToLoadOnCompletionDetails(source)
        _alive[source] = _Arrange(source, run if len(shown) > 1 else None, place,
                                  source not in hidden)
        details.setPostProcessor(_alive[source])


def tell(feedback, text):
    """Write an answer into the log; tables keep their columns."""
    if "\n" in text:
        # The log is a web page: other spaces would be drawn together.
        feedback.pushCommandInfo(text.replace(" ", "\u00a0"))
    else:
        feedback.pushInfo(text)


def link(feedback, title, path):
    """Write a link to a file into the log; releases before 3.36 show it as plain text."""
    address = Path(path).as_uri()
    if hasattr(feedback, "pushFormattedMessage"):
        feedback.pushFormattedMessage(f'{title}: <a href="{address}">{escape(str(path))}</a>',
                                      f"{title}: {path}")
    else:
        feedback.pushInfo(f"{title}: {address}")


def forget(context):
    """Put nothing on the map: the run was cancelled or failed."""
    context.setLayersToLoadOnCompletion({})
