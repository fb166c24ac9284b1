"""In which precision a run convolves: weights, gradients' sums, targets and losses are float32 in any case.

| device                                         | auto |
|------------------------------------------------|------|
| CUDA, compute capability 8.0 or newer          | bf16 |
| CPU with AVX512_BF16 or AMX_BF16               | bf16 |
| any other                                      | fp32 |

Not fp16, which inference prefers on a GPU: its gradients underflow without a loss scale, bfloat16's do not.
"""

import torch

from fcis_ros.model.hardware import cpu_bf16_unit


def training_precision(name: str, device: torch.device) -> str:
    """``fp32`` and ``bf16`` as they are, ``auto`` by the table above."""
    if name != "auto":
        return name
    has_bf16 = torch.cuda.get_device_capability(device) >= (8, 0) if device.type == "cuda" else cpu_bf16_unit() is not None
    return "bf16" if has_bf16 else "fp32"
