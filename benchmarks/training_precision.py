# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Time of a training step in bfloat16 and in float32, in turns, on the same batches of rendered images.

``python -m benchmarks.training_precision [--device cuda]`` prints the medians and their ratio for the road recipe
(``config/train_road_r18.json``): batch 4, crops of 448x576.
"""

import argparse
import copy
import dataclasses
import itertools

import torch

from benchmarks.measure import device_name, medians, versions
from fcis_ros.data.synthetic.scenes import SyntheticScenes
from fcis_ros.model.fcis import FCIS
from fcis_ros.training.batches import Batches
from fcis_ros.training.loop import train_step
from fcis_ros.training.state import new_state
from fcis_ros.training.train_config import TrainConfig

PRECISIONS, BATCHES = ("fp32", "bf16"), 4


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_precision", description=__doc__)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=120.0, help="duration of the measurement (default: %(default)s)")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    config = dataclasses.replace(TrainConfig.read("config/train_road_r18.json"), steps=10_000, synthetic=1.0)
    torch.manual_seed(config.seed)
    model = FCIS(config.model)
    batches = list(itertools.islice(Batches(config, (), SyntheticScenes(config.seed).sample).load(0, 1), BATCHES))

    def stepping(precision: str):
        state, turns = new_state(copy.deepcopy(model), config, device), itertools.cycle(batches)
        return lambda: train_step(state, next(turns), config, precision)

    fp32, bf16 = medians([stepping(precision) for precision in PRECISIONS], device, arguments.seconds, most=1000)
    print(f"{device_name(device)}, {versions()}")
    print(f"a step: fp32 {fp32:.0f} ms, bf16 {bf16:.0f} ms; fp32 takes {fp32 / bf16:.2f} times as long")


if __name__ == "__main__":
    main()
