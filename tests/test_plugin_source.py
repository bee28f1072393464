"""The plugin's source: old enough for QGIS 3.22, scoped enough for QGIS 4, and thin."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLUGIN = ROOT / "qgis_plugin"
ENGINE = ROOT / "geoseg"
OLDEST = (3, 9)
"""The Python of QGIS 3.22 on Windows."""
QGIS_SHARE = 0.2
"""Most of the project's code lines that may stand in modules which import qgis."""

BESIDE_THE_STANDARD_LIBRARY = {"qgis", "processing"}
"""What the plugin may import: PyQt only as qgis.PyQt, the engine and its packages not at all."""
YOUNGER_MODULES = {"tomllib"}
"""Modules of the standard library that the oldest Python lacks."""
YOUNGER_KEYWORDS = {"zip": {"strict"}, "dataclass": {"slots", "kw_only"}}
QT_CLASS = re.compile(r"Q([A-Z]|gs[A-Z])\w*|Qt|Qgis")
PLAIN_VALUES = {"QVariant", "QgsMapLayerType"}
"""Classes whose values may follow at once: QGIS cares for them in Qt 6, or they are enums."""
ENUM_NAMES = {"Flag", "Type"}
"""Enums inside of classes that code may take by themselves, to name them shorter."""


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def parse(text: str) -> ast.Module:
    return ast.parse(text, feature_version=OLDEST)


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield what a module imports from elsewhere, by full dotted names, also inside functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def breaches(text: str) -> Iterator[str]:
    """Yield a line for each thing in a module that some QGIS from 3.22 to 4 cannot load or run."""
    try:
        tree = parse(text)
    except SyntaxError as error:
        yield f"{error.lineno}: {error.msg}"
        return
    for name in imported(tree):
        top = name.split(".")[0]
        if top in YOUNGER_MODULES or (top not in sys.stdlib_module_names
                                      and top not in BESIDE_THE_STANDARD_LIBRARY):
            yield f"imports {name}"
    yield from _young_annotations(tree)
    scoped = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            if node.attr == "exec_":
                yield f"{node.lineno}: exec_ is exec in Qt 6"
            elif _is_member(node) and not {id(node)} & (scoped | called):
                yield f"{node.lineno}: {ast.unparse(node)} lacks the name of its enum"
        elif isinstance(node, ast.Call):
            young = YOUNGER_KEYWORDS.get(ast.unparse(node.func).split(".")[-1], set())
            for keyword in node.keywords:
                if keyword.arg in young:
                    yield f"{node.lineno}: {keyword.arg}= is younger than Python 3.9"


def _is_member(node: ast.Attribute) -> bool:
    """Tell whether this reads like a member of an enum, straight from its class.

    Members are Capitalised; CONSTANTS such as Qgis.QGIS_VERSION are not in an enum.
    """
    return (isinstance(node.value, ast.Name) and QT_CLASS.fullmatch(node.value.id) is not None
            and node.value.id not in PLAIN_VALUES and node.attr not in ENUM_NAMES
            and node.attr[0].isupper() and not node.attr.isupper())


def _young_annotations(tree: ast.Module) -> Iterator[str]:
    """Yield unions written X | Y in annotations that Python evaluates."""
    if "__future__.annotations" in set(imported(tree)):
        return
    for node in ast.walk(tree):
        found = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        for annotation in filter(None, found):
            for part in ast.walk(annotation):
                if isinstance(part, ast.BinOp) and isinstance(part.op, ast.BitOr):
                    yield f"{part.lineno}: X | Y is evaluated without __future__.annotations"


def code_lines(path: Path) -> int:
    """Count the lines that are neither blank nor only a comment; docstrings count."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return sum(bool(line.strip()) and not line.strip().startswith("#") for line in lines)


def uses_qgis(path: Path) -> bool:
    return any(name.split(".")[0] in ("qgis", "processing")
               for name in imported(ast.parse(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("path", files(PLUGIN), ids=lambda path: str(path.relative_to(PLUGIN)))
def test_every_qgis_from_3_22_to_4_can_load_it(path):
    assert list(breaches(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(("text", "finding"), [
    ("match x:\n    case 1: pass", "Pattern matching"),
    ("try: pass\nexcept* OSError: pass", "Exception groups"),
    ("def f(a: int | None): pass", "X | Y"),
    ("def f() -> list[int | str]: pass", "X | Y"),
    ("a: int | None = None", "X | Y"),
    ("import tomllib", "tomllib"),
    ("import PyQt5.QtCore", "PyQt5"),
    ("from PyQt6.QtWidgets import QLabel", "PyQt6"),
    ("def f():\n    import numpy", "numpy"),
    ("from geoseg.recipe import Recipe", "geoseg"),
    ("import geoseg", "geoseg"),
    ("x = Qt.AlignLeft", "Qt.AlignLeft"),
    ("f(QgsProcessing.TypeVectorPolygon)", "TypeVectorPolygon"),
    ("x = Qgis.Info | y", "Qgis.Info"),
    ("dialog.exec_()", "exec_"),
    ("for a, b in zip(c, d, strict=True): pass", "strict="),
    ("@dataclasses.dataclass(slots=True)\nclass A: pass", "slots="),
])
def test_a_breach_is_found(text, finding):
    found = list(breaches(text))
    assert any(finding in line for line in found), found


@pytest.mark.parametrize("text", [
    "from __future__ import annotations\ndef f(a: int | None): pass",
    "from qgis.PyQt.QtCore import Qt\nx = Qt.AlignmentFlag.AlignLeft\ny = QVariant.Double",
    "from qgis.core import Qgis\nx = Qgis.QGIS_VERSION_INT\ny = Qgis.MessageLevel.Info",
    "x = QgsMapLayer.Style()",
    "kind = QgsProcessingParameterNumber.Type\nx = QgsMapLayerType.RasterLayer",
    "from . import engine\nfrom ..geoseg import x\nimport json, processing",
    "x = a | b\ndef f(a: list[int]) -> dict[str, int]: pass",
])
def test_what_is_right_is_let_through(text):
    assert list(breaches(text)) == []


def test_modules_that_know_qgis_are_a_fifth_of_the_code_at_most():
    """Counted over `geoseg` and `qgis_plugin`: lines neither blank nor comments."""
    lines = {path: code_lines(path) for path in [*files(ENGINE), *files(PLUGIN)]}
    of_qgis = sum(count for path, count in lines.items() if uses_qgis(path))
    assert 0 < of_qgis <= QGIS_SHARE * sum(lines.values())
