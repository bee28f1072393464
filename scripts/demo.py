"""The main job on a generated scene: from image and OpenStreetMap to a scored map.

Makes the environment if needed, then a coastal town as a scene, then everything that `geoseg run`
makes of it. A second start keeps what is finished; `--scene` makes only the scene.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from environment import ROOT, run_inside

FOLDER = ROOT / "demo"
"""Where the demo puts its scene and its map."""
RECIPE = ROOT / "scripts" / "demo.toml"


def main() -> int:
    """Run the demo; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scene", action="store_true", help="make only the scene")
    asked = parser.parse_args()
    import geoseg
    from demo_scene import demo_scene_in, make_demo_scene
    from geoseg.progress import ConsoleBar

    scene = demo_scene_in(FOLDER / "scene")
    try:
        if scene.is_complete:
            print(f"The scene is there: {scene.image}", flush=True)
        else:
            print("Making the scene: a coastal town, 2048 x 2048 px at 0.6 m", flush=True)
            scene = make_demo_scene(FOLDER / "scene")
        if asked.scene:
            return 0
        print("Making the map: labels, chips, training, prediction, polygons, report (a few "
              "minutes; on later starts, seconds)", flush=True)
        with ConsoleBar("Demo") as bar:
            result = geoseg.run(RECIPE, image=scene.image, aoi=scene.aoi, osm=scene.osm,
                                out=FOLDER / "map", progress=bar)
        _print_score(result.products["classes"], scene.truth)
    except geoseg.GeosegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    _print_products({"image": scene.image, "OpenStreetMap": scene.osm, **result.products})
    return 0


def _print_score(classes: Path, truth: Path) -> None:
    """Compare the class map with what was painted, over the whole scene."""
    from demo_scene.score import score

    found = score(classes, truth)
    print("\nClass map against the generated truth, over the whole scene. Only a made scene has "
          "such a truth;\nthe report scores held-out chips against OpenStreetMap, as one does "
          "with real images.")
    for name, iou in found.iou.items():
        print(f"  {name:<10} IoU {iou:.3f}")
    print(f"  overall accuracy {found.accuracy:.3f}, mean IoU {found.mean_iou:.3f}")


def _print_products(products: dict[str, Path]) -> None:
    print("\nMade:")
    for name, path in products.items():
        print(f"  {name:<14} {path}")


if __name__ == "__main__":
    run_inside()
    sys.exit(main())
