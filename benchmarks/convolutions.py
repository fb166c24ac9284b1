# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""All convolutions of a frame, in several ways: ``python -m benchmarks.convolutions``.

One kernel after the other; fused with the following operations, as the model does it on a GPU (``model/convolution.py``); so,
with the algorithms timed instead of chosen by heuristics of cuDNN; and compiled by Inductor and, where ``torch_tensorrt`` is
installed, TensorRT. On a CPU the first three are the same.
"""

import argparse
import contextlib
import importlib.util
from collections.abc import Callable, Iterator

import numpy as np
import torch

from benchmarks.frame import r101_coco
from benchmarks.measure import Row, device_name, medians, replayed, table, write
from fcis_ros import Predictor
from fcis_ros.model import convolution
from fcis_ros.model.fcis import DenseMaps
from fcis_ros.model.precision import DTYPES, convolving
from fcis_ros.model.preprocess import preprocess

Dense = Callable[[torch.Tensor], DenseMaps]


@contextlib.contextmanager
def unfused() -> Iterator[None]:
    """No convolution is fused."""
    before, convolution.may_fuse = convolution.may_fuse, lambda conv, x: False
    try:
        yield
    finally:
        convolution.may_fuse = before


@contextlib.contextmanager
def timed() -> Iterator[None]:
    """cuDNN times its algorithms at the first occurrence of a shape."""
    before, torch.backends.cudnn.benchmark = torch.backends.cudnn.benchmark, True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def ways(predictor: Predictor) -> dict[str, tuple[contextlib.AbstractContextManager, Dense]]:
    """Returns a context and a function for each way; the others are compared with the first."""
    dense = predictor.model.dense
    result = {
        "apart": (unfused(), dense),
        "fused": (contextlib.nullcontext(), dense),
        "fused, algorithms timed": (timed(), dense),
        "Inductor": (contextlib.nullcontext(), torch.compile(dense, dynamic=False)),
    }
    if predictor.device.type == "cuda" and importlib.util.find_spec("torch_tensorrt"):
        importlib.import_module("torch_tensorrt")  # registers its backend
        result["TensorRT"] = (contextlib.nullcontext(), torch.compile(dense, backend="tensorrt", dynamic=False))
    return result


def rows(predictor: Predictor, name: str, frame: np.ndarray) -> list[Row]:
    """Milliseconds of every way; on a GPU in a CUDA graph."""
    device, measured = predictor.device, []
    tensor = preprocess(frame, predictor.config, device)[0].to(DTYPES[predictor.precision])
    for way, (context, dense) in ways(predictor).items():

        def run(dense: Dense = dense) -> DenseMaps:
            with torch.inference_mode(), convolving(predictor.precision):
                return dense(tensor)

        with context:
            time = replayed(run, device) if device.type == "cuda" else medians([run], device, seconds=10.0)[0]
        first = measured[0].median_ms if measured else time
        measured.append(Row(f"convolutions, {way}", name, device_name(device), predictor.precision, time, first / time))
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.convolutions", description=__doc__.splitlines()[0])
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=device, help="cpu or cuda (default: %(default)s)")
    device = torch.device(parser.parse_args().device)
    image = np.random.default_rng(0).integers(0, 256, (600, 1000, 3), dtype=np.uint8)
    measured = rows(Predictor.from_checkpoint(device=str(device)), "road", image[:360, :480].copy())
    measured += rows(r101_coco(image, device), "r101_coco", image)
    print(table(measured))
    write("convolutions", measured)


if __name__ == "__main__":
    main()
