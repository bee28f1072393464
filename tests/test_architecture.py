"""The house rules: who may import whom, and how long a file may be. Read from the source alone."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest

import geoseg

ROOT = Path(__file__).parents[1] / "geoseg"
LONGEST_FILE = 400

FLOORS = {"errors": 0, "progress": 0, "tables": 0, "caller": 1, "geo": 1, "recipe": 2,
          "class_table": 2, "sources": 3, "samples": 4, "learn": 5, "maps": 6, "coast": 7,
          "chain": 8, "comparison": 8, "describe": 9, "measures": 9, "selfcheck": 9, "tasks": 10,
          "cli": 11, "worker": 11, "__main__": 12}
"""Rooms from the ground up; those at one height may use each other."""

KEPT_TO = {"qgis": (), "torch": ("learn", "maps"), "torchvision": ("learn", "maps"),
           "segmentation_models_pytorch": ("learn", "maps"), "lightning_fabric": ("learn", "maps"),
           "osmnx": ("sources",), "optuna": ("comparison",), "click": ("cli",)}
"""Libraries, and the only rooms that may import them."""

PACKAGE = "geoseg"
FROM_PACKAGE = (PACKAGE, f"{PACKAGE}.__version__")
"""All that modules may take from the package itself: its lazy public names lead to any floor."""


class _Imports(ast.NodeVisitor):
    """Collects every import of a module, also inside functions; not those for type checking."""

    def __init__(self, module: str, *, is_package: bool) -> None:
        self._parents = module.split(".") if is_package else module.split(".")[:-1]
        self.found: list[tuple[int, str]] = []

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.unparse(node.test):
            self.generic_visit(node)
            return
        for other in node.orelse:
            self.visit(other)

    def visit_Import(self, node: ast.Import) -> None:
        self.found += [(node.lineno, name.name) for name in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        above = self._parents[:len(self._parents) + 1 - node.level] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        # "from package import module" names a module, "from module import thing" does not; the
        # longer form is kept and shortened to a module that exists where that matters.
        self.found += [(node.lineno, f"{base}.{name.name}") for name in node.names]

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id == PACKAGE:
            self.found.append((node.lineno, f"{PACKAGE}.{node.attr}"))
        self.generic_visit(node)


def modules(root: Path) -> dict[str, Path]:
    """Return the modules of a package folder by their dotted names."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path) -> list[tuple[int, str]]:
    """Return (line, imported dotted name) of a module."""
    visitor = _Imports(name, is_package=path.name == "__init__.py")
    visitor.visit(ast.parse(path.read_text(encoding="utf-8")))
    return visitor.found


def room(module: str) -> str:
    """Return the room of a module: `geoseg.maps.predict` is in `maps`; "" is the package."""
    return [*module.split("."), ""][1]


def inner(target: str, known: dict[str, Path]) -> str | None:
    """Return the module of the package that an imported name stands for, if it is one."""
    while target and target not in known:
        target = target.rpartition(".")[0]
    return target or None


def violations(root: Path) -> Iterator[str]:
    """Yield a line for each breach of the house rules in a package folder."""
    known = modules(root)
    graph: dict[str, set[str]] = {name: set() for name in known}
    for name, path in known.items():
        here = room(name)
        if here and here not in FLOORS:
            yield f"{name} stands on no floor"
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > LONGEST_FILE:
            yield f"{name} has {lines} lines"
        for line, target in imports(name, path):
            library = target.split(".")[0]
            if library in KEPT_TO and here not in KEPT_TO[library]:
                yield f"{name}:{line} imports {library}"
            if any(part.startswith("qgis") for part in target.split(".")):
                yield f"{name}:{line} imports qgis"
            module = inner(target, known)
            if module is None or module == name:
                continue
            graph[name].add(module)
            if module == PACKAGE and target not in FROM_PACKAGE:
                yield f"{name}:{line} takes {target} from the package"
            if FLOORS.get(room(module), -1) > FLOORS.get(here, -1) and here:
                yield f"{name}:{line} imports {module}, which stands above it"
    yield from cycles(graph)


def cycles(graph: dict[str, set[str]]) -> Iterator[str]:
    """Yield a line if modules import each other in a circle."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield f"cycle: {' -> '.join(error.args[1])}"


def test_imports_point_down_and_files_are_short():
    assert list(violations(ROOT)) == []


def test_the_package_itself_imports_only_the_standard_library():
    """`import geoseg` is cheap because its names are imported when they are first used."""
    assert all(target.split(".")[0] in sys.stdlib_module_names
               for _, target in imports(PACKAGE, ROOT / "__init__.py"))


def test_no_public_name_is_that_of_a_module():
    """Python would put the module in the name's place as soon as somebody imports it."""
    public = {name for name in geoseg.__all__ if name != "__version__"}
    assert not {f"{PACKAGE}.{name}" for name in public} & set(modules(ROOT))
    assert all(getattr(geoseg, name) is getattr(geoseg, name) for name in public)
    assert not [name for name in public if isinstance(getattr(geoseg, name), ModuleType)]


def test_every_floor_exists_and_is_seen():
    """A room that was renamed would drop out of the rules without a word."""
    assert {room(name) for name in modules(ROOT)} - {""} == set(FLOORS)
    everything = [target for name, path in modules(ROOT).items() for _, target
                  in imports(name, path)]
    assert {target.split(".")[0] for target in everything} >= {"torch", "osmnx", "click", "geoseg"}


@pytest.fixture
def house(tmp_path):
    """A small package that keeps the rules, to plant violations in."""
    root = tmp_path / "geoseg"
    for name in ("geo", "learn", "maps"):
        (root / name).mkdir(parents=True)
        (root / name / "__init__.py").touch()
    (root / "__init__.py").write_text('__version__ = "1"\n')
    (root / "errors.py").touch()
    (root / "geo" / "grid.py").write_text("from geoseg.errors import GeosegError\n")
    (root / "learn" / "model.py").write_text("import torch\nfrom geoseg.geo import grid\n")
    (root / "maps" / "predict.py").write_text("from geoseg.learn.model import Model\n")
    return root


def test_a_sound_house_passes(house):
    assert list(violations(house)) == []


@pytest.mark.parametrize(("file", "text", "finding"), [
    ("geo/grid.py", "from geoseg.maps.predict import predict", "above"),
    ("geo/grid.py", "from geoseg.maps import predict", "above"),
    ("geo/grid.py", "import geoseg.learn.model as m", "above"),
    ("geo/grid.py", "from ..learn import model", "above"),
    ("geo/grid.py", "from ..learn.model import Model", "above"),
    ("geo/grid.py", "def f():\n    if True:\n        from geoseg.learn.model import Model",
     "above"),
    ("errors.py", "from geoseg.geo.grid import Grid", "above"),
    ("errors.py", "from .geo.grid import Grid", "above"),
    ("geo/grid.py", "def f():\n    import torch.nn", "imports torch"),
    ("geo/grid.py", "from torch import nn", "imports torch"),
    ("maps/predict.py", "import osmnx", "imports osmnx"),
    ("maps/predict.py", "from qgis.core import QgsProject", "imports qgis"),
    ("learn/model.py", "import click", "imports click"),
    ("attic.py", "", "no floor"),
    ("geo/grid.py", "from geoseg import predict", "takes geoseg.predict"),
    ("geo/grid.py", "import geoseg\n\ndef f():\n    geoseg.predict()", "takes geoseg.predict"),
    ("geo/grid.py", "\n" * 399, "has 401 lines"),
])
def test_the_checker_finds_what_is_planted(house, file, text, finding):
    path = house / file
    path.write_text((path.read_text() if path.exists() else "") + text + "\n")
    assert any(finding in line for line in violations(house))


def test_the_checker_finds_a_cycle_on_one_floor(house):
    (house / "geo" / "grid.py").write_text("def f():\n    from geoseg.geo.raster import read\n")
    (house / "geo" / "raster.py").write_text("from geoseg.geo.grid import Grid\n")
    [line] = violations(house)
    assert line.startswith("cycle: ")


def test_imports_for_type_checking_are_free(house):
    (house / "geo" / "grid.py").write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import torch\n    from geoseg.maps.predict import predict\n")
    assert list(violations(house)) == []
    (house / "geo" / "grid.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n    import torch\n")
    [line] = violations(house)
    assert "imports torch" in line
