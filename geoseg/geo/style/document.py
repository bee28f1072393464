"""`Style`: how QGIS draws a layer; written where QGIS looks for it, beside the file.

A style file has a raster part, a vector part, or both: `town.tif` and `town.gpkg` share `town.qml`,
of which QGIS takes what suits the layer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# XML is only written here, never read.
from xml.etree import ElementTree  # nosec B405

from geoseg.geo.output import write_text

_MARK = 'maker="geoseg"'
_HEAD = f'<qgis version="3.22" styleCategories="Symbology" {_MARK}>\n'
_TAIL = "</qgis>\n"


@dataclass(frozen=True, slots=True)
class Style:
    """The symbology of a layer."""

    kind: Literal["raster", "vector"]
    """What it suits."""
    xml: str
    """The elements of QGIS' format, one after the other."""

    @classmethod
    def of(cls, kind: Literal["raster", "vector"], *elements: ElementTree.Element) -> Style:
        """Return a style of these elements."""
        for element in elements:
            ElementTree.indent(element, level=1)
        texts = (ElementTree.tostring(element, encoding="unicode") for element in elements)
        return cls(kind, "".join(f"  {text.strip()}\n" for text in texts))

    def document(self, other: str = "") -> str:
        """Return the text of a style file.

        Args:
            other: Text of a style file of ours, whose part for the other kind of layer is kept.
        """
        parts = {kind: _part(other, kind) for kind in ("raster", "vector")}
        parts[self.kind] = self.xml
        return _HEAD + "".join(f"  <!--{kind}-->\n{xml}  <!--/{kind}-->\n"
                               for kind, xml in parts.items() if xml) + _TAIL


def write_style(file: Path, style: Style) -> None:
    """Write the style of a file where QGIS looks for it: beside it, ending in .qml.

    A style that somebody else made is left alone.

    Raises:
        OutputError: The system refused to write.
    """
    path = file.with_suffix(".qml")
    if not has_foreign_style(file):
        other = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
        write_text(path, style.document(other))


def has_foreign_style(file: Path) -> bool:
    """Return whether a style that somebody else made lies beside a file."""
    path = file.with_suffix(".qml")
    return path.exists() and not is_ours(path.read_text(encoding="utf-8", errors="replace"))


def is_ours(document: str) -> bool:
    """Return whether a style document is as geoseg wrote it; QGIS takes the mark out on saving."""
    return _MARK in document


def rgba(color: str, opacity: float = 1.0) -> str:
    """Return `#rrggbb` as QGIS writes colours: red, green, blue and alpha, each 0 to 255."""
    rgb = (int(color[i:i + 2], 16) for i in (1, 3, 5))
    return ",".join(map(str, (*rgb, round(255 * opacity))))


def _part(document: str, kind: str) -> str:
    found = re.search(rf"  <!--{kind}-->\n(.*?)  <!--/{kind}-->\n", document, re.DOTALL)
    return found[1] if found else ""
