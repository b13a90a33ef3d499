"""The element types that ops take, measured in the engine."""

from fns_lab import targets
from fns_lab.measure.op_types import measure, taken


def test_a_type_counts_by_casts_only_where_the_casts_are_right():
    """OpenCV's Cast to uint32 leaves floats: Abs seems right between two of them, but is refused if fed uint32."""
    runs = measure(targets.load("opencv/cpu"), ["Abs"])
    unsigned = runs[runs.type == "UINT32"]
    assert set(unsigned.way) == {"fed"}
    assert not (unsigned.result == "pass").any()
    assert taken(runs) == {"Abs": ("FLOAT", "FLOAT16", "DOUBLE")}
