"""Write the classes of the shipped recipes as tables, from which QGIS' dialogs fill theirs.

The plugin cannot read recipes itself: the Python of older releases of QGIS knows no TOML.
"""

from __future__ import annotations

import json
from pathlib import Path

from geoseg.class_table import class_rows
from geoseg.recipe import Recipe, shipped_recipes

FILE = Path(__file__).parents[1] / "qgis_plugin" / "classes.json"


def tables() -> str:
    """Return the file's text: by recipe, rows of name, colour, tags and width."""
    entries = []
    for name in shipped_recipes():
        rows = ",\n".join(f"    {json.dumps(row)}" for row in class_rows(Recipe.read(name)))
        entries.append(f"  {json.dumps(name)}: [\n{rows}\n  ]")
    return "{\n" + ",\n".join(entries) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(tables(), encoding="utf-8")
    print(FILE)
