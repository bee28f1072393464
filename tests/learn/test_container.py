"""The container: nothing damaged gets through, nothing is unpickled."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geoseg.errors import ModelError
from geoseg.learn.container import read_container, read_document, write_container

_REUSED = [HealthCheck.function_scoped_fixture]
TENSORS = {"a.weight": np.arange(12, dtype=np.float32).reshape(3, 4), "n": np.array(7),
           "half": np.zeros((2, 0), np.float16)}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("container") / "m.safetensors"
    write_container(path, "model", {"name": "Moor & Fels", "classes": ["水"]}, TENSORS)
    return path


def test_it_comes_back(file):
    document, tensors = read_container(file, "model")
    assert document == {"name": "Moor & Fels", "classes": ["水"]}
    assert tensors.keys() == TENSORS.keys()
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], array)
        assert tensors[name].dtype == array.dtype
    assert read_document(file, "model") == document


@settings(max_examples=300, deadline=None, suppress_health_check=_REUSED)
@given(place=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_every_flipped_byte_is_noticed(file, tmp_path, place, flip):
    content = bytearray(file.read_bytes())
    content[int(place * len(content))] ^= flip
    damaged = tmp_path / "d.safetensors"
    damaged.write_bytes(content)
    try:
        document, tensors = read_container(damaged, "model")
    except ModelError:
        return
    # Padding spaces in the header carry no meaning; everything else must be as before.
    assert document == {"name": "Moor & Fels", "classes": ["水"]}
    for name, array in TENSORS.items():
        np.testing.assert_array_equal(tensors[name], array)


@settings(max_examples=100, deadline=None, suppress_health_check=_REUSED)
@given(length=st.floats(0, 1, exclude_max=True))
def test_every_truncation_is_noticed(file, tmp_path, length):
    content = file.read_bytes()
    damaged = tmp_path / "d.safetensors"
    damaged.write_bytes(content[:int(length * len(content))])
    with pytest.raises(ModelError):
        read_container(damaged, "model")


@pytest.mark.parametrize(("name", "content", "match"), [
    ("a.pt", b"\x80\x02}q\x00.", "pickled checkpoint"), ("a.safetensors", b"", "damaged"),
    ("a.safetensors", b"\xff" * 64, "header is damaged"),
])
def test_other_files_are_refused(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=match):
        read_document(tmp_path / name, "model")


def test_another_kind_is_refused(file, tmp_path):
    with pytest.raises(ModelError, match="is not a geoseg training state file"):
        read_document(file, "training state")
    with pytest.raises(ModelError, match="does not exist"):
        read_document(tmp_path / "none.safetensors", "model")
