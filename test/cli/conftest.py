# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""A tiny model, two images and what is annotated in them."""

import cv2
import numpy as np
import pytest
import torch
from cli_inputs import CONFIG, write_annotations

from fcis_ros.model import checkpoint
from fcis_ros.model.fcis import FCIS


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    """A tiny checkpoint with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    checkpoint.save(path, FCIS(CONFIG), {"trained_on": "nothing at all"})
    return path


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    return folder


@pytest.fixture
def annotations(tmp_path):
    path = tmp_path / "instances.json"
    write_annotations(path)
    return path
