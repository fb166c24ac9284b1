# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fcis_ros.errors import InputError
from fcis_ros.model.weights_import import mxnet_params

# {"arg:a": [[0, 1, 2], [3, 4, 5]], "aux:b": [1, 2] in float16}, as MXNet 1.9.1 writes it.
GOLDEN = bytes.fromhex(
    "1201000000000000 0000000000000000 0200000000000000"  # 0x112, reserved, two arrays
    "c9fa93f9 00000000 02000000 0200000000000000 0300000000000000"  # V2, dense, two dimensions, 2, 3
    "01000000 00000000 00000000"  # CPU, number 0, float32
    "00000000 0000803f 00000040 00004040 00008040 0000a040"
    "c9fa93f9 00000000 01000000 0200000000000000"
    "01000000 00000000 02000000"  # float16
    "003c 0040"
    "0200000000000000 0500000000000000 6172673a61 0500000000000000 6175783a62"  # two names of five letters
)


def read(tmp_path, contents: bytes):
    path = tmp_path / "weights.params"
    path.write_bytes(contents)
    return {name: (array, array.load()) for name, array in mxnet_params.read(path).items()}


def test_read_golden_bytes(tmp_path):
    found = read(tmp_path, GOLDEN)
    assert list(found) == ["a", "b"]
    described, values = found["a"]
    assert (described.shape, described.dtype) == ((2, 3), "float32")
    assert values.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["b"][0].dtype == "float16" and found["b"][1].tolist() == [1, 2]


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "uint8", "int32", "int8", "int64", "bool"])
@pytest.mark.parametrize("version", [0, 1, 2, 3])
def test_read_every_format_and_type(tmp_path, foreign, version, dtype):
    values = np.arange(-3, 3).reshape(1, 3, 2).astype(dtype)
    contents = foreign.params_bytes(
        [foreign.array_bytes(values, version, device=(2, 1)), foreign.array_bytes(values[0, 0], version)], [b"x", b"arg:y"]
    )
    found = read(tmp_path, contents)
    assert found["x"][0].dtype == dtype and found["x"][1].dtype == dtype
    assert np.array_equal(found["x"][1], values) and np.array_equal(found["y"][1], values[0, 0])


def test_read_mixed_formats(tmp_path, foreign):
    arrays = [foreign.array_bytes(np.float32([version]), version) for version in (0, 1, 2, 3)]
    found = read(tmp_path, foreign.params_bytes(arrays, [b"a", b"b", b"c", b"d"]))
    assert [values.tolist() for _, values in found.values()] == [[0], [1], [2], [3]]


def test_read_numpy_shapes(tmp_path, foreign):
    scalar, empty = foreign.array_bytes(np.array(3.5, np.float32), 3), foreign.array_bytes(np.zeros((0, 3), np.float32), 3)
    found = read(tmp_path, foreign.params_bytes([scalar, empty], [b"s", b"e"]))
    assert found["s"][1].shape == () and found["s"][1] == 3.5
    assert found["e"][1].shape == (0, 3)


def test_read_bfloat16_is_the_upper_half_of_float32(tmp_path, foreign):
    array = struct.pack("<Iiiqiii2H", 0xF993FAC9, 0, 1, 2, 1, 0, 12, 0x3F80, 0xC040)
    described, values = read(tmp_path, foreign.params_bytes([array], [b"x"]))["x"]
    assert described.dtype == "bfloat16" and values.dtype == np.float32 and values.tolist() == [1, -3]


def head(magic: int, *rest: tuple[str, int]) -> bytes:
    return struct.pack("<I", magic) + b"".join(struct.pack(f"<{kind}", value) for kind, value in rest)


def dense(*dims: int, dtype: int = 0) -> bytes:
    return head(0xF993FAC9, ("i", 0), ("i", len(dims)), *(("q", d) for d in dims), ("i", 1), ("i", 0), ("i", dtype))


ONE = dense(1) + b"\0\0\x80\x3f"
LIES = {
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


@pytest.mark.parametrize("lie", LIES)
def test_read_impossible_array_is_refused(tmp_path, foreign, lie):
    array, problem = LIES[lie]
    contents = foreign.params_bytes([array], [b"x"])
    tracemalloc.start()
    with pytest.raises(InputError, match=f"weights.params: array 1 of 1.* {problem}"):
        read(tmp_path, contents)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


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
    "one name twice": (GOLDEN[:-1] + b"a", "two arrays are called 'a'"),
    "more than there should be": (GOLDEN + b"\0", "1 bytes too many"),
}  # fmt: skip


@pytest.mark.parametrize("damage", FILES)
def test_read_impossible_file_is_refused(tmp_path, damage):
    contents, problem = FILES[damage]
    with pytest.raises(InputError, match=problem) as error:
        read(tmp_path, contents)
    assert "weights.params: " in str(error.value) and "\n" not in str(error.value)


def test_read_hostile_name_keeps_one_line(tmp_path, foreign):
    name = b"evil\n\x1b[31m" + b"x" * 1000
    with pytest.raises(InputError, match="two arrays are called") as error:
        read(tmp_path, foreign.params_bytes([ONE, ONE], [name, name]))
    assert str(error.value).isprintable() and len(str(error.value)) < 300


def test_read_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere.params: No such file"):
        mxnet_params.read(tmp_path / "nowhere.params")
    with pytest.raises(InputError, match="Is a directory"):
        mxnet_params.read(tmp_path)


def test_read_truncated_anywhere_is_refused(tmp_path):
    for length in range(len(GOLDEN)):
        with pytest.raises(InputError):
            read(tmp_path, GOLDEN[:length])


NUMBERS = st.one_of(st.integers(0, 255), st.just(0xFF), st.just(0x80))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.integers(0, len(GOLDEN) - 1), NUMBERS, min_size=1, max_size=8), tail=st.binary(max_size=8))
def test_read_damaged_file_is_refused_or_gives_arrays(tmp_path, changes, tail):
    damaged = bytearray(GOLDEN + tail)
    for offset, value in changes.items():
        damaged[offset] = value
    try:
        for described, values in read(tmp_path, bytes(damaged)).values():
            assert described.shape == values.shape
    except InputError as error:
        assert str(error).isprintable()
