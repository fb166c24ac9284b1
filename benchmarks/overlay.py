# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Time of the node's pictures at 1080p with 20 instances: ``python -m benchmarks.overlay``.

CPU time on one core; where there is a GPU, also the time from an image on the host to a picture there, made on the GPU.
"""

import json
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch

from benchmarks.measure import OUT, device_name
from benchmarks.tracking import crowded
from fcis_ros import overlay


def medians(device: torch.device, clock: Callable[[], float]) -> dict[str, float]:
    """Milliseconds of every picture, one after the other in each round."""
    instances, ids = crowded(0), np.arange(1, 21, dtype=np.uint32)
    image = np.random.default_rng(0).integers(0, 256, (1080, 1920, 3), dtype=np.uint8)
    pictures = {
        "overlay": lambda: overlay.draw(image, instances, None, ids, device),
        "overlay without text": lambda: overlay.draw(image, instances, overlay.OverlayStyle(text=()), ids, device),
        "labels": lambda: overlay.label_map(instances, device),
        "labels in colours": lambda: overlay.colour_labels(instances, ids, device),
    }
    times: dict[str, list[float]] = {name: [] for name in pictures}
    for _ in range(100):
        for name, make in pictures.items():
            start = clock()
            make()
            times[name].append((clock() - start) * 1000)
    result = {name: statistics.median(values[10:]) for name, values in times.items()}
    print(f"ms at 1080p with 20 instances, {device_name(device)}: {result}")
    return result


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    results = {"cpu": medians(torch.device("cpu"), time.thread_time)}
    if torch.cuda.is_available():
        results["cuda"] = medians(torch.device("cuda"), time.perf_counter)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "overlay.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
