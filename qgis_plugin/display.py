"""How results come onto the map: with the style that lies beside them, grouped by run."""

from qgis.core import QgsProcessingContext, QgsProcessingLayerPostProcessorInterface

from .outputs import source_file

_alive = {}
"""Post-processors by layer source: QGIS holds no reference to them, and without one they vanish."""


class _Arrange(QgsProcessingLayerPostProcessorInterface):
    """Styles a layer that has just been added to the project, and puts it into its group."""

    def __init__(self, source, group):
        super().__init__()
        self._source, self._group = source, group

    def postProcessLayer(self, layer, context, feedback):
        """Do it; QGIS calls this in the main thread."""
        style = source_file(self._source).with_suffix(".qml")
        if style.is_file():
            layer.loadNamedStyle(str(style))
            layer.triggerRepaint()
        root = context.project().layerTreeRoot() if context.project() else None
        node = root.findLayer(layer.id()) if root else None
        if self._group and node:
            group = root.findGroup(self._group) or root.insertGroup(0, self._group)
            if node.parent() != group:
                group.addChildNode(node.clone())
                node.parent().removeChildNode(node)
        _alive.pop(self._source, None)


def announce(context, source, title):
    """Have a layer put on the map when the algorithm has finished."""
    details = QgsProcessingContext.LayerDetails(title, context.project(), title)
    context.addLayerToLoadOnCompletion(str(source), details)


def arrange(context, sources, run):
    """Have the layers of a run styled, and grouped if there are several of them.

    Args:
        context: The Processing context.
        sources: Layer sources in the order of the legend, topmost first.
        run: Name of the group.
    """
    shown = [source for source in map(str, sources) if context.willLoadLayerOnCompletion(source)]
    for source in shown:
        details = context.layerToLoadOnCompletionDetails(source)
        _alive[source] = _Arrange(source, run if len(shown) > 1 else None)
        details.setPostProcessor(_alive[source])


def forget(context):
    """Put nothing on the map: the run was cancelled or failed."""
    context.setLayersToLoadOnCompletion({})
