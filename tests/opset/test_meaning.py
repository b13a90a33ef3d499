"""A generated node converted to any older opset computes the same as before, or is refused with a reason."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from fns_lab.opset.convert import convert
from fns_lab.opset.nodes import NodeError
from tests.opset import cases_by_axis, cases_by_kernel
from tests.opset.generated import OLDEST, Case, opsets, schemas, signature, written

BY_OP: dict[str, list[Case]] = {}
for drawn in (*cases_by_axis.cases(), *cases_by_kernel.cases()):
    BY_OP.setdefault(drawn.op, []).append(drawn)
RELATIVE = 1e-5
"""Of the largest value: older kernels add in another order."""

NOT_DRAWN = {
    "has a subgraph": ("If", "Loop", "Scan", "SequenceMap"),
    "gives or takes no tensor": ("Optional", "OptionalGetElement", "OptionalHasElement", "SplitToSequence"),
    "is random": ("Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    "is a constant": ("Constant",),
    "has no kernel for one of its versions": ("GlobalLpPool", "MeanVarianceNormalization"),
    "only got more element types": ("DeformConv", "MaxRoiPool", "NegativeLogLikelihoodLoss", "NonMaxSuppression",
                                    "QLinearMatMul", "SoftmaxCrossEntropyLoss", "CastLike"),
    "is younger than every target": ("Attention",),
}  # fmt: skip


def test_every_op_whose_schema_changed_is_drawn():
    changed = {op for op, versions in schemas().items() if len(versions) > 1 and max(versions) > OLDEST + 1}
    assert changed - set(BY_OP) == set(itertools.chain(*NOT_DRAWN.values())) & changed


@pytest.mark.sampled(5)
@pytest.mark.parametrize("op", BY_OP)
def test_a_node_converted_to_an_older_opset_computes_the_same(op):
    runs, faults = 0, []
    for case in BY_OP[op]:
        for opset in opsets(op):
            for to_opset, fault in compared(case, opset):
                runs += 1
                if fault:
                    faults.append(f"{case.op} {case.attributes} of {case.inputs}, {opset} -> {to_opset}: {fault}")
    assert not faults, "\n".join(faults)
    assert runs, "no generated node ran both before and after"


def compared(case: Case, opset: int) -> Iterator[tuple[int, str]]:
    """Yield each older opset that the node is converted to, with what is wrong there; nothing if it is not valid."""
    try:
        proto = case.model(opset)
        before = run(proto, case.feeds())
    except Exception:  # any error of onnx, ONNX Runtime or the reference: the drawn node does not exist at this opset
        return
    for to_opset, model, is_new in converted(proto, opset):
        try:
            onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
            yield to_opset, difference(before, run(model, case.feeds())) if is_new else ""
        except Exception as error:  # as above: of whichever of them refuses the converted node
            yield to_opset, f"{type(error).__name__}: {error}"


def converted(proto: onnx.ModelProto, opset: int) -> Iterator[tuple[int, onnx.ModelProto, bool]]:
    """Yield each older opset that the node is converted to, the model there, and whether none before was alike.

    Models are alike if they state the same and the op's schemas differ in no more than element types.
    """
    node = ir.from_proto(proto).graph[0]
    versions, seen = set(), set()
    for to_opset in range(opset - 1, OLDEST - 1, -1):
        try:
            spec = convert(node, opset, to_opset)
        except NodeError:
            continue
        model = written(proto, spec, to_opset)
        stated = model.graph.SerializeToString(deterministic=True)
        op = onnx.defs.get_schema(spec.op_type, to_opset)
        alike = (str(signature(op)), stated)
        if (op.since_version, stated) not in versions:
            yield to_opset, model, alike not in seen
        versions.add((op.since_version, stated))
        seen.add(alike)


def run(proto: onnx.ModelProto, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the outputs in ONNX Runtime without its optimizer; where it has no kernel, in onnx's reference."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except ort_errors.NotImplemented:
        return ReferenceEvaluator(proto).run(None, feeds)
    return session.run(None, feeds)


def difference(before: list[np.ndarray], after: list[np.ndarray]) -> str:
    for a, b in zip(before, after, strict=True):
        if (a.dtype, a.shape) != (b.dtype, b.shape):
            return f"{b.dtype} {b.shape} in place of {a.dtype} {a.shape}"
        a, b = a.astype(np.float64), b.astype(np.float64)
        largest = np.abs(a[np.isfinite(a)]).max(initial=0)
        if not np.allclose(a, b, rtol=0, atol=RELATIVE * largest, equal_nan=True):
            return f"{b.tolist()} in place of {a.tolist()}"
    return ""
