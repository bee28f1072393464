"""`Verb`: one verb of the engine as a Processing algorithm.

A subclass says what the algorithm is called, which parameters it takes and what it gives back; the
rest, which is the same for all, happens here.
"""

from html import escape

from qgis.core import QgsProcessingAlgorithm
from qgis.PyQt.QtGui import QIcon

from . import display, engine, outputs, parameters
from .paths import icon

PROVIDER = "geoseg"
HELP = "https://github.com/geoseg/geoseg/blob/main/docs/qgis/{name}.md"

LABELS, TRAINING, MAPPING, SCORING, COAST, WHOLE, SETUP = (
    ("labels", "1 Labels"), ("training", "2 Training"), ("mapping", "3 Mapping"),
    ("scoring", "4 Scoring"), ("coast", "5 Coast"), ("All at once", "All at once"),
    ("setup", "Set-up"))
"""Groups of the toolbox as (name, title); a model can share only one that is named as titled."""


class Verb(QgsProcessingAlgorithm):
    """A verb of the engine."""

    ID = ""
    """Name in models and scripts, as `geoseg:ID`; never changed."""
    TITLE = ""
    """Name in the toolbox."""
    TASK = ""
    """The verb's name in the engine."""
    GROUP = WHOLE
    ICON = None
    """Name of an icon of its own; by default that of the group."""
    TAGS = ()
    """Words by which the toolbox finds it."""
    SUMMARY = ""
    """One sentence."""
    NOTES = ""
    """Further paragraphs of the help, as HTML."""

    def parameters(self):
        """Return the parameters in the order of the dialog."""
        return []

    def outputs(self):
        """Return what is written where the user chooses."""
        return []

    def results(self):
        """Return further values of the engine's answer."""
        return []

    # --- what Processing asks for ---------------------------------------------------------------

    def createInstance(self):
        """Return a fresh instance."""
        return type(self)()

    def name(self):
        """Return the name in models and scripts."""
        return self.ID

    def displayName(self):
        """Return the name in the toolbox."""
        return self.TITLE

    def groupId(self):
        """Return the name of the group."""
        return self.GROUP[0]

    def group(self):
        """Return the title of the group."""
        return self.GROUP[1]

    def tags(self):
        """Return the words by which the toolbox finds it."""
        return ["geoseg", "segmentation", "deep learning", *self.TAGS]

    def icon(self):
        """Return the icon."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self):
        """Return the path of the icon."""
        return icon(self.ICON or self.GROUP[0])

    def shortDescription(self):
        """Return the tool tip."""
        return self.SUMMARY

    def shortHelpString(self):
        """Return the help beside the parameters: what it does, and each parameter's meaning."""
        entries = [(item.definition.description(), item.text)
                   for item in (*self._parameters(), *self.outputs())]
        return "".join([f"<p>{escape(self.SUMMARY)}</p>", self.NOTES,
                        *(f"<p><b>{escape(title)}</b><br>{text}</p>" for title, text in entries)])

    def helpUrl(self):
        """Return the address of the illustrated page."""
        return HELP.format(name=self.ID)

    def initAlgorithm(self, configuration=None):
        """Declare parameters, outputs and results."""
        self._asked, self._written, self._given = self._parameters(), self.outputs(), self.results()
        for item in (*self._asked, *self._written):
            self.addParameter(item.definition)
        for item in self._given:
            self.addOutput(item.definition)

    def _parameters(self):
        replace = [parameters.flag(
            "OVERWRITE", "Replace existing files", "overwrite",
            "Otherwise a run stops before it touches a file that is there already.").rare()]
        return [*self.parameters(), *(replace if self.outputs() else [])]

    def createCustomParametersWidget(self, parent=None):
        """Return a dialog of our own where the classes can be edited; else QGIS takes its own."""
        if self.parameterDefinition("CLASSES") is None:
            return None
        # Only the desktop has dialogs.
        from .dialog import recipe_dialog

        return recipe_dialog(self, parent)

    def canExecute(self):
        """Return whether there is an engine, and what to do if not."""
        ready = engine.interpreter() is not None
        return ready, "" if ready else engine.MISSING

    def checkParameterValues(self, values, context):
        """Return whether the parameters can be used, and why not."""
        fine, reason = super().checkParameterValues(values, context)
        if not fine:
            return fine, reason
        reasons = [item.check(self, values, context) for item in self._asked if item.check]
        reasons += [outputs.unsupported(item, values) for item in self._written]
        reasons.append(self.contradiction(values, context))
        reason = next(filter(None, reasons), "")
        return not reason, reason

    def prepareAlgorithm(self, values, context, feedback):
        """Turn layers and values into what the engine understands; in the main thread."""
        self._arguments = self.arguments(values, context)
        return True

    def processAlgorithm(self, values, context, feedback):
        """Run the verb; in a thread of its own."""
        paths = {item: item.read(self, values, context) for item in self._written}
        chosen = {item.argument: path for item, path in paths.items() if path}
        answer = None
        try:
            answer = self.work({**self._arguments, **chosen}, context, feedback)
        finally:
            if answer is None:
                display.forget(context)
        if answer is None:
            return {}
        display.tell(feedback, answer.get("text") or "")
        found = {item.name: path for item, path in paths.items() if path}
        found.update(self._results(answer, values, context))
        for item in (*self._written, *self._given):
            if item.is_page and item.name in found:
                display.link(feedback, item.definition.description(), found[item.name])
        display.arrange(context, _flat(found.values()), self.run_name(values, context),
                        _flat(found.get(item.name, []) for item in self._given if item.hidden))
        return found

    # --- what subclasses may change -------------------------------------------------------------

    def arguments(self, values, context):
        """Return the verb's arguments; parts of a nested one are named as a tuple."""
        found = {}
        for item in self._asked:
            value = item.read(self, values, context) if item.argument else None
            if value is not None:
                _put(found, item.argument, value)
        return found

    def contradiction(self, values, context):
        """Return why values that are fine alone do not go together, or None."""
        return None

    def work(self, arguments, context, feedback):
        """Run the engine; return its answer, or None if the user cancelled."""
        return engine.run(self.TASK, arguments, feedback)

    def run_name(self, values, context):
        """Return the name of the group that the layers of this run share."""
        return f"geoseg: {self.TITLE}"

    def shows(self, values, context):
        """Return whether layers whose place the user does not choose go onto the map."""
        return True

    def _results(self, answer, values, context):
        found = {}
        for item in self._given:
            value = item.find(answer)
            if value is None:
                continue
            found[item.name] = value
            if self.shows(values, context):
                for source, title in item.layers(answer):
                    display.announce(context, source, title)
        return found


def _flat(values):
    """Return values, of which some are lists, as one list."""
    return [one for value in values for one in (value if isinstance(value, list) else [value])]


def _put(target, place, value):
    """Set `target[a][b] = value` for the place ("a", "b"); mappings are joined."""
    steps = (place,) if isinstance(place, str) else place
    for step in steps[:-1]:
        target = target.setdefault(step, {})
    if isinstance(value, dict):
        target.setdefault(steps[-1], {}).update(value)
    else:
        target[steps[-1]] = value
