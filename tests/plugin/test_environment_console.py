"""Commands of a set-up: their output, their end, and what they are started with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from qgis_plugin.environment.console import Console
from qgis_plugin.environment.errors import SetupCancelled
from qgis_plugin.environment.part import Downloads, Part
from qgis_plugin.environment.variables import installer_variables
from tests.plugin.processes import Listener, assert_gone, wait_until
from tests.plugin.small_engine import ROOT

FAMILY = """
import os, subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(os.getpgid(0), flush=True)
time.sleep(600)
"""
"""A program with a child that would outlive it."""


@pytest.fixture
def log(tmp_path):
    """An open log."""
    with (tmp_path / "log").open("w+", encoding="utf-8") as file:
        yield file


def run(log, source: str, listener: Listener | None = None, **further: object):
    console = Console(log, listener or Listener(), dict(os.environ), Path(log.name).parent)
    return console.run([sys.executable, "-c", source], guard=Path(sys.executable), **further)


def test_a_command_is_heard_and_its_exit_code_told(log):
    lines = []
    outcome = run(log, "import sys; print('Größe'); sys.stderr.write('oh'); sys.exit(3)",
                  on_line=lines.append)
    assert outcome.code == 3
    assert not outcome.is_good
    assert outcome.last_words in ("Größe", "oh")
    assert set(outcome.output.splitlines()) == set(lines) == {"Größe", "oh"}
    log.seek(0)
    assert "Größe" in log.read()
    assert run(log, "pass").is_good
    assert run(log, "import sys; sys.exit(5)").last_words == "exit code 5"
    assert run(log, "raise SystemExit('error: no\\nhint: yes')").last_words == "error: no"
    assert run(log, "import os; os.kill(os.getpid(), 9)").code == 128 + signal.SIGKILL


def test_a_guard_that_cannot_be_started_is_a_failure_of_the_command(log, tmp_path):
    console = Console(log, Listener(), dict(os.environ), tmp_path)
    outcome = console.run(["anything"], guard=tmp_path / "missing")
    assert not outcome.is_good
    assert "missing" in outcome.output


def test_cancelling_ends_a_command_and_its_children(log):
    groups = []
    listener = Listener(lambda self: groups)
    with pytest.raises(SetupCancelled):
        run(log, FAMILY, listener, on_line=groups.append)
    assert_gone(int(groups[0]))


def test_a_command_ends_when_its_caller_is_killed(tmp_path):
    program = textwrap.dedent(f"""
        import os, sys
        sys.path.insert(0, {str(ROOT)!r})
        from pathlib import Path
        from qgis_plugin.environment.console import Console
        from tests.plugin.processes import Listener
        with open({str(tmp_path / "log")!r}, "w") as log:
            console = Console(log, Listener(), dict(os.environ), Path({str(tmp_path)!r}))
            console.run([sys.executable, "-c", {FAMILY!r}], guard=Path(sys.executable),
                        on_line=lambda line: print(line, flush=True))
        """)
    caller = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    group = int(caller.stdout.readline())
    caller.kill()
    caller.communicate()
    wait_until(lambda: caller.returncode is not None)
    assert_gone(group)


def test_installers_follow_the_administrator_and_nobody_else(tmp_path):
    found = installer_variables(tmp_path, tmp_path, variables={
        "PATH": "/usr/bin", "HTTPS_PROXY": "http://proxy:3128", "PIP_INDEX_URL": "https://a.example",
        "PIP_USER": "1", "PIP_TARGET": "/elsewhere", "UV_SYSTEM_PYTHON": "1", "PYTHONPATH": "/x",
        "UV_DEFAULT_INDEX": "https://a.example", "UV_NO_VERIFY_HASHES": "1", "VIRTUAL_ENV": "/y"},
        proxy="http://other:1")
    for name in ("PATH", "HTTPS_PROXY", "PIP_INDEX_URL", "UV_DEFAULT_INDEX"):
        assert name in found
    for name in ("PIP_USER", "PIP_TARGET", "UV_SYSTEM_PYTHON", "PYTHONPATH", "VIRTUAL_ENV",
                 "UV_NO_VERIFY_HASHES"):
        assert name not in found
    assert found["HTTPS_PROXY"] == "http://proxy:3128"
    assert Path(found["UV_CACHE_DIR"]).is_relative_to(tmp_path)
    assert Path(found["PIP_CACHE_DIR"]).is_relative_to(tmp_path)


def test_the_proxy_of_qgis_is_used_where_the_system_names_none(tmp_path):
    found = installer_variables(tmp_path, tmp_path, "http://proxy:3128", {"PATH": "/usr/bin"})
    assert found["HTTPS_PROXY"] == found["HTTP_PROXY"] == "http://proxy:3128"
    assert "HTTPS_PROXY" not in installer_variables(tmp_path, tmp_path, None, {"PATH": "/usr/bin"})


def test_certificates_of_osgeo4w_do_not_hide_those_of_the_system(tmp_path):
    bundle, mine = tmp_path / "osgeo4w" / "bin" / "cert.pem", tmp_path / "company.pem"
    bundle.parent.mkdir(parents=True)
    for path in (bundle, mine):
        path.touch()
    root = str(tmp_path / "osgeo4w")
    found = installer_variables(tmp_path, tmp_path, variables={
        "OSGEO4W_ROOT": root, "SSL_CERT_FILE": str(bundle), "REQUESTS_CA_BUNDLE": str(mine)})
    assert "SSL_CERT_FILE" not in found
    assert found["REQUESTS_CA_BUNDLE"] == found["PIP_CERT"] == str(mine)


def test_downloads_are_weighed_by_their_size_and_never_run_backwards():
    listener = Listener()
    downloads = Downloads(Part(listener, 0.0, 1.0))
    for line in ("Resolved 90 packages in 1.56s", "Downloading numpy (16.0MiB)",
                 "Downloading torch (48.0MiB)", " Downloaded numpy", "Downloading scipy (64.0MiB)",
                 " Downloaded torch", " Downloaded scipy", "Prepared 3 packages in 858ms",
                 "Installed 3 packages in 1.12s", " + numpy==2.4.6"):
        downloads.read(line)
    fractions = [fraction for fraction, _ in listener.steps]
    assert fractions == pytest.approx([0, 0, 0.225, 0.225, 0.45, 0.9, 0.9, 1.0])
    assert listener.steps[1][1] == "Downloading torch (48.0 MiB)"


def test_downloads_of_pip_are_shown():
    listener = Listener()
    downloads = Downloads(Part(listener, 0.0, 1.0))
    downloads.read("  Downloading uv-0.13.8-py3-none-manylinux2014_x86_64.whl (17.4 MB)")
    assert listener.steps == [(0.0, "Downloading uv (17.4 MB)")]
