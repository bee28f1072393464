"""A file is whole under its name or not there at all, whatever the name."""

import pytest

from geoseg.geo.output import replacing


@pytest.mark.parametrize("name", ["a.tif", "scene [1].tif", "a*b?.tif", "Übersicht;$(x).tif"])
@pytest.mark.parametrize("fails", [True, False])
def test_nothing_else_stays_whatever_the_name(tmp_path, name, fails):
    path = tmp_path / name
    path.write_text("old")

    def write():
        with replacing(path) as part:
            part.write_text("new")
            part.with_name(f"{part.name}.aux.xml").write_text("beside it")
            if fails:
                raise ValueError

    if fails:
        with pytest.raises(ValueError, match=r"^$"):
            write()
    else:
        write()
    assert [item.name for item in tmp_path.iterdir()] == [name]
    assert path.read_text() == ("old" if fails else "new")
