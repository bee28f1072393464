"""A base map from a real tile server on loopback, drawn by QGIS into a file."""

import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessingFeedback,
    QgsRasterLayer,
    QgsRectangle,
)
from qgis.PyQt.QtCore import QBuffer, QByteArray, QCoreApplication, QIODevice
from qgis.PyQt.QtGui import QColor, QImage

HALF = math.pi * 6378137.0
ZOOM = 16
SIDE = 2 * HALF / 2 ** ZOOM
COLUMN, ROW = 34_000, 22_000
"""The first of the tiles that are looked at."""


def colour(column, row):
    """Return the colour of a tile, different from that of its neighbours."""
    return QColor(40 + 60 * (column % 3), 40 + 60 * (row % 3), 200)


class Tiles(BaseHTTPRequestHandler):
    """Answers /zoom/column/row.png with a tile of one colour."""

    def do_GET(self):
        _, column, row = self.path.removesuffix(".png").strip("/").split("/")
        scale = 2 ** (ZOOM - int(self.path.split("/")[1]))
        picture = QImage(256, 256, QImage.Format.Format_RGB32)
        picture.fill(colour(int(column) * scale, int(row) * scale))
        content = QByteArray()
        buffer = QBuffer(content)
        buffer.open(QIODevice.OpenModeFlag.WriteOnly)
        picture.save(buffer, "PNG")
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        self.end_headers()
        self.wfile.write(bytes(content))

    def log_message(self, *arguments):
        pass


@pytest.fixture
def base_map(qgis_new_project):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tiles)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/{{z}}/{{x}}/{{y}}.png"
    yield QgsRasterLayer(f"type=xyz&url={address}&zmax={ZOOM}&zmin=0", "aerial", "wms")
    server.shutdown()
    server.server_close()


def test_it_is_drawn_where_it_lies(base_map, provider, tmp_path):
    from geoseg_qgis.basemap import BaseMapExport

    assert base_map.isValid()
    west, north = -HALF + COLUMN * SIDE, HALF - ROW * SIDE
    extent = QgsRectangle(west, north - 2 * SIDE, west + 2 * SIDE, north)
    feedback, found = QgsProcessingFeedback(False), []
    export = BaseMapExport(base_map, extent, SIDE / 256)
    export.prepare(feedback)
    # As in an algorithm: the drawing in a thread, the main thread free for the network.
    work = threading.Thread(target=lambda: found.append(
        export.run(tmp_path / "made" / "basemap.tif", feedback)))
    work.start()
    while work.is_alive():
        QCoreApplication.processEvents()
        work.join(0.01)
    dataset = gdal.Open(found[0])
    left, pixel, _, top, _, _ = dataset.GetGeoTransform()
    assert pixel == pytest.approx(SIDE / 256, rel=1e-6)
    assert QgsCoordinateReferenceSystem(dataset.GetProjection()).authid() == "EPSG:3857"
    assert dataset.RasterCount >= 3
    for column in (0, 1):
        for row in (0, 1):
            x = int((west + (column + 0.5) * SIDE - left) / pixel)
            y = int((top - (north - (row + 0.5) * SIDE)) / pixel)
            drawn = [int(dataset.GetRasterBand(band).ReadAsArray(x, y, 1, 1)[0, 0])
                     for band in (1, 2, 3)]
            expected = colour(COLUMN + column, ROW + row)
            assert drawn == [expected.red(), expected.green(), expected.blue()]
