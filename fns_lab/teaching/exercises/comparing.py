"""The exercises on comparing: which value of a faulty model is wrong first (notebook 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fns_lab.teaching.exercise import Answer, Exercise, Outcome
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

    def assess(self, answer: Answer, seed: int, size: tuple[int, int] = (64, 96)) -> Outcome:
        from fns_lab.teaching.faulty_models import FAULTS, exercise_set

        model = exported(tuple(size))
        faulty = exercise_set(model, seed=seed)[self.name]
        node = next(b for a, b in zip(model.graph.node, faulty.graph.node, strict=True) if a != b)
        before = _ancestors(model, node.output[0]) & _values(model)
        after = {value for value in _values(model) if node.output[0] in _ancestors(model, value)}
        elsewhere = {answer.value} - _values(model)
        return answer.beside(
            node.output[0],
            *((value, "no value of the model has that name; tables of the page have the names") for value in elsewhere),
            *((value, "that value is still right; the fault comes after it") for value in before),
            *((value, "that value is wrong because its inputs are; the fault comes before it") for value in after),
            confirm=next(words for op, words, _ in FAULTS if op == node.op_type),
        )


def _values(model: ModelProto) -> set[str]:
    return {value for node in model.graph.node for value in node.output}


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
