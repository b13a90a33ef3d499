"""The arithmetic in which the training device is fastest: float32 or bfloat16, channels last or not."""

from __future__ import annotations

import functools
import itertools
import time
from dataclasses import dataclass

import torch
from torch import nn

PROBE_S = 1.0
"""Seconds that the measurement takes, about; each candidate runs at least twice."""

PROBE_SHAPE = (2, 64, 64, 64)
"""Shape of the input of the measurement: that of the loss network's second convolution, on two small crops."""

CLEAR_GAIN = 1.15
"""Another arithmetic than float32 in torch's usual layout is taken if it is this many times as fast."""

HOPELESS = 3.0
"""A candidate that takes this many times as long as the fastest is not run again."""


@dataclass(frozen=True)
class Arithmetic:
    """How a network is trained.

    - `bf16`: whether convolutions compute in bfloat16, by autocast
    - `channels_last`: whether weights and images lie in memory with the channels last
    """

    bf16: bool = False
    channels_last: bool = False

    @property
    def memory_format(self) -> torch.memory_format:
        """Torch's name of the layout."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def __str__(self) -> str:
        return f"{'bfloat16' if self.bf16 else 'float32'}{', channels last' if self.channels_last else ''}"


PLAIN = Arithmetic()
"""The network computed in float32."""
BFLOAT16 = Arithmetic(bf16=True, channels_last=True)
"""The network computed in bfloat16, with channels last."""
CANDIDATES = (PLAIN, Arithmetic(channels_last=True), BFLOAT16)
"""What `auto` chooses from. bfloat16 in the usual layout was the slower of the two wherever it was tried."""


@functools.cache
def fastest(device: torch.device) -> tuple[Arithmetic, float]:
    """Return the fastest of `CANDIDATES` on a device, and how many times as fast as the first it is.

    Measured once per process: two convolutions forwards and backwards, the candidates in turn, the best time of each.
    """
    best = dict.fromkeys(CANDIDATES, float("inf"))
    end = time.perf_counter() + PROBE_S
    for count in itertools.count():
        for arithmetic, shortest in best.items():
            if count < 2 or shortest < HOPELESS * min(best.values()):
                seconds = _step_s(arithmetic, device)
                best[arithmetic] = min(shortest, seconds) if count else float("inf")  # the first run only warms up
        if count >= 2 and time.perf_counter() > end:
            break
    chosen = min(best, key=lambda arithmetic: best[arithmetic])
    gain = best[PLAIN] / best[chosen]
    return (chosen, gain) if gain >= CLEAR_GAIN else (PLAIN, 1.0)


def _step_s(arithmetic: Arithmetic, device: torch.device) -> float:
    """Return the seconds of one step of a small network."""
    net, x = _probe(arithmetic, device)
    _wait(device)
    started = time.perf_counter()
    with torch.autocast(device.type, torch.bfloat16, enabled=arithmetic.bf16):
        y = net(x)
    y.float().square().mean().backward()
    _wait(device)
    return time.perf_counter() - started


@functools.lru_cache(len(CANDIDATES))
def _probe(arithmetic: Arithmetic, device: torch.device) -> tuple[nn.Module, torch.Tensor]:
    channels = PROBE_SHAPE[1]
    with torch.random.fork_rng(devices=[]):
        net = nn.Sequential(nn.Conv2d(channels, channels, 3), nn.ReLU(), nn.Conv2d(channels, channels, 3))
        x = torch.rand(PROBE_SHAPE)
    net.to(device).to(memory_format=arithmetic.memory_format)
    return net, x.to(device, memory_format=arithmetic.memory_format).requires_grad_()


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
