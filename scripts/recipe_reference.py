"""Write docs/recipes.md from the recipe's own types, so that the two cannot differ."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from geoseg.recipe import ClassRecipe, Recipe, recipe_text, shipped_recipes

PAGE = Path(__file__).parents[1] / "docs" / "recipes.md"
_INTRODUCTION = """\
# Recipes

A recipe is one TOML file that holds everything which must agree along the way. Print a shipped
one to start your own from: `geoseg recipes buildings > mine.toml`. An unknown key is an error that
names the nearest known one; `geoseg recipes --schema` prints the JSON schema for editors.

{shipped}

A small one, whole:

```toml
{example}```

This page is written by `scripts/recipe_reference.py`.
"""


def reference() -> str:
    """Return the page."""
    shipped = "\n".join(f"- **{name}**: {Recipe.read(name).description}"
                        for name in shipped_recipes())
    parts = [_INTRODUCTION.format(shipped=shipped, example=recipe_text("buildings")),
             _table("Top level", Recipe), _table("`[[class]]`", ClassRecipe)]
    for name, field in Recipe.model_fields.items():
        default = field.get_default()
        if isinstance(default, BaseModel):
            parts.append(_table(f"`[{name}]`", type(default)))
    return "\n".join(parts)


def _table(title: str, model: type[BaseModel]) -> str:
    rows = [f"## {title}\n", (model.__doc__ or "").strip() + "\n", "| key | default | meaning |",
            "|---|---|---|"]
    for name, field in model.model_fields.items():
        if field.description is None:
            continue
        default = field.get_default(call_default_factory=True)
        shown = "required" if default is PydanticUndefined else f"`{_toml(default)}`"
        meaning = " ".join(field.description.split()).replace("|", "\\|")
        rows.append(f"| `{field.alias or name}` | {shown} | {meaning} |")
    return "\n".join(rows) + "\n"


def _toml(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        value = list(value)
    return f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
    print(PAGE)
