"""Instance masks for robots and vehicles: FCIS in PyTorch, and a ROS 2 node around it."""

__version__ = "0.1.0"
__all__ = ["InputError", "Instances", "Predictor"]


def __getattr__(name: str):
    # Loaded on first use: the message decoders must not pay for PyTorch.
    if name == "Predictor":
        from fcis_ros.model.predictor import Predictor

        return Predictor
    if name == "Instances":
        from fcis_ros.structures import Instances

        return Instances
    if name == "InputError":
        from fcis_ros.errors import InputError

        return InputError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
