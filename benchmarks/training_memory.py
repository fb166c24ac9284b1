# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Memory of training: ResNet-50 with COCO's classes, one image of 600x1000 with 20 objects, 300 proposals, float32.

``python -m benchmarks.training_memory`` prints what two steps of the released recipe take at most, everything included: Python,
PyTorch, weights, momentum, running average, gradients.
"""

import time

import torch

from benchmarks.measure import device_name, versions
from benchmarks.operators import resident_peak
from fcis_ros.config import ModelConfig
from fcis_ros.model.fcis import FCIS
from fcis_ros.training.augment import TrainItem
from fcis_ros.training.loop import train_step
from fcis_ros.training.state import new_state
from fcis_ros.training.train_config import TrainConfig

HEIGHT, WIDTH, OBJECTS = 600, 1000, 20


def item(classes: int) -> TrainItem:
    """An image of noise with rectangles, up to 300 pixels a side (seed 0)."""
    generator = torch.Generator().manual_seed(0)
    side = 40 + torch.rand(OBJECTS, 2, generator=generator) * 260
    corner = torch.rand(OBJECTS, 2, generator=generator) * (torch.tensor([WIDTH - 1.0, HEIGHT - 1.0]) - side)
    boxes = torch.cat([corner, corner + side], dim=1).round()
    masks = torch.zeros(OBJECTS, HEIGHT, WIDTH, dtype=torch.uint8)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes.int().tolist(), strict=True):
        mask[y1 : y2 + 1, x1 : x2 + 1] = 1
    labels = torch.randint(1, classes + 1, (OBJECTS,), generator=generator)
    image = torch.randn(3, HEIGHT, WIDTH, generator=generator) * 60
    return TrainItem(image, boxes, labels, masks, torch.zeros(HEIGHT, WIDTH, dtype=torch.uint8))


def main() -> None:
    model = ModelConfig.read("config/models/resnet50_coco.json")
    config = TrainConfig(model, steps=2, batch=1, crop=(HEIGHT, WIDTH), frozen_stages=2, frozen_norm=True, precision="fp32")
    torch.manual_seed(0)
    state = new_state(FCIS(model), config, torch.device("cpu"))
    one, start = item(len(model.class_names)), time.perf_counter()
    for _ in range(config.steps):
        train_step(state, [one], config, "fp32")
    seconds = (time.perf_counter() - start) / config.steps
    print(f"{device_name(torch.device('cpu'))}, {versions()}")
    print(f"at most {resident_peak() / 2**20:.2f} GB, {seconds:.1f} s a step")


if __name__ == "__main__":
    main()
