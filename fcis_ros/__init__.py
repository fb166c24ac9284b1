# Copyright 2026 fcis_ros maintainers
# SPDX-License-Identifier: Apache-2.0
"""Instance masks for robots and vehicles: FCIS in PyTorch, and a ROS 2 node around it."""

import importlib
import pkgutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what __getattr__ brings
    from fcis_ros.errors import InputError
    from fcis_ros.model.predictor import Predictor
    from fcis_ros.structures import Instances, Prediction

# The build generates fcis_ros.msg into the installed package. Python started in the source tree finds the sources first
# (`python -m fcis_ros` here, pytest); with this line it still finds the messages.
__path__ = pkgutil.extend_path(__path__, __name__)
__version__ = "0.1.0"
__all__ = ["InputError", "Instances", "Prediction", "Predictor"]
_MODULES = {
    "InputError": "fcis_ros.errors",
    "Instances": "fcis_ros.structures",
    "Prediction": "fcis_ros.structures",
    "Predictor": "fcis_ros.model.predictor",
}


def __getattr__(name: str) -> object:
    # Loaded on first use: the message decoders must not pay for PyTorch.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
