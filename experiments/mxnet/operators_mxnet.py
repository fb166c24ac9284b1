# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""The half of ``operators.py`` that runs in MXNet's Python: times the original's operator graph and writes its answers.

The group operators (max over a pair of groups, softmax over it, picking a group) are not part of stock MXNet;
stock operators with the same results replace them.
"""

import json
import os
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["MXNET_CPU_WORKER_NTHREADS"] = sys.argv[2]

import mxnet as mx
import numpy as np

BINS, GRID, SCALE = 7, 21, 0.0625


def pool(maps, rois, outputs):
    return mx.nd.contrib.PSROIPooling(
        data=maps, rois=rois, spatial_scale=SCALE, output_dim=outputs, pooled_size=GRID, group_size=BINS
    )


def scores_of(maps, rois):
    pooled = pool(maps, rois, maps.shape[1] // BINS**2)
    pairs = pooled.reshape((0, -4, -1, 2, GRID, GRID))
    return pairs, mx.nd.mean(mx.nd.max(pairs, axis=2), axis=(2, 3))


def picked(pairs, labels):
    """[R, C, 2, S, S] -> [R, 2, S, S] of each ROI's label."""
    return mx.nd.gather_nd(pairs, mx.nd.stack(mx.nd.arange(len(labels)), labels))


def inference(data):
    """Boxes of round one, scores and masks of both rounds: the per-ROI operators run twice, once a round."""
    half = data["rois"].shape[0] // 2
    deltas = mx.nd.mean(pool(data["box_maps"], data["rois"][:half], 4), axis=(2, 3))
    for rois in (data["rois"][:half], data["rois"][half:]):
        pairs, scores = scores_of(data["score_maps"], rois)
        probabilities = mx.nd.softmax(pairs, axis=2)
        labels = mx.nd.argmax(mx.nd.softmax(scores)[:, 1:], axis=1) + 1
        picked(probabilities, labels).wait_to_read()
    deltas.wait_to_read()


def training(data):
    rois, labels = data["rois"][:300], data["labels"][:300]
    for name in ("score_maps", "box_maps"):
        data[name].attach_grad()
    with mx.autograd.record():
        pairs, scores = scores_of(data["score_maps"], rois)
        wanted = picked(pairs, labels)
        deltas = mx.nd.mean(pool(data["box_maps"], rois, 4), axis=(2, 3))
        loss = scores.square().sum() + wanted.square().sum() + deltas.square().sum()
    loss.backward()
    mx.nd.waitall()


def median_ms(function, times=3):
    taken = []
    for _ in range(times + 1):
        start = time.perf_counter()
        function()
        mx.nd.waitall()
        taken.append((time.perf_counter() - start) * 1000)
    return sorted(taken[1:])[times // 2]


def main():
    folder = sys.argv[1]
    data = {name: mx.nd.array(value) for name, value in np.load(os.path.join(folder, "inputs.npz")).items()}
    rois = data["rois"]
    pairs, scores = scores_of(data["score_maps"], rois)
    data["score_maps"].attach_grad()
    with mx.autograd.record():
        loss = scores_of(data["score_maps"], rois[:300])[1].square().sum()
    loss.backward()
    np.savez(
        os.path.join(folder, "outputs.npz"),
        scores=scores.asnumpy(),
        pairs=picked(pairs, data["labels"]).asnumpy(),
        deltas=mx.nd.mean(pool(data["box_maps"], rois, 4), axis=(2, 3)).asnumpy(),
        grad=data["score_maps"].grad.asnumpy(),
    )
    times = {
        "PSROIPooling alone, both rounds": median_ms(
            lambda: [pool(data["score_maps"], r, 162) for r in (rois[:300], rois[300:])]
        ),
        "PSROIPooling and group operators, both rounds": median_ms(lambda: inference(data)),
        "forward+backward, 300 ROIs": median_ms(lambda: training(data), times=1),
    }
    with open(os.path.join(folder, "times.json"), "w") as file:
        json.dump(times, file)


if __name__ == "__main__":
    main()
