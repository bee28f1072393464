"""Folders of tiles: `{train,val,test}/{images,labels}/NAME.tif`, with the facts in `chips.json`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoseg.errors import PlanError
from geoseg.samples.plan import SPLITS

FACTS = "chips.json"
"""File in such a folder that tells where its tiles come from; other folders need none."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One pair of image and label tile."""

    image: Path
    """Image tile."""
    label: Path
    """Label tile of the same name."""
    split: str
    """`train`, `val` or `test`, by its folder."""
    block: int
    """Spatial block that the tile was cut from; a number of its own if that is not known."""


def find_tiles(folder: Path) -> list[Tile]:
    """Find the tile pairs of a folder, in order of split and name.

    Raises:
        PlanError: The folder is missing or has no training tiles, or an image lacks its label.
    """
    if not folder.is_dir():
        raise PlanError(folder, "is not a folder", "Give a folder made by export-chips, or one "
                        "with train/images, train/labels and so on")
    blocks = {(str(chip["split"]), str(chip["name"])): int(chip["block"])
              for chip in read_facts(folder).get("chips", [])}
    unknown = max(blocks.values(), default=-1) + 1
    tiles: list[Tile] = []
    for split in SPLITS:
        for image in sorted((folder / split / "images").glob("*.tif")):
            label = folder / split / "labels" / image.name
            if not label.is_file():
                raise PlanError(image, "has no label tile", f"Put one at {label}")
            block = blocks.get((split, image.stem), unknown + len(tiles))
            tiles.append(Tile(image, label, split, block))
    if not any(tile.split == "train" for tile in tiles):
        raise PlanError(folder, "holds no tiles in train/images", "Give a folder made by "
                        "export-chips, or one with train/images, train/labels and so on")
    return tiles


def read_facts(folder: Path) -> dict[str, Any]:
    """Return what `chips.json` says; empty for folders made elsewhere.

    Raises:
        PlanError: The file is damaged.
    """
    path = folder / FACTS
    if not path.is_file():
        return {}
    try:
        facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise PlanError(path, "is damaged", "Export the chips again, or delete this file"
                        ) from error
    return facts
