"""How all charts look, and how a drawing becomes a `data:` address of SVG."""

from __future__ import annotations

import base64
import colorsys
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_STYLE: dict[Any, Any] = {
    "font.family": "sans-serif", "font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "geoseg",
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": "#555555",
    "axes.labelcolor": "#222222", "xtick.color": "#444444", "ytick.color": "#444444",
    "axes.grid": True, "grid.color": "#e4e4e4", "grid.linewidth": 0.6, "axes.axisbelow": True,
    "legend.frameon": False, "figure.constrained_layout.use": True,
}
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (6, 1.5, 1.5, 1.5)))
"""Kinds of lines, so that colours need not be told apart."""
INK, PALE = "#224466", "#a9bccf"
"""Colours of what stands alone, and of what goes with it."""
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#8a6d00", "#3a9bdc", "#555555")
"""Lines without a colour of their own: after Okabe and Ito, told apart by all kinds of eyes."""


def readable(color: str) -> str:
    """Return the colour, darkened if need be until lines of it show on white.

    WCAG 2.1 asks for a contrast of 3:1 of graphics.
    """
    rgb = tuple(int(color[i:i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(*rgb)
    while 1.05 / (_luminance(rgb) + 0.05) < 3:
        light *= 0.95
        rgb = colorsys.hls_to_rgb(hue, light, saturation)
    return "#" + "".join(f"{round(value * 255):02x}" for value in rgb)


def _luminance(rgb: Sequence[float]) -> float:
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def percent_axes(axes: Axes) -> None:
    """Label both axes in percent of 1."""
    from matplotlib.ticker import PercentFormatter

    axes.xaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=" %"))


def plain(name: str) -> str:
    """Keep matplotlib from reading `$` as mathematics, and a leading `_` as "leave out"."""
    return name.replace("$", r"\$") if not name.startswith("_") else f" {name}".replace("$", r"\$")


@contextmanager
def figure_of(width: float, height: float) -> Iterator[Figure]:
    """Give a figure in the report's style, in inches, without pyplot's global state."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE):
        yield Figure(figsize=(width, height))


def svg(figure: Figure) -> str:
    """Return a drawing as a `data:` address, the same for the same drawing."""
    with io.BytesIO() as file:
        figure.savefig(file, format="svg", metadata={"Date": None}, transparent=True, dpi=150)
        return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
