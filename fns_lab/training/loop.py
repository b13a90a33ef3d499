"""Train a style network: one loop, run by accelerate on any device and in any number of processes."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fns_lab import images
from fns_lab.errors import InputError, one_line
from fns_lab.nets import checkpoints
from fns_lab.nets.transformer import TransformerNet
from fns_lab.nets.vgg import LossNetwork
from fns_lab.process import keep_freed_memory
from fns_lab.training import snapshots
from fns_lab.training.config import TrainConfig
from fns_lab.training.data import Photographs
from fns_lab.training.device import BFLOAT16, CANDIDATES, PLAIN, Arithmetic, fastest
from fns_lab.training.history import History, Stage, Step
from fns_lab.training.losses import Losses, PerceptualLoss

SMALLEST_STYLE_PX = 16
"""Least height and width of a style image: the loss network halves both three times."""
FAR_OUTPUT = 1e6
"""An |output| as large as this, where 0..255 is meant, shows that the network diverges: its losses overflow soon."""


class Trainer:
    """A network, its optimizer and the number of steps taken; iterate it to train, `save` and `load` to resume.

    Under `accelerate launch` every process has one and trains on its share of each batch; their weights stay equal.
    Raises `InputError` for photographs, a style image or an `init` network that the run cannot use.
    """

    def __init__(self, config: TrainConfig) -> None:
        from accelerate import Accelerator

        keep_freed_memory()
        torch.manual_seed(config.seed)
        self.config = config
        self.step = 0
        self.is_stopping = False
        """True once the final step is done, or `ask_to_stop` was called in any process."""
        self.last_checkpoint: Path | None = None
        style = _style_image(config)  # before the photographs, which may take minutes to read
        self.accelerator = Accelerator()
        self.processes = self.accelerator.num_processes
        self.data = Photographs(config.dataset, config.image_size, self.processes * config.batch_size, config.seed)
        self.total = config.max_steps or config.epochs * self.data.steps_per_epoch
        device = self.accelerator.device
        self.arithmetic, self.gain = self._chosen_arithmetic(device)
        """How it computes, and if that was measured, how many times as fast as float32 in torch's usual layout."""
        self.fixed = _fixed(self, style)
        loss_network = LossNetwork(config.loss_weights)
        self.loss = PerceptualLoss(loss_network, torch.from_numpy(style), config.content_weight, config.style_weight)
        net = _first_network(config)
        self.loss.to(device).to(memory_format=self.arithmetic.memory_format)
        net.to(memory_format=self.arithmetic.memory_format)
        self.net, self.optimizer = self.accelerator.prepare(net, torch.optim.Adam(net.parameters(), config.lr))
        self.history = History(stages=[self._stage()])
        self._asked_to_stop = False

    @property
    def is_main(self) -> bool:
        """True in the one process that writes files and prints."""
        return bool(self.accelerator.is_main_process)

    def ask_to_stop(self) -> None:
        """End the iteration, in every process, after the current step."""
        self._asked_to_stop = True

    def __iter__(self) -> Iterator[Step]:
        """Yield a `Step` after each optimizer step, until step `total` or until asked to stop.

        Raises `InputError` when a loss or gradient is NaN or Inf, before the weights change.
        """
        self.net.train()
        self.is_stopping = self.step >= self.total
        started = time.perf_counter()
        for batch in self.data.batches(self.step, self.total, self.accelerator.process_index, self.processes):
            y, losses = self._backward(torch.from_numpy(batch).to(self.accelerator.device))
            content, style, asked = self._means(losses)
            norm = torch.nn.utils.get_total_norm([p.grad for p in self.net.parameters()]).item()
            if not math.isfinite(content + style + norm):
                raise InputError(self._why_not_finite(y, content, style))
            self.optimizer.step()
            self.step += 1
            self.is_stopping = asked or self.step == self.total
            step = Step(self.step, content, style, time.perf_counter() - started)
            self.history.add(step)
            yield step
            if self.is_stopping:
                return
            started = time.perf_counter()

    def _backward(self, x: torch.Tensor) -> tuple[torch.Tensor, Losses]:
        """Return the network's output and its losses; set the parameters' gradients to means over all processes."""
        x = x.contiguous(memory_format=self.arithmetic.memory_format)
        self.optimizer.zero_grad()
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.arithmetic.bf16):
            y = self.net(x)
            losses = self.loss(y, x)
        self.accelerator.backward(losses.total)
        return y.detach(), losses

    def _chosen_arithmetic(self, device: torch.device) -> tuple[Arithmetic, float | None]:
        """Return what the settings ask for; for `auto` what is fastest here, which the first process measures."""
        from accelerate.utils import broadcast_object_list

        precision = self.config.mixed_precision
        if precision != "auto":
            return (BFLOAT16 if precision == "bf16" else PLAIN), None
        measured = [fastest(device) if self.is_main else None]
        chosen: tuple[Arithmetic, float] = broadcast_object_list(measured)[0]
        return chosen

    def _use(self, arithmetic: Arithmetic) -> None:
        """Compute in another arithmetic from now on."""
        self.arithmetic, self.gain = arithmetic, None
        for module in (self.loss, self.accelerator.unwrap_model(self.net)):
            module.to(memory_format=arithmetic.memory_format)
        self.fixed["--mixed-precision"] = _precision(arithmetic)

    def _means(self, losses: Losses) -> tuple[float, float, bool]:
        """Return both losses, means over all processes, and whether any process was asked to stop."""
        asked = losses.content.new_tensor(float(self._asked_to_stop))
        own = torch.stack([losses.content.detach(), losses.style.detach(), asked])
        content, style, asked_fraction = self.accelerator.reduce(own, "mean").tolist()
        return content, style, asked_fraction > 0

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return a copy of the network's weights on the CPU, under upstream's names."""
        net = self.accelerator.unwrap_model(self.net)
        return {name: value.detach().cpu().clone() for name, value in net.state_dict().items()}

    def save(self, path: Path) -> None:
        """Write a checkpoint for `load`, atomically.

        It needs no random state: after the initial weights only the batches are random, and a batch depends on the seed
        and the step alone.
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
        """Resume from a checkpoint: the run then continues as if it had never stopped.

        The number of steps, the learning rate and the two loss weights may differ from the checkpoint's; `history`
        records which held when. With `mixed_precision` `auto` it computes as the checkpoint's run did. Raises
        `InputError` for any other difference, which it names, for a damaged file, and for a checkpoint past the final
        step of this run.
        """
        state = snapshots.read(path)
        try:
            self._take(state, path)
        except InputError:
            raise
        except Exception as error:  # the right keys with anything in them
            raise InputError(f"{path}: a checkpoint with wrong contents ({one_line(error)})") from None
        self.last_checkpoint = path

    def _take(self, state: dict[str, Any], path: Path) -> None:
        if self.config.mixed_precision == "auto":
            self._use(_arithmetic(state["fixed"].get("--mixed-precision")))
        if differs := snapshots.differences(state["fixed"], self.fixed):
            raise InputError(f"{path}: a checkpoint of another run: {'; '.join(differs)}")
        if state["step"] > self.total:
            raise InputError(f"{path}: at step {state['step']}, past the final step of this run, {self.total}")
        self.step = state["step"]
        self.accelerator.unwrap_model(self.net).load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:
            group["lr"] = self.config.lr
        self.history = History.from_dict(state["history"])
        if self._stage() != replace(self.history.stages[-1], first_step=self.step + 1):
            self.history.stages.append(self._stage())

    def _stage(self) -> Stage:
        return Stage(self.step + 1, self.config.content_weight, self.config.style_weight, self.config.lr)

    def _why_not_finite(self, y: torch.Tensor, content: float, style: float) -> str:
        """Return the step, the likely cause and the checkpoint to resume from, in one line."""
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
        path = self.last_checkpoint
        resume = f"the last good checkpoint is {path}" if path else "there is no checkpoint to resume from yet"
        return f"content loss {content:.3g}, style loss {style:.3g} at step {self.step + 1}; {cause}; {resume}"


def _style_image(config: TrainConfig) -> np.ndarray:
    style = images.load(config.style_image)
    if config.style_size is not None:
        style = images.load(config.style_image, scale=min(style.shape[2:]) / config.style_size)
    height, width = style.shape[2:]
    if min(height, width) < SMALLEST_STYLE_PX:
        least = f"{SMALLEST_STYLE_PX}x{SMALLEST_STYLE_PX}"
        raise InputError(
            f"{config.style_image}: {height}x{width} px is too small for a style image; give {least} or more"
        )
    return style


def _first_network(config: TrainConfig) -> TransformerNet:
    if config.init is None:
        return TransformerNet(config.num_channels)
    net = checkpoints.load(config.init)
    if net.width != config.num_channels:
        raise InputError(f"{config.init}: its width is {net.width}, but --num-channels is {config.num_channels}")
    return net


def _fixed(trainer: Trainer, style: np.ndarray) -> dict[str, Any]:
    """Return, by flag, the settings that must not change when a run is resumed.

    Photographs are identified by their names below the folder, the style image by its pixels, so both may be moved.
    """
    config, data = trainer.config, trainer.data
    in_processes = f" in each of {trainer.processes} processes" if trainer.processes > 1 else ""
    return {
        "--dataset": f"{len(data.paths)} images ({data.fingerprint})",
        "--style-image": f"{style.shape[2]}x{style.shape[3]} px ({hashlib.sha256(style.tobytes()).hexdigest()[:16]})",
        "--batch-size": f"{config.batch_size}{in_processes}",
        "--image-size": config.image_size,
        "--seed": config.seed,
        "--num-channels": config.num_channels,
        "--loss-weights": "shipped" if str(config.loss_weights).endswith(".safetensors") else "torchvision",
        "--mixed-precision": _precision(trainer.arithmetic),
    }


def _precision(arithmetic: Arithmetic) -> str:
    """Return how a checkpoint names an arithmetic."""
    if arithmetic in (PLAIN, BFLOAT16):
        return "bf16" if arithmetic.bf16 else "no"
    return str(arithmetic)


def _arithmetic(text: object) -> Arithmetic:
    """Return the arithmetic that `_precision` names so."""
    return next((arithmetic for arithmetic in CANDIDATES if _precision(arithmetic) == text), PLAIN)
