"""Write the losses of every step to a CSV file, and plot them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.files import atomic_write, write_text

if TYPE_CHECKING:
    from fns_lab.training.history import Step

CSV = "losses.csv"
"""File of the losses in a run's folder, step by step."""
PNG = "losses.png"
"""File of the plot of the losses."""
HEADER = "step,content,style,seconds\n"
"""First line of the CSV file."""
SMOOTHED_OVER = 1 / 50
"""Window of the plot's moving mean, as a fraction of all steps."""


class LossLog:
    """A CSV file that gets one line per step; use it as a context manager.

    - `step`: number of the step, from 1
    - `content`: weighted content loss, mean over all processes
    - `style`: weighted style loss, mean over all processes
    - `seconds`: duration of the step

    An existing file is cut back to the lines up to `step`, because the run repeats the later ones; an incomplete last
    line goes as well.
    """

    def __init__(self, path: Path, step: int) -> None:
        kept = _whole_lines(path, step) if step else []
        write_text(path, HEADER + "".join(kept))
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND)

    def add(self, step: Step) -> None:
        """Append the line of one step."""
        line = f"{step.step},{step.content:.7g},{step.style:.7g},{step.seconds:.4f}\n"
        os.write(self._file, line.encode())  # one call, so that a killed run leaves no part of a line

    def __enter__(self) -> LossLog:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def plot(csv: Path, png: Path) -> None:
    """Plot both losses over the steps of `csv` into `png`, log scale: every step faint, a moving mean strong."""
    import pandas as pd
    from matplotlib.figure import Figure

    losses = pd.read_csv(csv, index_col="step")[["content", "style"]]
    smooth = losses.rolling(max(1, round(len(losses) * SMOOTHED_OVER)), min_periods=1).mean()
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    for name, colour in (("content", "#0072B2"), ("style", "#D55E00")):
        axes.plot(losses.index, losses[name], color=colour, alpha=0.25, linewidth=0.8)
        axes.plot(smooth.index, smooth[name], color=colour, label=name)
    axes.set(xlabel="step", ylabel="weighted loss", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    with atomic_write(png) as temporary:
        figure.savefig(temporary, format="png", dpi=120)


def _whole_lines(path: Path, step: int) -> list[str]:
    """Return the complete lines of steps up to `step`, in order."""
    if not path.is_file():
        return []
    lines = path.read_text(errors="replace").splitlines(keepends=True)
    return [line for line in lines[1:] if line.endswith("\n") and int(line.split(",")[0]) <= step]
