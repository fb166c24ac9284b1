# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The released FCIS in MXNet against this package, from image to voted masks, with the same weights.

MXNet 1.9.1 needs an old NumPy and therefore a separate Python (3.8 to 3.10 on x86-64):

    python3.8 -m venv mxnet && mxnet/bin/pip install mxnet==1.9.1 numpy==1.23.5 opencv-python-headless
    python -m experiments.mxnet.network mxnet/bin/python WEIGHTS.params IMAGE...

Where WEIGHTS.params does not exist it is made: random values under the official names and in the official shapes, with
statistics of normalisation that the first image has, and heads of a trained network's spread.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from fcis_ros import Predictor
from fcis_ros.cli.main import main as fcis

SCRIPT = Path(__file__).with_name("network_mxnet.py")


def mxnet(python: str, *arguments: object) -> str:
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # of another Python
    command = [python, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, check=True, env=clean, stdout=subprocess.PIPE, text=True).stdout


def compare(ours: dict, theirs: dict) -> None:
    for name in ("data", "rpn_cls_prob", "rpn_bbox_pred"):
        print(f"  {name}: largest difference {np.abs(ours[name] - theirs[name]).max():.2g}")
    distance = np.abs(ours["rois"][:, None] - theirs["rois"][None]).max(axis=2)
    pair, same = distance.argmin(axis=1), distance.min(axis=1) < 0.05
    worst = distance.min(axis=1)[same].max()
    print(f"  rois: {same.sum()} of {len(same)} in both within 0.05 px, of these the largest difference {worst:.2g}")
    for name in ("cls_prob", "seg_prob"):
        worst = np.abs(ours[name] - theirs[name][pair])[same].reshape(same.sum(), -1).max(axis=1)
        print(f"  {name}: largest difference of an ROI: median {np.median(worst):.2g}, 99% {np.percentile(worst, 99):.2g}")
    used, boxes, masks, scores = set(), [], [], []
    for i, score in enumerate(ours["scores"]):
        fits = [j for j in np.flatnonzero(theirs["labels"] == ours["labels"][i]) if j not in used]
        j = min(fits, key=lambda j: abs(theirs["scores"][j] - score), default=None)
        if j is None or abs(theirs["scores"][j] - score) > 1e-3:
            continue
        used.add(j)
        boxes.append(np.abs(ours["boxes"][i] - theirs["boxes"][j]).max())
        masks.append(np.abs(ours["masks21"][i] - theirs["masks21"][j]).max())
        scores.append(abs(theirs["scores"][j] - score))
    close = np.array(boxes) < 0.05
    print(
        f"  detections: {len(ours['scores'])} and {len(theirs['scores'])}, {len(boxes)} the same, "
        f"scores within {max(scores):.2g}; {close.sum()} boxes equal; masks21 within 1e-4: {(np.array(masks) < 1e-4).sum()}"
    )


def main() -> None:
    if len(sys.argv) < 4:
        raise SystemExit(__doc__)
    python, weights, *images = sys.argv[1:]
    threads = torch.get_num_threads()
    if not Path(weights).exists():
        mxnet(python, "make", weights, images[0], 81, 12)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = str(Path(folder) / "released.safetensors")
        assert fcis(["import-weights", weights, checkpoint]) == 0
        mxnet(python, "run", weights, folder, threads, *images)
        for number, image in enumerate(images):
            assert fcis(["predict", image, "--checkpoint", checkpoint, "--raw", f"{folder}/ours.npz"]) == 0
            print(Path(image).name)
            compare(dict(np.load(f"{folder}/ours.npz")), dict(np.load(f"{folder}/{number}.npz")))
        predictor = Predictor.from_checkpoint(checkpoint, device="cpu", precision="fp32")
        frame = np.random.default_rng(0).integers(0, 256, (600, 1000, 3), dtype=np.uint8)
        predictor(frame)
        ours, dense, heads = [], [], []
        for _ in range(3):  # in turns
            for _ in range(3):
                start = time.perf_counter()
                predictor(frame)
                ours.append((time.perf_counter() - start) * 1e3)
            for line in mxnet(python, "time", weights, threads, 3).splitlines():
                first, second = map(float, line.split())
                dense.append(first)
                heads.append(second)
    theirs = statistics.median(a + b for a, b in zip(dense, heads, strict=True))
    print(
        f"600x1000, {threads} threads, fp32, medians of {len(ours)}: MXNet {theirs:.0f} ms (convolutions "
        f"{statistics.median(dense):.0f}, pooling of two rounds {statistics.median(heads):.0f}; no proposals, no "
        f"voting), ours, the whole frame, {statistics.median(ours):.0f} ms: {theirs / statistics.median(ours):.2f}x"
    )


if __name__ == "__main__":
    main()
