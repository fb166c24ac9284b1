# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What both readers refuse, in one line each: files that are cut off, damaged, or hold two arrays of one name."""

import io
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from params_writer import GOLDEN, array_bytes, params_bytes

from fcis_ros.errors import InputError
from fcis_ros.model.weights_import import mxnet_params, npz

HOSTILE = "evil\n\x1b[31m" + "x" * 1000
BUFFER = io.BytesIO()
np.savez_compressed(BUFFER, a=np.arange(4, dtype=np.float32))
READERS = {"params": (mxnet_params.read, GOLDEN), "npz": (npz.read, BUFFER.getvalue())}
every_reader = pytest.mark.parametrize("suffix", READERS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("weights")


def read(folder, suffix: str, contents: bytes) -> None:
    path = folder / f"weights.{suffix}"
    path.write_bytes(contents)
    for array in READERS[suffix][0](path).values():
        assert array.load().shape == array.shape


@every_reader
def test_add_second_array_of_a_name_is_refused_in_one_line(folder, suffix):
    array = np.ones(1, np.float32)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file, pytest.warns(UserWarning, match="Duplicate"):
        for _ in range(2):
            file.writestr(f"{HOSTILE}.npy", zipfile.ZipFile(BUFFER).read("a.npy"))
    contents = {"params": params_bytes([array_bytes(array, 2)] * 2, [HOSTILE.encode()] * 2), "npz": buffer.getvalue()}
    with pytest.raises(InputError, match="two arrays are called 'evil") as error:
        read(folder, suffix, contents[suffix])
    assert str(error.value).isprintable() and len(str(error.value)) < 300


@every_reader
def test_read_truncated_anywhere_is_refused(folder, suffix):
    whole = READERS[suffix][1]
    for length in range(len(whole)):
        with pytest.raises(InputError):
            read(folder, suffix, whole[:length])


@every_reader
@given(changes=st.dictionaries(st.floats(0, 1, exclude_max=True), st.integers(0, 255), max_size=8), tail=st.binary(max_size=8))
def test_read_damaged_file_is_refused_or_gives_arrays(folder, suffix, changes, tail):
    damaged = bytearray(READERS[suffix][1])
    for position, value in changes.items():
        damaged[int(position * len(damaged))] = value
    try:
        read(folder, suffix, bytes(damaged + tail))
    except InputError as error:
        assert str(error).isprintable()
