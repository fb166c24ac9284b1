# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A writer of all formats of ``.params``, which shares nothing with the reader, and a small FCIS under released names."""

import struct

import numpy as np

from fcis_ros.config import ModelConfig

FLAGS = {"float32": 0, "float64": 1, "float16": 2, "uint8": 3, "int32": 4, "int8": 5, "int64": 6, "bool": 7}
SMALL = ModelConfig(("car", "bus"), backbone="resnet50", width=2, reduced_channels=6, rpn_channels=5, anchor_scales=(4.0, 8.0))
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


def array_bytes(values: np.ndarray, version: int, device: tuple[int, int] = (1, 0)) -> bytes:
    """One array as MXNet wrote it: version 0 before magic numbers, 1 with 64-bit shapes, 2 with storage types, 3 for NumPy."""
    if version == 0:
        head = struct.pack(f"<I{values.ndim}I", values.ndim, *values.shape)
    else:
        head = struct.pack("<I", 0xF993FAC7 + version) + (struct.pack("<i", 0) if version >= 2 else b"")
        head += struct.pack(f"<i{values.ndim}q", values.ndim, *values.shape)
    return head + struct.pack("<iii", *device, FLAGS[values.dtype.name]) + values.tobytes()


def params_bytes(arrays: list[bytes], names: list[bytes]) -> bytes:
    return b"".join([
        struct.pack("<QQQ", 0x112, 0, len(arrays)),
        *arrays,
        struct.pack("<Q", len(names)),
        *(struct.pack("<Q", len(name)) + name for name in names),
    ])  # fmt: skip


def write_params(path, arrays: dict[str, np.ndarray], version: int = 2) -> None:
    names = [name.encode() for name in arrays]
    path.write_bytes(params_bytes([array_bytes(values, version) for values in arrays.values()], names))


def conv_shapes() -> dict[str, tuple[int, ...]]:
    """Convolutions of SMALL's backbone, a ResNet-50, by their released names, written out from the paper's table."""
    shapes = {"conv1": (2, 3, 7, 7)}
    inputs = 2
    for stage, blocks, inner in ((2, "abc", 2), (3, "abcd", 4), (4, "abcdef", 8), (5, "abc", 16)):
        for block in blocks:
            if block == "a":
                shapes[f"res{stage}a_branch1"] = (4 * inner, inputs, 1, 1)
            shapes[f"res{stage}{block}_branch2a"] = (inner, inputs, 1, 1)
            shapes[f"res{stage}{block}_branch2b"] = (inner, inner, 3, 3)
            shapes[f"res{stage}{block}_branch2c"] = (4 * inner, inner, 1, 1)
            inputs = 4 * inner
    return shapes


def small_released() -> dict[str, np.ndarray]:
    """SMALL with random values under the keys of a .params file."""
    random = np.random.default_rng(0)
    arrays = {}

    def put(name, *shape):
        arrays[name] = random.normal(size=shape).astype(np.float32)

    for conv, shape in conv_shapes().items():
        put(f"arg:{conv}_weight", *shape)
        norm = "bn_conv1" if conv == "conv1" else conv.replace("res", "bn")
        for part in ("arg:{}_gamma", "arg:{}_beta", "aux:{}_moving_mean", "aux:{}_moving_var"):
            put(part.format(norm), shape[0])
        arrays[f"aux:{norm}_moving_var"] = np.abs(arrays[f"aux:{norm}_moving_var"])
    for head, shape in {
        "rpn_conv_3x3": (5, 32, 3, 3),
        "rpn_cls_score": (12, 5, 1, 1),
        "rpn_bbox_pred": (24, 5, 1, 1),
        "conv_new_1": (6, 64, 1, 1),
        "fcis_cls_seg": (98 * 3, 6, 1, 1),
        "fcis_bbox": (392, 6, 1, 1),
    }.items():
        put(f"arg:{head}_weight", *shape)
        put(f"arg:{head}_bias", shape[0])
    put("arg:fcis_bbox_weight_test", 392, 6, 1, 1)
    put("arg:fcis_bbox_bias_test", 392)
    return arrays
