"""The limits in quirks, shown in the real engines with ONNX's own node tests: one beyond the limit, one within."""

from __future__ import annotations

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.errors import RuntimeFault
from fns_lab.measure.matrix.run import run_case
from fns_lab.measure.matrix.variants import converted, loadable
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from fns_lab.targets import check
from fns_lab.targets.quirk_kinds import QUIRK_KINDS, limits
from tests.runtimes.graphs import graph, image, node

OLD = ("onnxjs-0.1.3/cpu", "onnxjs-0.1.4/wasm")
LAST = ("onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/webgl")
WEB = ("ort-web/webgl",)
EVERY = (*OLD, *LAST, *WEB)

SHOWN = {
    "no-empty-tensors": (EVERY, "reduce_max_empty_set", "reduce_max_keepdims_example"),
    "matrix-operands": (EVERY, "matmul_4d_1d", "matmul_2d"),
    "scalar-bias": (EVERY, "gemm_default_scalar_bias", "gemm_default_matrix_bias"),
    "float-powers": (LAST[2:], "pow_types_float32_int64", "pow"),
    "first-output-only": (WEB, "maxpool_with_argmax_2d_precomputed_pads", "maxpool_2d_precomputed_pads"),
    "one-input-dropout": ((*LAST, *WEB), "dropout_default_ratio", "identity"),
    "no-bias": ((*LAST[1:], *WEB), "gemm_default_no_bias", "gemm_default_matrix_bias"),
    "no-steps": ((*LAST, *WEB), "slice_neg_steps", "slice"),
    "no-omitted-inputs": (WEB, "clip_default_max", "clip"),
    "both-limits": (WEB, "clip_default_min", "clip"),
    "no-pad-axes": (WEB, "constant_pad_axes", "constant_pad"),
    "images-only": (WEB, "convtranspose_1d", "convtranspose"),
    "plain-pools": (WEB, "maxpool_2d_dilations", "maxpool_2d_default"),
    "whole-shape": (WEB, "shape_start_1", "shape"),
    "upsample-scales-input": (WEB, "upsample_nearest", "identity"),
}
"""Quirk: the targets to show it in, a node test that it touches, and one near it that is right."""
IN_FORMS = {"beyond-int32", "concat-of-one", "limits-before-the-first", "omitted-input", "scalar-results", "six-axes"}
"""Quirks of no node test, which test_quirks_forms.py shows."""


def test_every_bound_is_shown():
    kinds = {kind for kind, function in QUIRK_KINDS.items() if function.__module__ == limits.__name__}
    bounds = {q.name for name in EVERY for q in targets.load(name).quirks if q.kind in kinds}
    assert bounds == {*SHOWN, *IN_FORMS}


@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "target"), [(name, target) for name, (shown_in, *_) in SHOWN.items() for target in shown_in]
)
def test_bound(name, target, cases):
    _, touched, near = SHOWN[name]
    target = targets.load(target)
    quirk = next(quirk for quirk in target.quirks if quirk.name == name)
    case, neighbour = cases[f"test_{touched}"], cases[f"test_{near}"]
    variants = [loadable(case.model, target), converted(case.model, target).model]
    model = next(m for m in variants if m and quirk.summary in "; ".join(check(m, target).table.reason))
    assert run_case(case, model, target).result in ("wrong", "error")
    assert run_case(neighbour, converted(neighbour.model, target).model, target).result == "pass"


@pytest.mark.browser
@pytest.mark.parametrize("name", ["onnxjs-0.1.3/cpu", "onnxjs-0.1.8/wasm", "ort-web/webgl"])
def test_squeeze_without_axes_fails_and_states_them_when_lowered(name):
    x = image(1, 3, 1, 5)
    model, target = graph([node("Squeeze", "x", "y")], {"x": x}, outputs={"y": (3, 5)}, opset=11), targets.load(name)
    assert "unstated-axes" in [quirk.name for quirk in target.quirks] and not check(model, target)
    with pytest.raises(RuntimeFault), open_runner(model, name) as runner:
        runner.infer({"x": x})
    with open_runner(lower(model, target).model, name) as runner:
        np.testing.assert_array_equal(runner.infer({"x": x})["y"], x[0, :, 0])
