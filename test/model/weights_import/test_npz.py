# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch

from fcis_ros.errors import InputError
from fcis_ros.model.weights_import import npz

VALUES = {"a/W": np.arange(6, dtype=np.float32).reshape(2, 3), "N": np.array(7), "fortran": np.asfortranarray(np.eye(2, 3))}


def archive(save=np.savez, **arrays) -> bytes:
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def with_header(header: str, data: bytes = b"", version=(1, 0)) -> bytes:
    header = header.encode()
    size = struct.pack("<H", len(header)) if version == (1, 0) else struct.pack("<I", len(header))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("x.npy", b"\x93NUMPY" + bytes(version) + size + header + data)
    return buffer.getvalue()


def claiming(shape: str, data: bytes = b"", version=(1, 0)) -> bytes:
    return with_header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n", data, version)


def read(tmp_path, contents: bytes):
    path = tmp_path / "weights.npz"
    path.write_bytes(contents)
    return {name: (array, array.load()) for name, array in npz.read(path).items()}


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_read_gives_the_saved_arrays(tmp_path, save):
    found = read(tmp_path, archive(save, **VALUES))
    assert set(found) == set(VALUES)
    for name, (described, values) in found.items():
        assert (described.shape, described.dtype) == (VALUES[name].shape, VALUES[name].dtype.name)
        assert np.array_equal(values, VALUES[name])


def test_read_objects_are_described_and_never_unpickled(tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(archive(a=np.array([{"a": 1}], dtype=object), b=np.ones(2)))
    found = npz.read(path)
    assert found["a"].dtype == "object" and found["b"].load().tolist() == [1, 1]
    with pytest.raises(InputError, match="array 'a' is damaged"):
        found["a"].load()


LIES = {
    "2^60 values": (claiming("(1152921504606846976,)"), "needs 4611686018427387904 bytes and has 0"),
    "fewer values": (claiming("(3,)", b"12345678"), "needs 12 bytes and has 8"),
    "more values": (claiming("(1,)", b"12345678"), "needs 4 bytes and has 8"),
    "negative": (claiming("(-1, -2)", b"12345678"), r"of shape \[-1, -2\]"),
    "40 dimensions": (claiming(str((1,) * 40), b"1234"), "40 dimensions"),
    "another version": (claiming("(1,)", b"1234", (2, 0)), "not of version"),
    "code": (with_header("__import__('os').getcwd()\n"), "is damaged"),
    "unknown type": (with_header("{'descr': 'nonsense', 'fortran_order': False, 'shape': (1,), }\n", b"1234"), "is damaged"),
    "not an archive": (b"\x93NUMPY\x01\x00", "not a readable .npz file"),
    "empty": (b"", "not a readable .npz file"),
}


@pytest.mark.parametrize("lie", LIES)
def test_read_impossible_array_is_refused(tmp_path, lie):
    contents, problem = LIES[lie]
    tracemalloc.start()
    with pytest.raises(InputError, match=problem) as error:
        read(tmp_path, contents)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20 and str(error.value).isprintable()


def test_read_pytorch_file_is_refused_with_advice(tmp_path):
    path = tmp_path / "resnet50.pth"
    torch.save({"conv1.weight": torch.zeros(2)}, path)
    with pytest.raises(InputError, match="whose pickles are never read: save it as .safetensors"):
        npz.read(path)
