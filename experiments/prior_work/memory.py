# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Memory of one head on the CPU, in a separate process: ``SCALE HEAD CONFIG ROIS...`` -> JSON {ROIs: MB}."""

import json
import sys

import torch

from experiments.prior_work.heads import coco, road
from experiments.prior_work.measuring import peaks_here, prepare
from fcis_ros.config import ModelConfig

if __name__ == "__main__":
    torch.set_num_threads(1)
    key, name, config, *counts = sys.argv[1:]
    scale = coco() if key == "coco" else road(ModelConfig.from_dict(json.loads(config)))
    device = torch.device("cpu")
    print(json.dumps(peaks_here(prepare(name, scale, tuple(map(int, counts)), device), device)))
