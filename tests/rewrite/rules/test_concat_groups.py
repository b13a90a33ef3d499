import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("ort-web/webgl")
MOST = 16


@pytest.mark.parametrize("count", [MOST + 1, MOST**2, MOST**2 + 1])
def test_each_concat_reads_few(count):
    constants = {f"c{i}": values(2, i, 5) for i in range(1, 4)}
    inputs = [["x", *constants][i % 4] for i in range(count)]
    before = model([node("Concat", *inputs, "y", axis=1)], (2, 3, 5), constants)
    after = lower(before, TARGET).model
    assert set(ops(after)) == {"Concat"}
    assert max(len(each.input) for each in after.graph.node) <= MOST
    assert_same(before, after, values(2, 3, 5), EXACT)


def test_as_many_as_the_engine_reads_are_one_node():
    before = model([node("Concat", *["x"] * MOST, "y", axis=0)], (2, 3))
    assert ops(lower(before, TARGET).model) == ["Concat"]
