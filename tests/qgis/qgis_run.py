"""QGIS as a process of its own, each time with a profile of its own. Standard library only."""

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

SYSTEM_PATH = "/usr/bin:/bin"
"""QGIS takes the home of its Python from the first python3 on PATH: it must be the system's."""
PLUGIN = "geoseg_qgis"
"""Our plugin's folder."""

_MISLEADING = ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "DISPLAY", "WAYLAND_DISPLAY",
               "QGIS_PREFIX_PATH", "PYTHONWARNINGS")


class QgisMissing(Exception):
    """There is no QGIS; the text says what to install."""


@dataclass(frozen=True)
class Outcome:
    """How a process of QGIS ended."""

    code: int
    """Exit code; negative is the signal that killed it."""
    stdout: str
    """What it printed."""
    stderr: str
    """What it complained of."""

    @property
    def json(self):
        """The answer of `--json`, from the first brace on: warnings may stand before it."""
        return json.loads(self.stdout[self.stdout.index("{"):])

    @property
    def results(self):
        """The outputs of an algorithm that ran with `--json`."""
        return self.json["results"]


class Qgis:
    """A place to run QGIS from: profile, home and runtime folder of its own, our plugin enabled."""

    def __init__(self, folder, plugins, variables=None):
        """Lay out the folders.

        Args:
            folder: An empty folder that holds everything QGIS writes.
            plugins: The folder that holds the plugin's folder.
            variables: Environment variables on top, strings by name; None removes one.
        """
        self.folder = Path(folder)
        self.plugins = Path(plugins)
        self._variables = dict(variables or {})
        for name in ("home", "runtime"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        # Qt refuses a runtime folder that others can read.
        (self.folder / "runtime").chmod(0o700)
        write_profile(self.profiles)

    @property
    def profiles(self):
        """The folder above `profiles`, which QGIS is told of."""
        return self.folder / "config"

    def environment(self):
        """Return the variables of a process of QGIS."""
        variables = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
        variables.update({
            "PATH": SYSTEM_PATH, "HOME": str(self.folder / "home"), "LC_ALL": "C.UTF-8",
            "XDG_RUNTIME_DIR": str(self.folder / "runtime"), "QT_QPA_PLATFORM": "offscreen",
            "QGIS_CUSTOM_CONFIG_PATH": str(self.profiles), "QGIS_PLUGINPATH": str(self.plugins),
        })
        variables.update({key: value for key, value in self._variables.items() if value})
        return {key: value for key, value in variables.items()
                if self._variables.get(key, value) is not None}

    def start(self, *arguments, **options):
        """Start `qgis_process` and return its Popen; send it SIGINT to cancel an algorithm.

        Its session is its own, so that a test can end or count everything that came of it.
        """
        # A child of a background shell ignores interrupts unless it is told otherwise.
        command = ["env", "--default-signal=INT", str(find("qgis_process")), *map(str, arguments)]
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                   "stderr": subprocess.PIPE, "start_new_session": True, **options}
        return subprocess.Popen(command, env=self.environment(), text=True, encoding="utf-8",
                                **options)

    def __call__(self, *arguments, timeout=600):
        """Run `qgis_process` with these arguments to its end; return the outcome."""
        with self.start(*arguments) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except BaseException:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        return Outcome(process.returncode, stdout, stderr)

    def run(self, algorithm, timeout=600, **parameters):
        """Run an algorithm with `--json`; return the outcome. A list is given value by value."""
        return self(*arguments_of(algorithm, parameters), timeout=timeout)


def arguments_of(algorithm, parameters):
    """Return the arguments of `qgis_process` that run an algorithm, as every release knows them."""
    given = []
    for key, value in parameters.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        given += [f"{key}={one}" for one in values]
    return ["--json", "run", algorithm, "--", *given]


def write_profile(profiles, sections=None):
    """Write the settings of a fresh profile in which Processing and our plugin are enabled.

    Processing too: once any plugin is named, it is no longer on by itself.

    Args:
        profiles: The folder above `profiles`.
        sections: Further lines by section.
    """
    settings = {"PythonPlugins": ["processing=true", f"{PLUGIN}=true"], **(sections or {})}
    ini = Path(profiles) / "profiles" / "default" / "QGIS" / "QGIS3.ini"
    ini.parent.mkdir(parents=True, exist_ok=True)
    ini.write_text("".join(f"[{name}]\n" + "".join(f"{line}\n" for line in lines)
                           for name, lines in settings.items()), encoding="utf-8")


def find(program):
    """Return the path of a program of QGIS.

    Debian's `qgis` and `qgis_process` are wrappers that add an option which only the desktop
    knows; the programs themselves lie beside them with the ending .bin.
    """
    for name in (f"{program}.bin", program):
        found = shutil.which(name, path=SYSTEM_PATH)
        if found:
            return Path(found)
    raise QgisMissing(f"{program} is not installed. On Debian and Ubuntu: apt-get install qgis "
                      "python3-qgis")


def processes_of(session):
    """Return the ids of the living processes of a session, such as that of `Qgis.start`."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                status = (entry / "stat").read_text()
            except OSError:
                continue  # it ended while we looked
            # After the command's name, in brackets: state, parent, group, session.
            state, _, _, its_session = status.rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found.append(int(entry.name))
    return found
