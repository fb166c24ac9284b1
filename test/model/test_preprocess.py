# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from fcis_ros import ops
from fcis_ros.config import ModelConfig
from fcis_ros.model.preprocess import Original, normalise, preprocess, resize_scale

RELEASED = ModelConfig(class_names=("car",))


@pytest.mark.parametrize(
    ("size", "resized"),
    [((480, 640), (600, 800)), ((360, 480), (600, 800)), ((1080, 1920), (562, 1000)), ((600, 1000), (600, 1000))],
)
def test_preprocess_size_of_the_input_tensor(size, resized):
    tensor, original = preprocess(np.zeros((*size, 3), np.uint8), RELEASED)
    assert tensor.shape == (1, 3, *resized)
    assert original == Original(*size, resize_scale(*size, RELEASED))


def test_normalise_mean_is_rgb():
    tensor, _ = preprocess(np.full((600, 1000, 3), (200, 100, 50), np.uint8), RELEASED)
    expected = torch.tensor([200 - 123.15, 100 - 115.90, 50 - 103.06])
    assert torch.allclose(tensor[0, :, 300, 500], expected, atol=1e-4)


def test_normalise_bytes_equal_floats():
    image = np.arange(256 * 3, dtype=np.uint8).reshape(16, 16, 3)
    for config in (RELEASED, ModelConfig(class_names=("car",), mean=(116, 118, 119), std=(58, 57, 56))):
        expected = normalise(image, config)
        assert torch.equal(normalise(image.astype(np.float32), config), expected)


def test_preprocess_gpu_operator_equals_the_cpu():
    """Its operator, here on the CPU; that the kernel gives the same is test_network_input's."""
    image = np.random.default_rng(0).integers(0, 256, (361, 479, 3), dtype=np.uint8)
    expected, original = preprocess(image, RELEASED)
    data = torch.from_numpy(image).reshape(-1)
    found = ops.network_input(data, "rgb8", 361, 479, 3 * 479, original.scale, RELEASED.mean, RELEASED.std)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_preprocess_is_channels_last_on_the_device(device, recwarn):
    image = np.zeros((600, 1000, 3), np.uint8)
    image.flags.writeable = False  # as what comes from a message may be
    for pixels in (image, image[::2, ::2], image[:, ::-1]):
        tensor, _ = preprocess(pixels, RELEASED, torch.device(device))
        assert tensor.device.type == device and tensor.dtype == torch.float32
        assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert not recwarn.list
