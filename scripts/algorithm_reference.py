"""Write the tables of docs/qgis from the algorithms themselves, so that the two cannot differ.

What stands between the two markers of a page is replaced; the rest of the page is written by hand.
Run with the Python that has QGIS; on Debian
`QT_QPA_PLATFORM=offscreen /usr/bin/python3 scripts/algorithm_reference.py`.
"""

from __future__ import annotations

import html
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Qgs = Any
"""Something of QGIS, which has no types."""

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "docs" / "qgis"
"""One page per algorithm, by its name."""
BEGIN = "<!-- from here on written by scripts/algorithm_reference.py -->"
END = "<!-- up to here -->"

_KINDS = {
    "raster": "raster layer", "source": "vector layer", "vector": "vector layer",
    "multilayer": "list of layers", "extent": "extent", "string": "text", "matrix": "table",
    "boolean": "true, false", "field": "attribute", "rasterDestination": "GeoTIFF to write",
    "vectorDestination": "vector file to write", "fileDestination": "file to write",
    "folderDestination": "folder to write",
}
_RESULTS = {"outputRaster": "raster layer", "outputVector": "vector layer",
            "outputMultilayer": "list of layers", "outputFile": "file", "outputHtml": "file",
            "outputNumber": "number", "outputString": "text"}


def reference(algorithm: Qgs, titles: Mapping[str, str]) -> str:
    """Return the generated part of a page.

    Args:
        algorithm: One of our algorithms.
        titles: Names of all algorithms by their titles, for links.
    """
    from qgis.core import QgsProcessingParameterDefinition

    advanced = QgsProcessingParameterDefinition.Flag.FlagAdvanced
    definitions = algorithm.parameterDefinitions()
    common = [item for item in definitions if not item.flags() & advanced]
    rare = [item for item in definitions if item.flags() & advanced]
    parts = [_table("## Parameters", [_row(item, titles) for item in common])]
    if rare:
        parts.append(_table("### Advanced", [_row(item, titles) for item in rare]))
    written = {item.name() for item in definitions}
    given = [item for item in algorithm.outputDefinitions() if item.name() not in written]
    if given:
        rows = [f"| `{item.name()}` | {_RESULTS[item.type()]} | {item.description()} |"
                for item in given]
        parts.append("\n".join(["## Further results", "", "For models, scripts and "
                                "`qgis_process --json`.", "", "| name | value | meaning |",
                                "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def renewed(page: str, algorithm: Qgs, titles: Mapping[str, str]) -> str:
    """Return the text of a page with its generated part made anew."""
    before, found, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not found or not ended:
        raise ValueError(f"the page of {algorithm.name()} lacks the two markers")
    return f"{before}{BEGIN}\n\n{reference(algorithm, titles)}\n\n{END}{after}"


def titles_of(provider: Qgs) -> dict[str, str]:
    """Return the names of a provider's algorithms by their titles."""
    return {item.displayName(): item.name() for item in provider.algorithms()}


def _table(heading: str, rows: Iterable[str]) -> str:
    return "\n".join([heading, "", "| in the dialog | name | value | default | meaning |",
                      "|---|---|---|---|---|", *rows])


def _row(definition: Qgs, titles: Mapping[str, str]) -> str:
    cells = [definition.description(), f"`{definition.name()}`", _kind(definition),
             _default(definition), _markdown(definition.help(), titles)]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _kind(definition: Qgs) -> str:
    from qgis.core import (
        QgsProcessing,
        QgsProcessingParameterFile,
        QgsProcessingParameterNumber,
    )

    kind = definition.type()
    if kind == "enum":
        return ", ".join(f"`{option}`" for option in definition.options())
    if kind == "number":
        whole = definition.dataType() == QgsProcessingParameterNumber.Type.Integer
        return "whole number" if whole else "number"
    if kind == "file":
        folder = definition.behavior() == QgsProcessingParameterFile.Behavior.Folder
        return "folder" if folder else "file"
    if kind == "multilayer" and definition.layerType() == QgsProcessing.SourceType.TypeFile:
        return "list of files"
    return _KINDS[kind]


def _default(definition: Qgs) -> str:
    from qgis.core import QgsProcessingParameterDefinition

    if definition.isDestination():
        optional = definition.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional
        return "not written" if optional else "temporary"
    value = definition.defaultValue()
    if definition.type() == "boolean":
        return "`true`" if value else "`false`"
    if value is not None and definition.type() not in ("matrix", "multilayer"):
        return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"
    optional = definition.flags() & QgsProcessingParameterDefinition.Flag.FlagOptional
    return "" if optional else "required"


def _markdown(text: str, titles: Mapping[str, str]) -> str:
    """Return help text, which is HTML, as Markdown; names of other algorithms become links."""
    def emphasis(found: re.Match[str]) -> str:
        title = found[1]
        return f"[{title}]({titles[title]}.md)" if title in titles else f"*{title}*"

    text = re.sub(r"<code>(.*?)</code>", r"`\1`", text)
    return html.unescape(re.sub(r"<i>(.*?)</i>", emphasis, text))


def main() -> None:
    """Renew every page."""
    sys.path[:0] = ["/usr/share/qgis/python", "/usr/share/qgis/python/plugins"]
    from qgis.core import QgsApplication

    from package_plugin import link

    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    with tempfile.TemporaryDirectory() as folder:
        link(ROOT, Path(folder))
        sys.path.insert(0, folder)
        from geoseg_qgis.algorithms import ALGORITHMS
        from geoseg_qgis.provider import GeosegProvider

        provider = GeosegProvider()
        QgsApplication.processingRegistry().addProvider(provider)
        for algorithm in ALGORITHMS:
            page = PAGES / f"{algorithm.ID}.md"
            text = renewed(page.read_text(encoding="utf-8"), provider.algorithm(algorithm.ID),
                           titles_of(provider))
            page.write_text(text, encoding="utf-8")
            print(page.relative_to(ROOT))
    application.exitQgis()


if __name__ == "__main__":
    main()
