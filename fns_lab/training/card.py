"""Name a trained network and write its model card."""

from __future__ import annotations

import os
import platform
from itertools import pairwise
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from fns_lab.training.config import TrainConfig
    from fns_lab.training.history import Stage, Step
    from fns_lab.training.loop import Trainer


def result_name(config: TrainConfig) -> str:
    """Return the file name, without suffix, of the network that a run trains, such as `candy_nc16_b1_e2_1e05_1e10`.

    Its parts: style, width, batch size, epochs (or steps, `s800`), content weight, style weight.
    """
    length = f"s{config.max_steps}" if config.max_steps else f"e{config.epochs}"
    weights = "_".join(weight_text(weight) for weight in (config.content_weight, config.style_weight))
    return f"{config.style_image.stem}_nc{config.num_channels}_b{config.batch_size}_{length}_{weights}"


def weight_text(weight: float) -> str:
    """Return a loss weight as text: 1e5 as `1e05`, 2.5e9 as `2.5e09`."""
    mantissa, exponent = f"{weight:e}".split("e")
    return f"{float(mantissa):g}e{int(exponent):02d}"


def card(trainer: Trainer, name: str) -> str:
    """Return the model card as Markdown: data, settings, duration, machine, and the first and last losses."""
    config, data, history = trainer.config, trainer.data, trainer.history
    parameters = sum(value.numel() for value in trainer.state_dict().values())
    style_size = f", scaled to {config.style_size} px" if config.style_size else ""
    rows = {
        "network": f"`TransformerNet({config.num_channels})`, {parameters:,} parameters",
        "style image": f"`{config.style_image.name}`{style_size}",
        "photographs": f"{len(data.paths)} in `{data.folder.resolve().name}`; {len(data.skipped)} skipped because "
        "unreadable; random crops, half of them mirrored",
        "steps": f"{trainer.step}, {trainer.step / data.steps_per_epoch:.3g} times through the photographs",
        "initial weights": f"those of `{config.init.name}`" if config.init else "random",
        "batch, crop": f"{trainer.fixed['--batch-size']}, {config.image_size} x {config.image_size} px",
        "loss network": f"VGG-16, {trainer.fixed['--loss-weights']} weights",
        "optimizer": f"Adam, seed {config.seed}, {'bfloat16 autocast' if trainer.arithmetic.bf16 else 'float32'}",
        **_stage_rows(history.stages, trainer.step),
        "time": f"{_time_text(history.seconds)} in steps, {history.seconds / max(1, trainer.step):.2f} s per step",
        "machine": _machine(trainer.accelerator.device),
    }
    table = "\n".join(f"| {key} | {value} |" for key, value in rows.items())
    losses = "\n".join(_loss_row(step) for step in (history.first, history.last) if step)
    return f"""# {name}

| | |
|---|---|
{table}

Weighted losses of single steps:

| step | content | style |
|---|---|---|
{losses}
"""


def _stage_rows(stages: list[Stage], last_step: int) -> dict[str, str]:
    """Return one row per span of steps with the same loss weights and learning rate."""
    ends = [after.first_step - 1 for _, after in pairwise(stages)] + [last_step]
    return {
        f"steps {stage.first_step} to {end}": f"content weight {weight_text(stage.content_weight)}, "
        f"style weight {weight_text(stage.style_weight)}, learning rate {stage.lr:g}"
        for stage, end in zip(stages, ends, strict=True)
        if stage.first_step <= end
    }


def _loss_row(step: Step) -> str:
    return f"| {step.step} | {step.content:.3g} | {step.style:.3g} |"


def _time_text(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _machine(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}"
    threads = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    return f"{device.type.upper()} ({platform.machine()}, {threads}), torch {torch.__version__}"
