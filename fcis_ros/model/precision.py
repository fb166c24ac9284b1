"""In which precision the convolutions run: chosen by measurement on the machine at hand."""

import time

import torch
from torch import Tensor, nn

from fcis_ros.errors import InputError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
TRIALS = 3


def candidates(device: torch.device) -> list[str]:
    """Precisions that the device computes in hardware, ``fp32`` first."""
    if device.type == "cuda":
        return ["fp32", "fp16"] + (["bf16"] if torch.cuda.get_device_capability(device) >= (8, 0) else [])
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return ["fp32", "bf16"] if any(getattr(torch.cpu, probe, bool)() for probe in probes) else ["fp32"]


def cast(network: nn.Module, precision: str) -> None:
    """Converts the convolutions, in place; boxes and scores stay float32.

    Raises:
        InputError: no such precision.
    """
    if precision not in DTYPES:
        raise InputError(f"precision {precision!r}: expected auto, {', '.join(DTYPES)}")
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.to(DTYPES[precision])


def fastest(network: nn.Module, image: Tensor) -> str:
    """The precision in which ``network`` answers ``image`` soonest; leaves the network in float32.

    A precision that is at most 10 % faster than float32 is not worth its rounding.

    Args:
        network: a module of convolutions that takes the image.
        image: [1, 3, H', W'] on the device.
    """
    able = candidates(image.device)
    if len(able) == 1:
        return able[0]
    taken = {}
    for precision in able:
        cast(network, precision)
        taken[precision] = min(_seconds(network, image.to(DTYPES[precision])) for _ in range(TRIALS))
    cast(network, "fp32")
    best = min(taken, key=taken.get)
    return best if taken[best] < 0.9 * taken["fp32"] else "fp32"


def _seconds(network: nn.Module, image: Tensor) -> float:
    start = time.perf_counter()
    with torch.inference_mode():
        network(image)
    if image.device.type == "cuda":
        torch.cuda.synchronize(image.device)
    return time.perf_counter() - start
