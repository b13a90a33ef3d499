"""What a run has been through, whatever the number of times it was stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Step:
    """What one step did. Losses are weighted, means over all processes; `seconds` is the whole step, data included."""

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
    """The time in steps, the first and the last step, and every stage."""

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
