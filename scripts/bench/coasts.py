"""How far traced coastlines lie from the truth, beside the extractors of the source paper.

Coasts are made, their true line is known; noise is added to the share of land of each pixel, which
then stands for a network's probability. Distances are means in pixels, from the truth to the line
and from the line to the truth. The last lines tell how many true positions lie within one standard
deviation, after its factor was found on the other half of the coasts.

    python scripts/bench/coasts.py --fields 5 -o coasts.png
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import shapely
from made_coast import Coast, make_coast
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from geoseg.coast.extractors import (
    LAND,
    SEA,
    argmax_positions,
    ensemble_positions,
    fill_positions,
    minmax_pixels,
    positions_line,
)
from geoseg.coast.tracing.contour import Line, trace_contour
from geoseg.coast.tracing.odds import Odds, log_odds
from geoseg.coast.tracing.parts import parts_of
from geoseg.progress import silent

SIZE, MEMBERS, PIECE = 256, 4, 10
NOISES = (0.1, 0.8)
Points = np.ndarray
"""float64 (n, 2): (column, row) in pixels from the raster's corner."""


def main() -> None:
    """Print the tables and draw the picture."""
    options = _arguments()
    scenes = [("one branch", [make_coast(SIZE, 0, islands=False)] * options.fields),
              ("bays and islands", [make_coast(SIZE, 20 + 37 * n) for n in range(options.fields)])]
    methods: dict[str, Callable[[list[np.ndarray]], Points]] = {
        "3 x 3 rule": lambda members: minmax_pixels(
            np.where(members[0] > 0.5, LAND, SEA)) + 0.5,
        "column argmax": lambda members: _by_column(members[:1], 0),
        "column argmax, sigma 1": lambda members: _by_column(members[:1], 1),
        "column argmax, sigma 4": lambda members: _by_column(members[:1], 4),
        "contour": lambda members: _dense(_traced(members[:1], 0)),
        "contour, sigma 1 (default)": lambda members: _dense(_traced(members[:1], 1)),
        "contour, sigma 4": lambda members: _dense(_traced(members[:1], 4)),
        f"mean column of {MEMBERS}, sigma 4": lambda members: _by_column(members, 4),
        f"contour of mean log odds of {MEMBERS}, sigma 1": lambda members: _dense(
            _traced(members, 1)),
        f"contour of mean log odds of {MEMBERS}, sigma 4": lambda members: _dense(
            _traced(members, 4)),
    }
    for name, coasts in scenes:
        print(f"\n{name:44}" + "".join(f"{f'noise {noise:g}':>16}" for noise in NOISES))
        for method, extract in methods.items():
            cells = []
            for noise in NOISES:
                both = [distances(extract(_members(coast, noise, field)), coast.truth)
                        for field, coast in enumerate(coasts)]
                cells.append("{:.2f} / {:.2f}".format(*np.mean(both, axis=0)))
            print(f"{method:44}" + "".join(f"{cell:>16}" for cell in cells))
    _print_coverage(scenes[1][1])
    if options.out:
        _draw(scenes[1][1][0], options.out)


def distances(points: Points, truth: Points) -> tuple[float, float]:
    """Return the mean distance from the truth to points, and from the points to the truth."""
    return (float(cKDTree(points).query(truth[::40])[0].mean()),
            float(cKDTree(truth).query(points)[0].mean()))


def _members(coast: Coast, noise: float, field: int) -> list[np.ndarray]:
    """Return probabilities of land, each member with its own noise."""
    return [np.clip(coast.land_share + np.random.default_rng([field, number]).normal(
        0, noise, coast.land_share.shape), 0, 1) for number in range(MEMBERS)]


def _traced(members: list[np.ndarray], smooth: float) -> list[Line]:
    z = np.stack([log_odds(land, 1 - land) for land in members])
    true, weights = np.ones(z.shape[1:], dtype=bool), np.full(len(z), 1 / len(z))

    def read(window: object) -> Odds:
        here = window.toslices()
        return Odds(z[:, *here], weights, true[here], true[here])

    return trace_contour(read, z.shape[1:], smooth, silent)


def _dense(lines: list[Line]) -> Points:
    return np.concatenate([shapely.get_coordinates(shapely.segmentize(
        shapely.LineString(line.points + 0.5), 0.25)) for line in lines])


def _by_column(members: list[np.ndarray], smooth: float) -> Points:
    """Return the paper's coast: the likeliest row of each column, averaged over members."""
    positions = []
    for land in members:
        share = gaussian_filter(land, smooth)
        coast = 4 * share * (1 - share)
        positions.append(argmax_positions(coast, np.ones(coast.shape, dtype=bool), "columns"))
    mean = fill_positions(ensemble_positions(positions, [1.0] * len(positions)))
    line = shapely.LineString(positions_line(mean, "columns") + 0.5)
    return shapely.get_coordinates(shapely.segmentize(line, 0.25))


def _print_coverage(coasts: list[Coast]) -> None:
    """Calibrate sigma on the left half of each coast, and count on the right half."""
    print("\nwithin one sigma, calibrated on the other half")
    for count in (1, MEMBERS):
        for smooth in (1, 4):
            cells = []
            for noise in NOISES:
                error, sigma, left = (np.concatenate(columns) for columns in zip(*(
                    _errors(coast, _members(coast, noise, field)[:count], smooth)
                    for field, coast in enumerate(coasts)), strict=True))
                factor = float(np.quantile(error[left] / sigma[left], 0.6827))
                inside = float((error[~left] <= factor * sigma[~left]).mean())
                cells.append(f"{inside:.0%} (x {factor:.2f})")
            print(f"{f'{count} member(s), sigma {smooth}':44}"
                  + "".join(f"{cell:>16}" for cell in cells))


def _errors(coast: Coast, members: list[np.ndarray], smooth: float
            ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, by true position, distance to the line, its sigma, and whether it lies left."""
    parts = parts_of(_traced(members, smooth), [], PIECE)
    tree = shapely.STRtree(parts.shapes)
    truth = coast.truth[::40]
    (_, nearest), error = tree.query_nearest(shapely.points(truth), return_distance=True,
                                             all_matches=False)
    return error, parts.sigma[nearest], truth[:, 0] < SIZE / 2


def _draw(coast: Coast, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 5.9), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, noise in zip(figure.subplots(1, 2), (0.1, 0.8), strict=True):
        members = _members(coast, noise, 0)
        axes.imshow(members[0], cmap="gray", extent=(0, SIZE, SIZE, 0), vmin=-0.6, vmax=1.4)
        smooth = 1 if noise < 0.5 else 4
        column = _by_column(members[:1], smooth)
        axes.plot(*column.T, color="#d7191c", linewidth=0.9, label="one row per column (the paper)")
        for number, line in enumerate(_traced(members[:1], smooth)):
            axes.plot(*(line.points + 0.5).T, color="#0571b0", linewidth=1.6,
                      label="traced coastline" if number == 0 else None)
        axes.set(title=f"noise {noise:g}, smoothing of {smooth} px", xticks=[], yticks=[])
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=110)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fields", type=int, default=5, help="how many coasts of each kind")
    parser.add_argument("-o", "--out", type=Path, help="picture to draw (.png)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
