# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""What the node's pictures cost at 1080p with 20 instances, on one core: ``python -m benchmarks.overlay``."""

import json
import statistics
import time

import cv2
import numpy as np
import torch

from benchmarks.measure import OUT, device_name
from benchmarks.tracking import crowded
from fcis_ros import overlay


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    found, ids = crowded(0), np.arange(1, 21, dtype=np.uint32)
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    pictures = {
        "overlay": lambda: overlay.draw(image, found, None, ids),
        "overlay without text": lambda: overlay.draw(image, found, overlay.OverlayStyle(text=()), ids),
        "labels": lambda: overlay.label_map(found),
        "labels in colours": lambda: overlay.colour_labels(found, ids),
    }
    times: dict[str, list[float]] = {name: [] for name in pictures}
    for _ in range(100):
        for name, make in pictures.items():
            start = time.thread_time()
            make()
            times[name].append((time.thread_time() - start) * 1000)
    medians = {name: statistics.median(own[10:]) for name, own in times.items()}
    print(f"CPU time in ms, 1080p, 20 instances, {device_name(torch.device('cpu'))}: {medians}")
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "overlay.json").write_text(json.dumps(medians, indent=1) + "\n")


if __name__ == "__main__":
    main()
