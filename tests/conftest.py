"""What several test modules share."""

from __future__ import annotations

from pathlib import Path

import pytest

collect_ignore = ["qgis"]
"""QGIS' own Python runs those; see scripts/test.py."""
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data sets beside the checkout."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data sets do not lie beside this checkout")
    return SHARED_DATA
