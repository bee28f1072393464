"""Make the pictures of docs/qgis: the first hour in the real desktop, on the demo's scene.

    python3 scripts/screenshots.py                everything; about half an hour on two cores
    python3 scripts/screenshots.py start cancel   only these parts
    python3 scripts/screenshots.py --as /home/ada/geoseg

Every step runs with the real engine through its dialog. `--as` names a path by which the pictures
show the checkout: a link that is there for as long as this takes. Parts: install, start, maparea,
labels, maps, designer, cancel, report, coast; maps and coast go on from maparea. Needs qgis and
xvfb; the report also needs chromium, the coast Narrabeen's data; they are left out without.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from demo import FOLDER, RECIPE
from environment import ROOT, run_inside
from package_plugin import build
from qgis_desktop import run_in_desktop

INSTALL, STAGE, COAST = (ROOT / "scripts" / f"screenshots_{name}.py"
                         for name in ("install", "stage", "coast"))
NARRABEEN = ROOT.parent / "shared" / "data" / "coast_narrabeen"
"""Real data beside the checkout."""
IMAGES = ROOT / "docs" / "qgis" / "images"
"""Where the pictures go."""
PARTS = ("install", "start", "maparea", "labels", "maps", "designer", "cancel", "report", "coast")
SCREEN = "1280x900"
WIDEST = 1200
COLOURS = 192
"""Few, for small pictures; they are chosen so that small patches of a legend keep theirs."""


def main() -> int:
    """Make the pictures; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--as", dest="link", type=Path, help="path of the checkout in the pictures")
    asked = parser.parse_args()
    parts = asked.parts or list(PARTS)
    if not set(parts) <= set(PARTS):
        parser.error(f"a part is one of {', '.join(PARTS)}")
    _make_scene()
    out, work = ROOT / "build" / "screenshots", ROOT / "build" / "town"
    # The products of the steps are made anew; nothing is replaced in a dialog unasked.
    shutil.rmtree(work, ignore_errors=True)
    for folder in (out, work):
        folder.mkdir(parents=True, exist_ok=True)
    (out / "failure.png").unlink(missing_ok=True)
    with _seen_as(asked.link) as root:
        code = _in_desktop(parts, root, out, work)
    if code:
        print(f"It failed; see {out / 'failure.png'}")
        return code
    if "report" in parts:
        _picture_of_report(FOLDER / "map" / "report.html", out / "report.png")
    IMAGES.mkdir(parents=True, exist_ok=True)
    for path in out.glob("*.png"):
        _shrink(path, IMAGES / path.name)
    total = sum(path.stat().st_size for path in IMAGES.glob("*.png"))
    print(f"{IMAGES}: {total / 1e6:.2f} MB")
    return 0


def _in_desktop(parts: list[str], root: Path, out: Path, work: Path) -> int:
    """Take the pictures of all parts but the report; return the exit code."""
    places = {name: str(root / path.relative_to(ROOT)) for name, path in {
        "scene": FOLDER / "scene", "map": FOLDER / "map", "work": work, "recipe": RECIPE}.items()}
    if "install" in parts:
        zip_path = root / build(ROOT, ROOT / "dist").relative_to(ROOT)
        code = run_in_desktop(INSTALL, [str(zip_path)], out=out, size=SCREEN, plugin=False)
        if code:
            return code
    if "coast" in parts and not NARRABEEN.is_dir():
        print(f"No pictures of a coast: {NARRABEEN} is missing")
    elif "coast" in parts:
        code = run_in_desktop(COAST, [str(NARRABEEN), places["work"],
                                      f"{places['map']}/probabilities.tif"], out=out, size=SCREEN)
        if code:
            return code
    rest = [part for part in parts if part not in ("install", "report", "coast")]
    if not rest:
        return 0
    order = json.dumps({**places, "parts": rest})
    return run_in_desktop(STAGE, [order], out=out, size=SCREEN, seconds=7200)


def _make_scene() -> None:
    from demo_scene import demo_scene_in, make_demo_scene

    if not demo_scene_in(FOLDER / "scene").is_complete:
        make_demo_scene(FOLDER / "scene")


@contextlib.contextmanager
def _seen_as(link: Path | None) -> Iterator[Path]:
    """Give a path to the checkout: a link that is removed again, or the checkout itself."""
    if link is None:
        yield ROOT
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(ROOT)
    try:
        yield link
    finally:
        link.unlink()


def _picture_of_report(report: Path, picture: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None or not report.is_file():
        print("No picture of the report: chromium or the report is missing")
        return
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                        f"--user-data-dir={profile}", "--window-size=1000,1100",
                        f"--screenshot={picture}", report.as_uri()],
                       check=True, capture_output=True)


def _shrink(source: Path, target: Path) -> None:
    """Write a picture with a palette, and not too wide."""
    from PIL import Image

    with Image.open(source) as opened:
        picture = opened.convert("RGB")
    if picture.width > WIDEST:
        picture = picture.resize((WIDEST, round(picture.height * WIDEST / picture.width)))
    picture.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE).save(
        target, optimize=True)


if __name__ == "__main__":
    run_inside()
    sys.exit(main())
