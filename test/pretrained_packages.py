# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Installed packages of pretrained weights, as pip leaves them: METADATA, RECORD and files."""

from pathlib import Path
from typing import Any

import torch

from fcis_ros.config import ModelConfig
from fcis_ros.model.checkpoint import blueprint
from fcis_ros.training.pretrained import PACKAGES, original_names


def random_weights(backbone: str) -> dict[str, Any]:
    """Tensors under the original names, float32 (seed 0), and two of the classifier, which no backbone has."""
    generator = torch.Generator().manual_seed(0)
    network = blueprint(ModelConfig(("any",), backbone=backbone)).backbone.state_dict()
    weights = {
        theirs: torch.rand(network[name].shape, generator=generator) * 0.1 for name, theirs in original_names(backbone).items()
    }
    return {**weights, "_fc.bias": torch.zeros(1000), "_bn0.num_batches_tracked": torch.tensor(7)}


def install(folder: Path, backbone: str, version: str = "0.1.0", **files: Any) -> Path:
    """Installs a backbone's package into a folder, which a test puts onto ``sys.path``.

    Args:
        folder: folder that stands for site-packages.
        backbone: name of the backbone.
        version: version of the package.
        files: {name without ".pth": content}: bytes as they are, None for a file that is listed but gone, others by torch.save.

    Returns:
        Folder of the package's files.
    """
    package = folder / PACKAGES[backbone].replace("-", "_")
    about = folder / f"{package.name}-{version}.dist-info"
    for path in (package, about):
        path.mkdir(parents=True)
    record = [f"{about.name}/METADATA,,", f"{package.name}/README.md,,"]
    for name, content in files.items():
        record.append(f"{package.name}/{name}.pth,,")
        if isinstance(content, bytes):
            (package / f"{name}.pth").write_bytes(content)
        elif content is not None:
            torch.save(content, package / f"{name}.pth")
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGES[backbone]}\nVersion: {version}\n")
    (about / "RECORD").write_text("\n".join(record) + "\n")
    return package
