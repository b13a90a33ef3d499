"""Images per second of training, beside the loop of pytorch/examples `fast_neural_style`.

`upstream` is that script's algorithm: float32, the whole loss network on the photograph as well as on the image, each
batch decoded when it is needed. `float32` and `as shipped` are this package's loop, the second in whatever precision
`--mixed-precision auto` picks. All take the same steps in turn, in one process, whose allocator keeps freed memory for
all of them; upstream's script alone would not ask for that.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F
from tqdm import tqdm

from fns_lab import images, photos
from fns_lab.errors import InputError
from fns_lab.nets.transformer import TransformerNet
from fns_lab.nets.vgg import LossNetwork
from fns_lab.paths import DATA
from fns_lab.training.config import TrainConfig
from fns_lab.training.loop import Trainer
from fns_lab.training.losses import gram_matrix

STYLE = DATA / "style-images" / "mosaic.jpg"
WIDTHS = (32, 16)
CONTENDERS = ("upstream", "float32", "as shipped")
WARM_UP = 2
SETTLE_S = 0.5
"""Pause between two contenders, in which this package's loop decodes its next batch, not during the other's time."""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(runs=options.runs)


def run(*, widths: tuple[int, ...] = WIDTHS, image_size: int = 256, batch_size: int = 4, runs: int) -> dict:
    """Time `runs` steps of each contender at each width, interleaved.

    Returns a JSON object with `title`, `image_size`, `batch_size` and `rows`, one row per width and contender:

    - `width`: channels of the network's first layer
    - `contender`: `upstream`, `float32` or `as shipped`
    - `s_median`, `s_p10`, `s_p90`: median, tenth and ninetieth percentile of the seconds of one step
    - `arithmetic`: element type and layout; `content`, `style`: losses of the last step, None for upstream's
    - `images_per_s`: batch size over `s_median`
    - `ratio`: `images_per_s` over that of `upstream`; 2 is twice as fast
    - `right`: True; a loss that is not finite raises

    The title names device, threads, torch, and the peak memory of the `train` command at the first width.
    """
    rows: list[dict] = []
    for width in widths:
        rows += _rows(width, image_size, batch_size, runs)
        print(pd.DataFrame(rows[-len(CONTENDERS) :]).to_string(index=False, float_format="{:.3g}".format), flush=True)
    peak_gib = _peak_gib(widths[0], image_size, batch_size)
    return {
        "title": f"{image_size} px, batch {batch_size}, {_device()}, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}; peak memory {peak_gib:.2f} GiB at width {widths[0]}",
        "image_size": image_size,
        "batch_size": batch_size,
        "rows": rows,
    }


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


def _rows(width: int, image_size: int, batch_size: int, runs: int) -> list[dict]:
    config = {"max_steps": WARM_UP + runs, "image_size": image_size, "batch_size": batch_size, "num_channels": width}
    folder = photos.folder()
    contenders = {
        "upstream": _upstream(folder, width, image_size, batch_size),
        "float32": _seconds(plain := Trainer(TrainConfig(folder, STYLE, mixed_precision="no", **config))),
        "as shipped": _seconds(shipped := Trainer(TrainConfig(folder, STYLE, **config))),
    }
    assert tuple(contenders) == CONTENDERS
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    with tqdm(total=(WARM_UP + runs) * len(contenders), desc=f"width {width}", unit="step", leave=False) as bar:
        for _ in range(WARM_UP + runs):
            for name, steps in contenders.items():
                taken[name].append(next(steps))
                bar.update()
                bar.set_postfix({n: f"{np.median(s[WARM_UP:]):.2f} s" for n, s in taken.items() if len(s) > WARM_UP})
                time.sleep(SETTLE_S)
    trainers = {"float32": plain, "as shipped": shipped}
    median_s = {name: float(np.median(seconds[WARM_UP:])) for name, seconds in taken.items()}
    return [
        {
            "width": width,
            "contender": name,
            "s_median": median_s[name],
            "s_p10": float(np.percentile(seconds[WARM_UP:], 10)),
            "s_p90": float(np.percentile(seconds[WARM_UP:], 90)),
            "images_per_s": batch_size / median_s[name],
            "ratio": median_s["upstream"] / median_s[name],
            "arithmetic": str(shipped.arithmetic) if name == "as shipped" else "float32",
            "content": _last(trainers.get(name), "content"),
            "style": _last(trainers.get(name), "style"),
            "right": True,  # a loss of NaN or Inf would have raised
        }
        for name, seconds in taken.items()
    ]


def _last(trainer: Trainer | None, loss: str) -> float | None:
    """Return a loss of the last step; upstream's own loop keeps none."""
    return getattr(trainer.history.last, loss) if trainer else None


def _seconds(trainer: Trainer) -> Iterator[float]:
    for step in trainer:
        yield step.seconds


def _upstream(folder: Path, width: int, image_size: int, batch_size: int) -> Iterator[float]:
    """Yield the seconds of each step of upstream's algorithm."""
    device = _device()
    paths = sorted(folder.iterdir())
    net, loss_network = TransformerNet(width).to(device).train(), LossNetwork().to(device)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    style = torch.from_numpy(images.load(STYLE)).to(device).expand(batch_size, -1, -1, -1)
    style_grams = [gram_matrix(features) for features in loss_network(style)]
    for step in range(sys.maxsize):
        started = time.perf_counter()
        chosen = [paths[(step * batch_size + i) % len(paths)] for i in range(batch_size)]
        x = np.concatenate([images.load(path, size=(image_size, image_size)) for path in chosen])
        x = torch.from_numpy(x).to(device)
        optimizer.zero_grad()
        y = net(x)
        of_y, of_x = loss_network(y), loss_network(x)
        content = 1e5 * F.mse_loss(of_y.relu2_2, of_x.relu2_2)
        style_loss = sum(F.mse_loss(gram_matrix(f), g) for f, g in zip(of_y, style_grams, strict=True))
        (content + 1e10 * style_loss).backward()
        optimizer.step()
        if not torch.isfinite(content + style_loss):  # waits for a GPU, too
            raise InputError(f"upstream's loop: a loss of NaN or Inf at step {step + 1}")
        yield time.perf_counter() - started


def _device() -> torch.device:
    return torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")


def _peak_gib(width: int, image_size: int, batch_size: int) -> float:
    """Return the peak of a process of its own that takes three steps with the train command."""
    with tempfile.TemporaryDirectory() as out:
        flags = {"dataset": photos.folder(), "style-image": STYLE, "save-model-dir": out, "max-steps": 3}
        flags |= {"image-size": image_size, "batch-size": batch_size, "num-channels": width}
        argv = [text for flag, value in flags.items() for text in (f"--{flag}", str(value))]
        process = subprocess.Popen(
            [sys.executable, "-m", "fns_lab", "train", *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the train command ended with {process.returncode}")
    return _kib(usage) / 2**20


def _kib(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
