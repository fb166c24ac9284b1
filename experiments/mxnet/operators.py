# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Our operators against the original's: stock MXNet's PSROIPooling and the group operators that follow it, on the same tensors.

MXNet 1.9.1 needs an old NumPy and therefore a separate Python (3.8 to 3.10 on x86-64):

    python3.8 -m venv mxnet && mxnet/bin/pip install mxnet==1.9.1 numpy==1.23.5
    python -m experiments.mxnet.operators mxnet/bin/python
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks import cases
from benchmarks.measure import Row, device_name, medians, table, write
from benchmarks.operators import roi_stage, train_stage
from fcis_ros import ops

GEOMETRY = (cases.BINS, cases.GRID, cases.STRIDE)


def released_order(maps: torch.Tensor, groups: int) -> np.ndarray:
    """[1, k*k*G', h, w] bin-major -> [1, G*k*k, h, w], the first G groups of every bin."""
    by_bin = maps[0].unflatten(0, (cases.BINS * cases.BINS, -1))[:, :groups]
    return by_bin.transpose(0, 1).flatten(0, 1)[None].contiguous().numpy()


def main() -> None:
    if len(sys.argv) != 2 or not Path(sys.argv[1]).exists():
        raise SystemExit(f"usage: python -m experiments.mxnet.operators MXNET_PYTHON\n\n{__doc__}")
    case = cases.r101_coco()
    labels = case.labels
    class_logits = ops.class_logits(case.score_maps, case.rois, case.classes, *GEOMETRY)
    mask_logits = ops.mask_logits(case.score_maps, case.rois, labels, *GEOMETRY)
    deltas = ops.box_deltas(case.box_maps, case.rois, *GEOMETRY)
    score_maps = case.score_maps.clone().requires_grad_()
    ops.class_logits(score_maps, case.rois[:300], case.classes, *GEOMETRY).square().sum().backward()
    with tempfile.TemporaryDirectory() as folder:
        np.savez(
            Path(folder) / "inputs.npz",
            score_maps=released_order(case.score_maps, 2 * case.classes),
            box_maps=released_order(case.box_maps, 4),
            rois=case.rois.numpy(),
            labels=labels.numpy(),
        )
        device = torch.device("cpu")
        before = medians([roi_stage(case), train_stage(case)], device)
        script = Path(__file__).with_name("operators_mxnet.py")
        clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # of another Python
        subprocess.run([sys.argv[1], script, folder, str(torch.get_num_threads())], check=True, env=clean)
        after = medians([roi_stage(case), train_stage(case)], device)
        theirs = np.load(Path(folder) / "outputs.npz")
        times = json.loads((Path(folder) / "times.json").read_text())
    for name, value, expected in (
        ("class logits", class_logits, theirs["scores"]),
        ("mask logits", mask_logits, theirs["pairs"]),
        ("box deltas", deltas, theirs["deltas"]),
        ("gradient of the score maps", torch.from_numpy(released_order(score_maps.grad, 2 * case.classes)), theirs["grad"]),
    ):
        worst = np.abs(value.detach().numpy() - expected).max()
        print(f"{name}: largest difference to MXNet {worst:.2g}, largest value {np.abs(expected).max():.2g}")
    ours = [(a + b) / 2 for a, b in zip(before, after, strict=True)]
    rows = []
    for (name, theirs_ms), mine in zip(times.items(), (ours[0], ours[0], ours[1]), strict=True):
        rows.append(Row(f"MXNet 1.9.1: {name}", case.name, device_name(device), "float32", theirs_ms))
        print(f"{name}: MXNet {theirs_ms:.0f} ms, ours {mine:.1f} ms: {theirs_ms / mine:.1f}x")
    names = ("roi_stage", "roi_stage forward+backward")
    rows += [Row(name, case.name, device_name(device), "float32", mine) for name, mine in zip(names, ours, strict=True)]
    print(table(rows))
    write("original", rows)


if __name__ == "__main__":
    main()
