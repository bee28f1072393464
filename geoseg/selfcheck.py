"""`selfcheck`: whether everything that geoseg needs is there and works on this machine."""

from __future__ import annotations

import platform
import tempfile
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geoseg import __version__
from geoseg.errors import GeosegError
from geoseg.progress import Progress, part, silent, track

if TYPE_CHECKING:
    from geoseg.learn.model import Model

PACKAGES = (
    "numpy", "scipy", "shapely", "pyproj", "rasterio", "pyogrio", "pyarrow", "geopandas",
    "contourpy", "cv2", "jinja2", "matplotlib", "pydantic", "requests", "osmnx", "safetensors",
    "torch", "torchvision", "lightning_fabric", "segmentation_models_pytorch",
)
"""Packages by the names under which they are imported; the large ones last."""

_CURE = ('Run "Set up engine" again; an interpreter of your own needs the packages in the '
         "plugin's engine.lock")
_SIDE = 64


def selfcheck(*, device: str = "auto", progress: Progress = silent) -> dict[str, Any]:
    """Import every package, then predict a tiny image with a tiny network.

    Args:
        device: `auto`, `cpu`, `cuda` or `mps`.
        progress: Told what is being tried.

    Returns:
        `geoseg`, `python`: versions; `device`: where networks run; `packages`: name to version.

    Raises:
        GeosegError: A package is missing or broken, or the prediction is wrong.
    """
    versions = {name: _import(name)
                for name in track(PACKAGES, part(progress, 0.0, 0.8), "importing packages")}
    progress(0.8, "predicting a tiny image")
    kind = _predict(device)
    progress(1.0, "everything works")
    return {"geoseg": __version__, "python": platform.python_version(), "device": kind,
            "packages": versions}


def _import(name: str) -> str:
    """Import a package and return its version."""
    try:
        module = import_module(name)
    except (ImportError, OSError) as error:
        # Windows answers with an OSError where a library of a package cannot be loaded.
        found = str(error).strip().partition("\n")[0]
        raise GeosegError(f"package {name}", f"cannot be imported ({found})", _CURE) from error
    return str(getattr(module, "__version__", "unknown"))


def _predict(device: str) -> str:
    """Predict an image on a device and check the result; return the kind of device."""
    from geoseg.learn.model import choose_device
    from geoseg.maps.predict import predict

    kind = choose_device(device)
    model = _tiny_model()
    model.network.to(kind)
    with tempfile.TemporaryDirectory(prefix="geoseg-check-") as folder:
        image, proba = Path(folder, "image.tif"), Path(folder, "proba.tif")
        _write_image(image)
        try:
            predict(model, image, out=proba, tile=_SIDE, overlap=0.0, precision="32")
        except RuntimeError as error:
            found = str(error).strip().partition("\n")[0]
            raise GeosegError(f"device {kind.type}", f"cannot run a network ({found})",
                              'Run "Set up engine" again with another choice, such as cpu'
                              ) from error
        _check(proba)
    return kind.type


def _tiny_model() -> Model:
    from geoseg.learn.card import BandCard, ClassCard, ModelCard, NetworkCard
    from geoseg.learn.model import Model
    from geoseg.learn.networks import build_network

    network = NetworkCard(architecture="unet", encoder="mobilenet_v2", bands=3, classes=2)
    card = ModelCard(
        name="check", created=datetime.now(UTC).isoformat(), geoseg=__version__, task="exclusive",
        georeferenced=True, resolution=1.0, chip_size=_SIDE, network=network, precision="32",
        classes=[ClassCard(name="no", color="#d9d9d9"), ClassCard(name="yes", color="#3182bd")],
        bands=[BandCard(index=index, name="", dtype="uint8", offset=127.0, gain=64.0, low=0.0,
                        high=255.0) for index in (1, 2, 3)])
    return Model(card, build_network(network).eval().requires_grad_(False))


def _write_image(path: Path) -> None:
    import numpy as np
    from affine import Affine
    from rasterio.crs import CRS

    from geoseg.geo.grid import Grid
    from geoseg.geo.writing import raster_writer

    grid = Grid(CRS.from_epsg(32633), Affine(1.0, 0.0, 5e5, 0.0, -1.0, 5e6), _SIDE, _SIDE)
    pixels = np.random.default_rng(0).integers(0, 256, (3, _SIDE, _SIDE), dtype=np.uint8)
    with raster_writer(path, grid, count=3, dtype="uint8") as write:
        write(pixels, grid.window)


def _check(proba: Path) -> None:
    """Check that the probabilities of a pixel add up to one, as far as they are stored."""
    import numpy as np

    from geoseg.geo.grid import Grid
    from geoseg.geo.raster import open_raster
    from geoseg.maps.probabilities import STEPS, read_probabilities

    with open_raster(proba) as dataset:
        probabilities, valid = read_probabilities(dataset, Grid.of(dataset).window)
    if not valid.all() or np.abs(probabilities.sum(axis=0) - 1).max() > 1.5 / STEPS:
        raise GeosegError("the prediction of a tiny image", "is wrong", _CURE)
