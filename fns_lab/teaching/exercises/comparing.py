"""The exercises on comparing: which value of a faulty model is wrong first (notebook 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fns_lab.teaching.exercise import Exercise
from fns_lab.teaching.kinds import Name
from fns_lab.teaching.networks import exported

if TYPE_CHECKING:
    from onnx import ModelProto


class FirstWrongValue(Exercise):
    """Which value of a faulty model is the first that is wrong? The student's number plants the fault."""

    KIND = Name("the name of a value, such as 'res1.conv1.conv2d'")
    NEAR = "the same module, another value of it"
    LOOK = "compare with the regular network, and see which op `localize` says introduced the error"

    def __init__(self, number: int) -> None:
        self.ID = f"05.{number}"  # type: ignore[misc]
        self.name = f"faulty model {number}"

    def given(self, student: int, parameters: Any) -> dict[str, Any]:
        return {"seed": student} | super().given(student, parameters)

    def answer(self, seed: int, size: tuple[int, int] = (64, 96)) -> str:
        return self._fault(seed, size)[0]

    def confirm(self, seed: int, size: tuple[int, int] = (64, 96)) -> str:
        return f"right: {self._fault(seed, size)[1]}"

    def _fault(self, seed: int, size: tuple[int, int]) -> tuple[str, str]:
        from fns_lab.teaching.faulty_models import exercise_set, fault_of

        model = exported(tuple(size))
        return fault_of(exercise_set(model, seed=seed)[self.name], model)

    def recognise(self, answer: str, **given: Any) -> str | None:
        right, model = self.answer(**given), exported(tuple(given.get("size", (64, 96))))
        values = {value for node in model.graph.node for value in node.output}
        if answer not in values:
            return "no value of the model has that name; the names of values are in the tables of the page"
        if answer in _ancestors(model, right):
            return "that value is still right; the fault comes after it"
        if right in _ancestors(model, answer):
            return "that value is wrong because its inputs are; the fault comes before it"
        return None


def _ancestors(model: ModelProto, value: str) -> set[str]:
    """Return the values from which `value` is computed."""
    reads = {output: set(node.input) for node in model.graph.node for output in node.output}
    found: set[str] = set()
    waiting = [value]
    while waiting:
        new = reads.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found
