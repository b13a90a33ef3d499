"""Train a style network: one loop, run by accelerate on whatever device there is."""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from fns_lab import images
from fns_lab.errors import InputError
from fns_lab.files import whole_file
from fns_lab.nets.transformer import TransformerNet
from fns_lab.nets.vgg import LossNetwork
from fns_lab.training.data import Photographs
from fns_lab.training.losses import PerceptualLoss


@dataclass(frozen=True)
class TrainConfig:
    """What a run depends on; the names are upstream's flags."""

    dataset: Path
    style_image: Path
    max_steps: int
    batch_size: int = 4
    image_size: int = 256
    style_size: int | None = None
    """Shorter side of the style picture in pixels; None keeps its own."""
    content_weight: float = 1e5
    style_weight: float = 1e10
    lr: float = 1e-3
    seed: int = 42
    num_channels: int = 32


@dataclass(frozen=True)
class Step:
    """What one step did. Losses are weighted; `seconds` is the whole step, data included."""

    step: int
    content: float
    style: float
    seconds: float


class Trainer:
    """Holds network, optimizer and position; iterate it to train, `save` and `load` to stop and go on.

    `data` spares reading the folder a second time; it must be of the config's folder, crop, batch and seed.
    """

    def __init__(self, config: TrainConfig, data: Photographs | None = None) -> None:
        from accelerate import Accelerator

        keep_freed_memory()
        torch.manual_seed(config.seed)
        self.config = config
        self.step = 0
        self.accelerator = Accelerator()
        self.data = data or Photographs(config.dataset, config.image_size, config.batch_size, config.seed)
        style = images.load(config.style_image)
        if config.style_size is not None:
            style = images.load(config.style_image, scale=min(style.shape[2:]) / config.style_size)
        self.loss = PerceptualLoss(LossNetwork(), torch.from_numpy(style), config.content_weight, config.style_weight)
        self.loss.to(self.accelerator.device)
        net = TransformerNet(config.num_channels)
        self.net, self.optimizer = self.accelerator.prepare(net, torch.optim.Adam(net.parameters(), config.lr))

    def __iter__(self) -> Iterator[Step]:
        """Yield a `Step` after each optimizer step until `max_steps`. Raises `InputError` on a loss of NaN or Inf."""
        self.net.train()
        while self.step < self.config.max_steps:
            started = time.perf_counter()
            x = torch.from_numpy(self.data.batch(self.step)).to(self.accelerator.device)
            self.optimizer.zero_grad()
            losses = self.loss(self.net(x), x)
            self.accelerator.backward(losses.total)
            content, style = losses.content.item(), losses.style.item()
            if not math.isfinite(content + style):
                raise InputError(
                    f"the loss is {content + style} at step {self.step}: try a lower --lr or --style-weight, "
                    "and go on from the last checkpoint with --resume"
                )
            self.optimizer.step()
            self.step += 1
            yield Step(self.step, content, style, time.perf_counter() - started)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The network's weights on the CPU, under upstream's names."""
        net = self.accelerator.unwrap_model(self.net)
        return {name: value.detach().cpu().clone() for name, value in net.state_dict().items()}

    def save(self, path: Path) -> None:
        """Write everything a later `load` needs; whole or not at all."""
        state = {
            "step": self.step,
            "net": self.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "config": {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.config).items()},
        }
        with whole_file(path) as temporary:
            torch.save(state, temporary)

    def load(self, path: Path) -> None:
        """Go on from a file that `save` wrote."""
        state = torch.load(path, map_location="cpu", weights_only=True)
        self.step = state["step"]
        self.accelerator.unwrap_model(self.net).load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])


def keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks: handing them back each step and faulting them in again can double its time."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    m_trim_threshold, m_mmap_max = -1, -4
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, -1)
