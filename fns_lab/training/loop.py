"""Train a style network: one loop, run by accelerate on whatever device there is."""

from __future__ import annotations

import ctypes
import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fns_lab import images
from fns_lab.errors import InputError
from fns_lab.nets.transformer import TransformerNet
from fns_lab.nets.vgg import WEIGHTS, LossNetwork
from fns_lab.training import snapshots
from fns_lab.training.data import Photographs
from fns_lab.training.losses import PerceptualLoss

FAR_OUTPUT = 1e6
"""Outputs belong to 0..255; a network that is as far out as this is diverging, and its losses overflow soon."""


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
    loss_weights: Path | str = WEIGHTS
    """Of the loss network, as `LossNetwork` takes them."""

    def __post_init__(self) -> None:
        """Raises `InputError` for a weight or rate that no run could use."""
        for flag, value in (("--content-weight", self.content_weight), ("--style-weight", self.style_weight)):
            if not 0 <= value < math.inf:
                raise InputError(f"{flag} {value}: must be a number from 0 on")
        if not 0 < self.lr < math.inf:
            raise InputError(f"--lr {self.lr}: must be a number above 0")


@dataclass(frozen=True)
class Step:
    """What one step did. Losses are weighted; `seconds` is the whole step, data included."""

    step: int
    content: float
    style: float
    seconds: float


@dataclass(frozen=True)
class Stage:
    """The settings that may change when a run goes on, and the first step that they hold for."""

    first_step: int
    content_weight: float
    style_weight: float
    lr: float


@dataclass
class History:
    """What a run has been through, whatever the number of times it was stopped."""

    seconds: float = 0.0
    first: Step | None = None
    last: Step | None = None
    stages: list[Stage] = field(default_factory=list)

    def add(self, step: Step) -> None:
        self.seconds += step.seconds
        self.first, self.last = self.first or step, step

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> History:
        steps = {key: state[key] and Step(**state[key]) for key in ("first", "last")}
        return cls(seconds=state["seconds"], stages=[Stage(**stage) for stage in state["stages"]], **steps)


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
        self.last_checkpoint: Path | None = None
        self.accelerator = Accelerator()
        self.data = data or Photographs(config.dataset, config.image_size, config.batch_size, config.seed)
        style = _style_picture(config)
        self.fixed = _fixed(config, self.data, style)
        judge = LossNetwork(config.loss_weights)
        self.loss = PerceptualLoss(judge, torch.from_numpy(style), config.content_weight, config.style_weight)
        self.loss.to(self.accelerator.device)
        net = TransformerNet(config.num_channels)
        self.net, self.optimizer = self.accelerator.prepare(net, torch.optim.Adam(net.parameters(), config.lr))
        self.history = History(stages=[self._stage()])

    def __iter__(self) -> Iterator[Step]:
        """Yield a `Step` after each optimizer step until `max_steps`.

        Raises `InputError` before a step that a loss or gradient of NaN or Inf would spoil: the weights stay good.
        """
        self.net.train()
        while self.step < self.config.max_steps:
            started = time.perf_counter()
            x = torch.from_numpy(self.data.batch(self.step)).to(self.accelerator.device)
            self.optimizer.zero_grad()
            y = self.net(x)
            losses = self.loss(y, x)
            self.accelerator.backward(losses.total)
            content, style = losses.content.item(), losses.style.item()
            norm = torch.nn.utils.get_total_norm([p.grad for p in self.net.parameters()]).item()
            if not math.isfinite(content + style + norm):
                raise InputError(self._why_not_finite(y.detach(), content, style))
            self.optimizer.step()
            self.step += 1
            step = Step(self.step, content, style, time.perf_counter() - started)
            self.history.add(step)
            yield step

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The network's weights on the CPU, under upstream's names."""
        net = self.accelerator.unwrap_model(self.net)
        return {name: value.detach().cpu().clone() for name, value in net.state_dict().items()}

    def save(self, path: Path) -> None:
        """Write all that a later `load` needs; whole or not at all.

        No random state is in it: once the network has its first weights, only the batches are random, and a batch is
        a function of the seed and the step.
        """
        state = {
            "step": self.step,
            "net": self.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "fixed": self.fixed,
            "history": asdict(self.history),
            "config": {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.config).items()},
        }
        snapshots.write(state, path)
        self.last_checkpoint = path

    def load(self, path: Path) -> None:
        """Go on from a file that `save` wrote: from here on all is as if the run had never stopped.

        Number of steps, learning rate and the two loss weights may differ from the checkpoint's, so that a run can be
        prolonged and steered; `history` keeps what held when. Raises `InputError`, naming what differs, if anything
        else does, and for a file that is not whole or is past `max_steps`.
        """
        state = snapshots.read(path)
        if differs := snapshots.differences(state["fixed"], self.fixed):
            raise InputError(f"{path}: a checkpoint of another run: {'; '.join(differs)}")
        if state["step"] > self.config.max_steps:
            raise InputError(f"{path}: at step {state['step']}, past the last of this run, {self.config.max_steps}")
        self.step = state["step"]
        self.accelerator.unwrap_model(self.net).load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr
        self.history = History.from_dict(state["history"])
        if self._stage() != replace(self.history.stages[-1], first_step=self.step + 1):
            self.history.stages.append(self._stage())
        self.last_checkpoint = path

    def _stage(self) -> Stage:
        return Stage(self.step + 1, self.config.content_weight, self.config.style_weight, self.config.lr)

    def _why_not_finite(self, y: torch.Tensor, content: float, style: float) -> str:
        """The step, the likely cause and what to go on from, in one line."""
        config = self.config
        largest = y.abs().max().item()
        if not largest < FAR_OUTPUT:
            cause = f"the network's output has grown to {largest:.3g}, far from 0..255: try an --lr below {config.lr:g}"
        elif config.style_weight >= config.content_weight:
            cause = f"the style weight is too large for float32: try a --style-weight below {config.style_weight:g}"
        else:
            cause = (
                f"the content weight is too large for float32: try a --content-weight below {config.content_weight:g}"
            )
        last = self.last_checkpoint
        go_on = f"the last good checkpoint is {last}" if last else "there is no checkpoint to go on from yet"
        return f"content loss {content:.3g}, style loss {style:.3g} at step {self.step + 1}; {cause}; {go_on}"


def _style_picture(config: TrainConfig) -> np.ndarray:
    style = images.load(config.style_image)
    if config.style_size is None:
        return style
    return images.load(config.style_image, scale=min(style.shape[2:]) / config.style_size)


def _fixed(config: TrainConfig, data: Photographs, style: np.ndarray) -> dict[str, Any]:
    """What must not change when a run goes on, by flag.

    Photographs count by their names below the folder, the style by its pixels, so that both may be moved.
    """
    return {
        "--dataset": f"{len(data.paths)} pictures ({data.fingerprint})",
        "--style-image": f"{style.shape[2]}x{style.shape[3]} px ({hashlib.sha256(style).hexdigest()[:16]})",
        "--batch-size": config.batch_size,
        "--image-size": config.image_size,
        "--seed": config.seed,
        "--num-channels": config.num_channels,
        "--loss-weights": "shipped" if str(config.loss_weights).endswith(".safetensors") else "torchvision",
    }


def keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks: handing them back each step and faulting them in again can double its time."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    m_trim_threshold, m_mmap_max = -1, -4
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, -1)
