"""What the training device can do."""

from __future__ import annotations

import torch


def multiplies_bf16(device: torch.device) -> bool:
    """Return whether the device has matrix units for bfloat16: a GPU's tensor cores, or AMX in a CPU.

    With AMX a step at width 32 takes less than half the time that it takes in float32.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu.get_capabilities().get("amx_bf16", False))
