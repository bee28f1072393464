"""The locks that ship with the plugin, and reading them."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from qgis_plugin.environment.home import LOCK
from qgis_plugin.environment.installer import INSTALLER_LOCK
from qgis_plugin.environment.lock import Lock
from tests.plugin.small_engine import ROOT

LOCKS = LOCK, INSTALLER_LOCK


def requirements(text: str) -> dict[str, set[str]]:
    """Return each requirement, with its marker, and its hashes."""
    found = {}
    for entry in re.findall(r"^\S.*\n(?: .*\n)+", text, re.MULTILINE):
        head, *hashes = entry.replace("\\\n", "\n").splitlines()
        found[head.strip()] = {line.strip() for line in hashes}
    return found


def test_the_engine_is_made_of_what_the_tests_have_run_with():
    engine = requirements(LOCK.read_text(encoding="utf-8"))
    everything = requirements((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert engine.items() <= everything.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split("[<>=]", line)[0] for line in project["dependencies"]}
    assert wanted <= {line.split("==")[0] for line in engine}


def test_the_installer_is_the_one_of_the_checkout():
    said = subprocess.check_output([sys.executable, "-m", "uv", "--version"], text=True)
    uv = "==".join(said.split()[:2])
    assert list(requirements(INSTALLER_LOCK.read_text(encoding="utf-8"))) == [uv]


def test_every_package_has_hashes_and_none_an_address():
    for path in LOCKS:
        text = path.read_text(encoding="utf-8")
        assert "://" not in text
        lines = re.findall(r"^\S.*$", text, re.MULTILINE)
        found = requirements(text)
        assert len(found) == len(lines) > 0
        for hashes in found.values():
            assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", item) for item in hashes)


def test_pytorch_and_the_others_are_the_whole():
    lock = Lock(LOCK)
    pytorch, others = requirements(lock.pytorch()), requirements(lock.others())
    assert not pytorch.keys() & others.keys()
    assert {**pytorch, **others} == requirements(LOCK.read_text(encoding="utf-8"))
    names = {line.split("==")[0] for line in pytorch}
    assert {"torch", "torchvision", "triton", "nvidia-cublas", "cuda-toolkit"} <= names
    assert not names & {"timm", "segmentation-models-pytorch", "lightning-fabric", "numpy"}
    versions = lock.pytorch_versions().splitlines()
    assert [line.split("==")[0] for line in versions] == ["torch", "torchvision"]
    assert set(versions) <= pytorch.keys()


def test_line_ends_do_not_matter(tmp_path):
    text = LOCK.read_text(encoding="utf-8")
    (tmp_path / "windows.lock").write_bytes(text.replace("\n", "\r\n").encode())
    assert Lock(tmp_path / "windows.lock").digest == Lock(LOCK).digest
    assert Lock(tmp_path / "windows.lock").others() == Lock(LOCK).others()
    (tmp_path / "other.lock").write_text(text.replace("torch==", "torch==1"), encoding="utf-8")
    assert Lock(tmp_path / "other.lock").digest != Lock(LOCK).digest
