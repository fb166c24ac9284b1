# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import struct
import tracemalloc

import numpy as np
import pytest
from params_writer import FLAGS, GOLDEN, array_bytes, params_bytes

from fcis_ros.errors import InputError
from fcis_ros.model.weights_import import mxnet_params


def read(tmp_path, contents: bytes):
    path = tmp_path / "weights.params"
    path.write_bytes(contents)
    return {name: (array.dtype, array.load()) for name, array in mxnet_params.read(path).items()}


def test_read_golden_bytes(tmp_path):
    found = {name: (dtype, values.tolist()) for name, (dtype, values) in read(tmp_path, GOLDEN).items()}
    assert found == {"a": ("float32", [[0, 1, 2], [3, 4, 5]]), "b": ("float16", [1, 2])}


@pytest.mark.parametrize("dtype", FLAGS)
def test_read_every_format_and_type(tmp_path, dtype):
    values = np.arange(-3, 3).reshape(1, 3, 2).astype(dtype)
    arrays = [array_bytes(values[:, 3 - rows :], version, device=(2, 1)) for version, rows in enumerate((1, 2, 3, 1))]
    found = read(tmp_path, params_bytes(arrays, [b"a", b"arg:b", b"aux:c", b"d"]))
    assert all(stored == dtype for stored, _ in found.values())
    for name, rows in {"a": 1, "b": 2, "c": 3, "d": 1}.items():
        assert np.array_equal(found[name][1], values[:, 3 - rows :])


def test_read_numpy_shapes(tmp_path):
    scalar, empty = array_bytes(np.array(3.5, np.float32), 3), array_bytes(np.zeros((0, 3), np.float32), 3)
    found = read(tmp_path, params_bytes([scalar, empty], [b"s", b"e"]))
    assert found["s"][1].shape == () and found["s"][1] == 3.5
    assert found["e"][1].shape == (0, 3)


def test_read_bfloat16_is_the_upper_half_of_float32(tmp_path):
    array = struct.pack("<Iiiqiii2H", 0xF993FAC9, 0, 1, 2, 1, 0, 12, 0x3F80, 0xC040)
    stored, values = read(tmp_path, params_bytes([array], [b"x"]))["x"]
    assert stored == "bfloat16" and values.dtype == np.float32 and values.tolist() == [1, -3]


def head(magic: int, *rest: tuple[str, int]) -> bytes:
    return struct.pack("<I", magic) + b"".join(struct.pack(f"<{kind}", value) for kind, value in rest)


def dense(*dims: int, dtype: int = 0) -> bytes:
    return head(0xF993FAC9, ("i", 0), ("i", len(dims)), *(("q", d) for d in dims), ("i", 1), ("i", 0), ("i", dtype))


ONE = dense(1) + b"\0\0\x80\x3f"
ARRAYS = {
    "2^60 values": (dense(1 << 60), "needs 4611686018427387904 bytes where"),
    "2^60 by 2^60 values": (dense(1 << 60, 1 << 60), "needs .* bytes where"),
    "negative size": (dense(2, -1), r"has the shape \[2, -1\]"),
    "a billion dimensions": (head(0xF993FAC9, ("i", 0), ("i", 10**9)), "has 1000000000 dimensions"),
    "negative dimensions": (head(0xF993FACA, ("i", 0), ("i", -1)) + ONE, "has no values"),
    "no dimensions, not NumPy": (head(0xF993FAC9, ("i", 0), ("i", 0)) + ONE, "has no values"),
    "no dimensions, first format": (head(0) + ONE, "has no values"),
    "first format, anything for a magic number": (head(0x12345678) + ONE, "has 305419896 dimensions"),
    "row sparse": (head(0xF993FAC9, ("i", 1), ("i", 1), ("q", 1)) + ONE, "is sparse"),
    "compressed sparse rows": (head(0xF993FAC9, ("i", 2), ("i", 1), ("q", 1)) + ONE, "is sparse"),
    "unknown storage": (head(0xF993FAC9, ("i", 77)) + ONE, "unknown storage type 77"),
    "unknown type": (dense(1, dtype=8) + ONE, "has the unknown type 8"),
}
FILES = {
    "empty": (b"", "an empty file"),
    "text": (b"#!/bin/sh\necho these are no weights\n", "not an MXNet .params file"),
    "shorter than its magic number": (b"\x12\x01", "its first number needs 8 bytes where 2 are left"),
    "2^60 arrays": (struct.pack("<QQQ", 0x112, 0, 1 << 60) + ONE, "1152921504606846976 arrays"),
    "2^60 names": (struct.pack("<QQQ", 0x112, 0, 1) + ONE + struct.pack("<Q", 1 << 60), "1152921504606846976 names"),
    "more names than arrays": (GOLDEN[:-34] + struct.pack("<Q", 3), "2 arrays, but 3 names"),
    "no names": (struct.pack("<QQQ", 0x112, 0, 1) + ONE + struct.pack("<Q", 0), "1 arrays, but 0 names"),
    "a name of 2^63 letters": (
        struct.pack("<QQQ", 0x112, 0, 1) + ONE + struct.pack("<QQ", 1, 1 << 63) + b"x",
        "name 1 of 1 needs 9223372036854775808 bytes where 1 are left",
    ),
    "a name in Latin-1": (GOLDEN[:-1] + b"\xe9", "name 2 of 2 is not UTF-8"),
    "more than there should be": (GOLDEN + b"\0", "1 bytes too many"),
    **{name: (params_bytes([array], [b"x"]), f"array 1 of 1.* {problem}") for name, (array, problem) in ARRAYS.items()},
}  # fmt: skip


@pytest.mark.parametrize("damage", FILES)
def test_read_impossible_file_is_refused(tmp_path, damage):
    contents, problem = FILES[damage]
    tracemalloc.start()
    with pytest.raises(InputError, match=f"weights.params: .*{problem}") as error:
        read(tmp_path, contents)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20 and str(error.value).isprintable()


def test_read_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere.params: No such file"):
        mxnet_params.read(tmp_path / "nowhere.params")
    with pytest.raises(InputError, match="Is a directory"):
        mxnet_params.read(tmp_path)
