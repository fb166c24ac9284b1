# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Timing of a call, the machine's copy bandwidth, and the rows that benchmarks print and write."""

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from fcis_ros.files import atomic_path

OUT = Path("out/bench")
CAPTURED = 20  # calls in a CUDA graph


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes:
        operator: name of the measured call.
        case: name of the inputs: ``r101_coco`` (8232x38x63 maps, 600 ROIs), ``road`` (the default model), or the size that a
            growth row varies.
        device: name of the processor or GPU, with the number of threads.
        dtype: dtype of the maps.
        median_ms: median time of a call; on a GPU, where it can be captured, of one call among 20 in a CUDA graph: the
            time of the GPU alone.
        ratio_to_eager: time of the same in plain PyTorch (``fcis_ros.ops.reference``) over ours, measured in turns; on a GPU
            both launched from Python.
        bytes: number of bytes that must be moved once: maps, ROIs and results.
        ratio_to_bandwidth: ``median_ms`` over the time that copying these bytes takes here.
        launched_ms: median time of a call launched from Python, on a GPU.
    """

    operator: str
    case: str
    device: str
    dtype: str
    median_ms: float
    ratio_to_eager: float | None = None
    bytes: int | None = None
    ratio_to_bandwidth: float | None = None
    launched_ms: float | None = None


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        facts = Path("/proc/cpuinfo").read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in facts if "model name" in line]
        model = names[0] if names else model
    threads = torch.get_num_threads()
    return f"{model}, {threads} thread{'s' * (threads > 1)}"


def once(function: Callable[[], object], device: torch.device) -> float:
    """Milliseconds of one call; on a GPU from when it is idle until it is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        function()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)
    start = time.perf_counter()
    function()
    return (time.perf_counter() - start) * 1000


def medians(functions: list[Callable[[], object]], device: torch.device, seconds: float = 1.0, most: int = 50) -> list[float]:
    """Median milliseconds of several functions called in turns, so that a busy machine slows all of them alike."""
    for function in functions:
        once(function, device)
    times = [[] for _ in functions]
    end = time.perf_counter() + seconds
    while len(times[0]) < 3 or (len(times[0]) < most and time.perf_counter() < end):
        for durations, function in zip(times, functions, strict=True):
            durations.append(once(function, device))
    return [statistics.median(durations) for durations in times]


def replayed(function: Callable[[], object], device: torch.device) -> float:
    """Median milliseconds of a call among ``CAPTURED`` in a CUDA graph, without the time of single launches."""
    stream = torch.cuda.Stream(device)
    stream.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(stream):
        function()  # libraries set themselves up outside the graph
    torch.cuda.current_stream(device).wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(CAPTURED):
            function()
    return medians([graph.replay], device)[0] / CAPTURED


def copy_bandwidth(device: torch.device) -> float:
    """Bytes per millisecond that a copy between two large tensors reads and writes together."""
    source = torch.ones(2**28 if device.type == "cuda" else 2**26, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    return 2 * source.numel() / medians([lambda: target.copy_(source)], device)[0]


def versions() -> dict[str, str]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    return {**versions, "commit": commit, "date": time.strftime("%Y-%m-%d")}


def write(name: str, rows: list) -> None:
    """Writes ``out/bench/NAME.json`` atomically."""
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / f"{name}.json"
    with atomic_path(path) as partial:
        partial.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    print(f"{len(rows)} rows in {path}", file=sys.stderr)


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| operator | case | device | dtype | median ms | from Python | plain PyTorch takes | over copy time |"]
    lines.append("|---" * 8 + "|")
    for row in rows:
        eager = f"{row.ratio_to_eager:.1f}x" if row.ratio_to_eager else ""
        copy = f"{row.ratio_to_bandwidth:.1f}x" if row.ratio_to_bandwidth else ""
        launched = f"{row.launched_ms:.3g}" if row.launched_ms else ""
        cells = (row.operator, row.case, row.device, row.dtype, f"{row.median_ms:.3g}", launched, eager, copy)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
