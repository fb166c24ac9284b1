# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""``make bench``: measures everything that this machine can, prints a table, writes ``out/bench/*.json`` and a plot."""

import argparse
import json

import torch

from benchmarks import frame, operators, plot
from benchmarks.measure import OUT, Row, device_name, table, versions, write


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=device, help="cpu or cuda (default: %(default)s)")
    device = torch.device(parser.parse_args().device)
    print(f"{device_name(device)}, {versions()}")
    everything: list[Row] = []
    for name, measure in (("operators", operators.rows), ("growth", operators.growth), ("frame", frame.rows)):
        measured = measure(device)
        print(f"\n{table(measured)}", flush=True)
        write(name, measured)
        if name == "growth":
            plot.draw(measured, OUT / "growth.png")
        everything += measured
    if device.type == "cpu":
        ours, eager = operators.peak_memory("ops"), operators.peak_memory("plain")
        print("\npeak memory of roi_stage forward+backward, r101_coco: ", end="")
        print(f"{ours:.0f} MB, plain PyTorch {eager:.0f} MB, {eager / ours:.1f}x")
        (OUT / "memory.json").write_text(json.dumps({"case": "r101_coco", "peak_mb": ours, "eager_peak_mb": eager}) + "\n")
    (OUT / "machine.json").write_text(json.dumps({"device": device_name(device), **versions()}) + "\n")
    (OUT / "table.md").write_text(table(everything) + "\n")


if __name__ == "__main__":
    main()
