"""The engine as the algorithms see it: one call that runs a verb in a process of its own."""

import re
import time
from pathlib import Path

from qgis.core import QgsProcessingException
from qgis.PyQt.QtCore import QCoreApplication, QThread

from . import settings
from .environment import EngineHome
from .paths import version, worker
from .process import TaskCancelled, TaskFailed, run_task

MISSING = ("geoseg's engine is not set up. Run \"Set up engine\" in the geoseg group of the "
           "Processing toolbox (or in the menu Plugins > geoseg) once, and try again.")
"""What every algorithm says where there is no engine."""
STOPPED = "Stopped. Nothing half-made was left."
"""What is said after a cancel."""

SAY_SECONDS = 10.0
"""Seconds between two lines of the log that differ only in their numbers."""
_NUMBERS = re.compile(r"[\d.,]+")


class Listener:
    """Shows what the engine tells in an algorithm's dialog, and passes the Cancel button on."""

    def __init__(self, feedback):
        self._feedback = feedback
        self._stage, self._said = "", 0.0

    def is_cancelled(self):
        """Return whether the user has pressed Cancel."""
        # qgis_process runs algorithms in the main thread, and hears of an interrupt only through
        # its events.
        application = QCoreApplication.instance()
        if application is not None and QThread.currentThread() == application.thread():
            application.processEvents()
        return self._feedback.isCanceled()

    def progress(self, fraction, text=None):
        """Move the bar; say what is being done when that changes, and now and then meanwhile.

        QGIS keeps every text in the log, and a training has thousands of steps.
        """
        self._feedback.setProgress(100 * fraction)
        stage, now = _NUMBERS.sub("", text or ""), time.monotonic()
        if text and (stage != self._stage or now - self._said > SAY_SECONDS):
            self._feedback.setProgressText(text)
            self._stage, self._said = stage, now

    def log(self, level, text):
        """Write a line into the log."""
        write = {"warning": self._feedback.pushWarning, "debug": self._feedback.pushDebugInfo}
        write.get(level, self._feedback.pushInfo)(text)


def home():
    """Return the folder of the engine's environments."""
    return EngineHome(settings.read(settings.HOME))


def interpreter():
    """Return the Python that runs the engine, or None: the user's own, else the one set up."""
    return settings.read(settings.INTERPRETER) or home().python()


def run(task, params, feedback):
    """Run a task of the engine; return its result, or None if the user cancelled.

    Raises:
        QgsProcessingException: Its message is one sentence; exactly this class, since QGIS shows
            a traceback for any other, subclasses included.
    """
    python = interpreter()
    if python is None:
        raise QgsProcessingException(MISSING)
    try:
        with home().in_use(Path(python)):
            return run_task(str(python), str(worker()), task, params, listener=Listener(feedback),
                            version=version())
    except TaskCancelled:
        feedback.pushInfo(STOPPED)
        return None
    except TaskFailed as failure:
        raise explained(failure, feedback) from None


def explained(failure, feedback):
    """Return the exception to raise for a failure; its details go into the log."""
    if failure.details:
        feedback.pushDebugInfo(failure.details)
    return QgsProcessingException(str(failure))
