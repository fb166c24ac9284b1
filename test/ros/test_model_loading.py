# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import hashlib
import subprocess
import sys

import numpy as np
import pytest

from fcis_ros.errors import InputError
from fcis_ros.model.checkpoint import default_checkpoint
from fcis_ros.ros import model_loading


def test_device_failure_gpu_without_answer_is_described(monkeypatch):
    import torch

    assert model_loading.device_failure(torch.device("cpu")) == ""

    def dead(device):
        raise RuntimeError("CUDA error: unspecified launch failure\nand more")

    monkeypatch.setattr(torch.cuda, "synchronize", dead)
    assert model_loading.device_failure(torch.device("cuda:0")) == "CUDA error: unspecified launch failure"
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    assert model_loading.device_failure(torch.device("cuda:0")) == ""


def test_load_reports_progress_and_digest_and_predictor_computes(tiny_checkpoint):
    steps = []
    predictor, digest = model_loading.load(str(tiny_checkpoint), "cpu", 0, "fp32", steps.append)
    assert [step[:3] for step in steps] == ["1/3", "2/3", "3/3"] and predictor.name == "tiny"
    assert digest == hashlib.sha256(tiny_checkpoint.read_bytes()).hexdigest()[:12]
    with pytest.raises(InputError, match="no such file"):
        model_loading.load("nowhere.safetensors", "cpu", 0, "fp32", steps.append)
    model_loading.free()
    images = [np.full((40, 60, 3), 90, np.uint8), np.full((50, 50, 3), 30, np.uint8)]
    first, second = predictor.predict(images, 0.1)
    assert (first.instances.height, second.instances.width) == (40, 50)
    assert first.ignored_rois == 0 and "backbone" in first.stage_ms


FREED = """
import gc
import warnings

import numpy as np
import torch

import fcis_ros.model.checkpoint
from fcis_ros.model.predictor import Predictor
from fcis_ros.ros import model_loading


def anonymous() -> int:
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))


before, image = anonymous(), np.full((360, 480, 3), 90, np.uint8)
for _ in range(3):
    predictor, _ = model_loading.load("", "cpu", 0, "fp32", lambda step: None)
    predictor(image)
    loaded = anonymous()
    del predictor
    model_loading.free()
    print(before, loaded, anonymous())
warnings.simplefilter("ignore")
print(sum(isinstance(entry, torch.Tensor) for entry in gc.get_objects()))
"""


def test_free_dropped_model_returns_memory():
    """In a separate process, in which nothing else allocates memory."""
    done = subprocess.run([sys.executable, "-c", FREED], capture_output=True, text=True, timeout=240, check=True)
    *cycles, tensors = done.stdout.splitlines()
    assert tensors == "0" and len(cycles) == 3
    before, loaded, freed = zip(*(map(int, cycle.split()) for cycle in cycles), strict=True)
    weights = default_checkpoint().stat().st_size // 1024  # kB; how much the frame needs beyond them differs from run to run
    for most, least in zip(loaded, freed, strict=True):
        assert most - least > weights and most - least > 0.5 * (most - before[0]), done.stdout
    assert freed[2] < 1.02 * freed[0], done.stdout  # what the first time leaves behind does not grow
