# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``assemble: native``: class logits from summed-area tables against the direct sum over every cell and against plain PyTorch.

``python -m benchmarks.patent`` prints the table. The direct sum is C++ too (``direct_sum.cpp``, compiled here). The
three are called in turns, on one thread; the processor's time is measured, which does not depend on other processes.
"""

import ctypes
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from benchmarks import cases
from benchmarks.measure import Row, device_name
from fcis_ros.ops import patent
from fcis_ros.ops.reference import patent_averages as plain

SIDES = (64, 128, 256, 512, 1000)  # of square ROIs, in pixels of the resized image
CPU = torch.device("cpu")


def direct_sum() -> Callable[[Tensor, Tensor, int, int, int], Tensor]:
    """The compiled direct sum: score maps [1, k*k*P*2, h, w], channels-last, ROIs [R, 5], C + 1, k, stride -> [R, C+1]."""
    source = Path(__file__).with_name("direct_sum.cpp")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "direct_sum.so"
        flags = ["-std=c++17", "-O3", "-ffp-contract=off", "-fopenmp", "-Wno-psabi", "-shared", "-fPIC"]
        subprocess.run([os.environ.get("CXX", "g++"), *flags, source, "-o", path], check=True)
        library = ctypes.CDLL(str(path))

    def run(score_maps: Tensor, rois: Tensor, classes: int, bins: int, stride: int) -> Tensor:
        height, width = score_maps.shape[2:]
        logits = torch.empty(len(rois), classes)
        pointers = [ctypes.c_void_p(tensor.data_ptr()) for tensor in (score_maps, rois, logits)]
        threads = torch.get_num_threads()
        library.direct_sum(pointers[0], height, width, classes, bins, stride, pointers[1], len(rois), threads, pointers[2])
        return logits

    return run


def squares(case: cases.Case, side: int) -> Tensor:
    """The ROIs of a case, each a square of this side around its centre, moved into the image as far as it fits."""
    centre = (case.rois[:, 1:3] + case.rois[:, 3:5]) / 2
    most = torch.tensor([case.width - side, case.height - side]).clamp(min=0)
    corner = torch.minimum((centre - side / 2).clamp(min=0), most).round()
    return torch.cat([case.rois[:, :1], corner, corner + side - 1], dim=1)


def processor_medians(functions: list[Callable[[], object]], rounds: int = 15) -> list[float]:
    """Median milliseconds of processor time of several functions called in turns."""
    times = [[] for _ in functions]
    for turn in range(rounds + 1):
        for durations, function in zip(times, functions, strict=True):
            start = time.process_time()
            function()
            if turn > 0:
                durations.append((time.process_time() - start) * 1000)
    return [statistics.median(durations) for durations in times]


def logits_rows(case: cases.Case, name: str, rois: Tensor, direct: Callable) -> list[Row]:
    geometry = (cases.BINS, cases.GRID, cases.STRIDE)
    calls = [
        lambda: patent.class_logits(case.score_maps, rois, case.classes, *geometry),
        lambda: direct(case.score_maps, rois, case.classes, cases.BINS, cases.STRIDE),
        lambda: plain.class_logits(case.score_maps, rois, case.classes, *geometry),
    ]
    with torch.inference_mode():
        ours, theirs, eager = processor_medians(calls)
    device = device_name(CPU)
    return [
        Row("patent class_logits", name, device, "float32", ours, eager / ours),
        Row("the same, direct sum", name, device, "float32", theirs, eager / theirs),
    ]


def rows() -> list[Row]:
    """One CPU thread: on the road and COCO cases, and for ROIs of growing size."""
    direct, measured, threads = direct_sum(), [], torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for case in (cases.road(), cases.r101_coco()):
            measured += logits_rows(case, case.name, case.rois, direct)
        for side in SIDES:
            measured += logits_rows(case, f"{case.name}, {side}x{side}", squares(case, side), direct)
        return measured
    finally:
        torch.set_num_threads(threads)


def table(measured: list[Row]) -> str:
    lines = ["| ROIs | summed-area tables, ms | direct sum, ms | direct sum takes | plain PyTorch takes |", "|---" * 5 + "|"]
    for ours, direct in zip(measured[::2], measured[1::2], strict=True):
        ratio, eager = direct.median_ms / ours.median_ms, ours.ratio_to_eager
        lines.append(f"| {ours.case} | {ours.median_ms:.3g} | {direct.median_ms:.3g} | {ratio:.2f}x | {eager:.1f}x |")
    return "\n".join(lines)


if __name__ == "__main__":
    measured = rows()
    print(f"{measured[0].device}\n\n{table(measured)}")
