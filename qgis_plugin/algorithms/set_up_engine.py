"""Set up engine."""

from .. import engine, outputs, parameters, settings
from ..algorithm import SETUP, Verb
from ..environment import EngineHome, SetupCancelled, SetupFailed, check_interpreter
from ..paths import version, worker

BACKENDS = ["auto", "cpu", "cu126", "cu128", "cu130", "rocm6.4", "xpu", "default"]


class SetUpEngine(Verb):
    """The environment in which the engine runs."""

    ID, TITLE, GROUP = "setupengine", "Set up engine", SETUP
    TAGS = ("install", "environment", "Python", "PyTorch", "GPU", "CUDA")
    SUMMARY = "Makes the private Python environment in which geoseg works; needed once."
    NOTES = ("<p>Nothing is installed into QGIS. Up to 7 GB are downloaded and kept in a folder of "
             "your own; cancel at any time and nothing half-made stays. After an update of the "
             "plugin, run it again if geoseg asks for it.</p>")

    def parameters(self):
        return [
            parameters.choice("BACKEND", "Graphics card", None, "<code>auto</code> finds out what "
                              "this computer has; <code>cpu</code> is the smallest; "
                              "<code>default</code> takes the packages as they come, without "
                              "PyTorch's own server.", BACKENDS, "auto"),
            parameters.file("INTERPRETER", "Use this interpreter", None, "A Python of your own "
                            "that has the engine's packages, such as that of a conda environment: "
                            "nothing is installed then. Example: "
                            "<code>/opt/conda/envs/geoseg/bin/python</code>", "All files (*)",
                            optional=True),
            parameters.file("BASE_PYTHON", "Python to build on", None, "A Python 3.11 or newer; by "
                            "default QGIS' own or a freshly downloaded one. Example: "
                            "<code>/usr/bin/python3.12</code>", "All files (*)",
                            optional=True).rare(),
            parameters.folder("HOME", "Folder of the environment", None, "By default in your user "
                              "data. Example: <code>D:\\geoseg</code>").rare(),
        ]

    def results(self):
        return [outputs.other_file("PYTHON", "Interpreter of the engine", "python"),
                outputs.sentence("TEXT", "What was set up")]

    def canExecute(self):
        """Return True: it needs no engine."""
        return True, ""

    def arguments(self, values, context):
        """Return the choices as plain values."""
        return {item.name: item.read(self, values, context) for item in self._asked}

    def work(self, arguments, context, feedback):
        """Build and check the environment, or check the user's own interpreter."""
        listener = engine.Listener(feedback)
        try:
            if arguments["INTERPRETER"]:
                return _use(arguments["INTERPRETER"], listener)
            return _build(arguments, listener)
        except SetupCancelled:
            feedback.pushInfo(engine.STOPPED)
            return None
        except SetupFailed as failure:
            raise engine.explained(failure, feedback) from None


def _use(python, listener):
    facts = check_interpreter(python, str(worker()), version(), listener)
    settings.write(settings.INTERPRETER, python)
    return {"files": {"python": python}, "text": facts.get("text", "")}


def _build(arguments, listener):
    home = EngineHome(arguments["HOME"]) if arguments["HOME"] else engine.home()
    python = home.set_up(
        base_python=arguments["BASE_PYTHON"], backend=arguments["BACKEND"], worker=str(worker()),
        version=version(), listener=listener, proxy=settings.proxy())
    settings.write(settings.INTERPRETER, None)
    if arguments["HOME"]:
        settings.write(settings.HOME, arguments["HOME"])
    return {"files": {"python": str(python)}, "text": f"The engine is ready: {python}"}
