"""The history of a training run, across all the times that it was stopped and resumed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """The result of one training step.

    - `step`: its number, from 1
    - `content`: weighted content loss before the step, mean over all processes
    - `style`: weighted style loss before the step, mean over all processes
    - `seconds`: duration of the whole step, including the wait for its batch
    """

    step: int
    content: float
    style: float
    seconds: float


@dataclass(frozen=True)
class Stage:
    """A span of steps with the same settings; only these may change when a run is resumed.

    - `first_step`: the first step that used them
    - `content_weight`, `style_weight`: factors of the two losses
    - `lr`: learning rate of Adam
    """

    first_step: int
    content_weight: float
    style_weight: float
    lr: float


@dataclass
class History:
    """The history of a run.

    - `seconds`: total duration of all steps
    - `first`, `last`: the first and the latest step, None before any
    - `stages`: the settings of the run, in order
    """

    seconds: float = 0.0
    first: Step | None = None
    last: Step | None = None
    stages: list[Stage] = field(default_factory=list)

    def add(self, step: Step) -> None:
        """Count one more step."""
        self.seconds += step.seconds
        self.first, self.last = self.first or step, step

    @classmethod
    def from_dict(cls, state: dict[str, Any]) -> History:
        """Return the history that `dataclasses.asdict` turned into `state`."""
        steps = {key: state[key] and Step(**state[key]) for key in ("first", "last")}
        return cls(seconds=state["seconds"], stages=[Stage(**stage) for stage in state["stages"]], **steps)
