"""Cases in the real engines: a sample of the shipped table, faults of pairs, and what is kept when a run stops."""

import dataclasses
import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest

from fns_lab import targets
from fns_lab.errors import InputError
from fns_lab.measure.matrix import cache, run
from fns_lab.measure.matrix.cases import Case, node_cases
from fns_lab.measure.matrix.pairs import PAIR_TARGETS, pair_cases, pairs_of, single_cases
from fns_lab.measure.matrix.shipped import NODES, read
from fns_lab.measure.matrix.variants import converted, lowered, native
from fns_lab.models import count_ops, opset
from fns_lab.paths import ROOT

EVERY_NTH = 40
"""Of the node tests, for the sample that runs in the suite."""


def test_cases_hold_constants_as_initializers(cases):
    assert len(cases) > 1200
    reduce = cases["test_reduce_mean_do_not_keepdims_example"]
    assert set(reduce.feeds) == {"data"}
    assert [tensor.name for tensor in reduce.model.graph.initializer] == ["axes"]
    assert cases["test_layer_normalization_2d_axis0_expanded"].op == "LayerNormalization"
    assert set(cases["test_add"].feeds) == {"x", "y"}
    assert all(
        np.float32 in {a.dtype.type for a in (*c.feeds.values(), *c.expected.values())} or c.model.graph.initializer
        for c in cases.values()
    )


def test_collecting_leaves_the_random_state_alone():
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    node_cases.__wrapped__()
    assert np.array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_converted_changes_the_opset_and_nothing_else(cases):
    case, target = cases["test_reduce_mean_do_not_keepdims_example"], targets.load("onnxjs-0.1.8/cpu")
    variant = converted(case.model, target)
    assert variant.supported
    assert (opset(case.model), opset(variant.model)) == (18, 7)
    assert count_ops(variant.model) == {"ReduceMean": 1}
    norm = cases["test_instancenorm_example"]
    assert converted(norm.model, targets.load("onnxjs-0.1.3/cpu")).reason == (
        "InstanceNormalization: the cpu backend has no InstanceNormalization"
    )
    assert "InstanceNormalization" not in count_ops(lowered(norm.model, targets.load("onnxjs-0.1.3/cpu")).model)


def test_native_is_written_by_onnx_where_that_is_possible(cases):
    target = targets.load("onnxjs-0.1.8/cpu")
    taken, reached, out_of_reach = (
        native(cases[name].model, target)
        for name in ("test_relu", "test_hardsigmoid", "test_reduce_mean_do_not_keepdims_example")
    )
    assert (opset(taken.model), taken.supported) == (14, True)
    assert (opset(reached.model), reached.supported) == (7, False)
    assert "converter" in reached.reason
    assert (opset(out_of_reach.model), out_of_reach.supported) == (18, False)


def test_a_case_that_cannot_be_written_at_that_opset_is_not_run(cases):
    variant = converted(cases["test_gelu_default_1"].model, targets.load("onnxjs-0.1.8/cpu"))
    assert variant.model is None
    assert "Gelu" in variant.reason


@pytest.mark.sampled(3)
@pytest.mark.browser
@pytest.mark.parametrize("target", ["onnxjs-0.1.8/wasm", "onnxjs-0.1.3/webgl", "ort-web/webgl"])
def test_a_sample_agrees_with_the_shipped_table(cases, target):
    sample = list(cases.values())[::EVERY_NTH]
    live = run.measure_cases(sample, [target], cached=False, progress=False).table
    keys = ["target", "case", "variant"]
    both = live.merge(read(NODES).table, on=keys, suffixes=("", "_shipped"))
    assert len(both) == 3 * len(sample)
    changed = both[both.supported & (both.result != both.result_shipped)]  # what a table refuses may run or not
    assert changed.empty, changed[[*keys, "result", "result_shipped", "message"]].to_string()
    assert (both.result == "pass").sum() > 10


@pytest.mark.browser
def test_pairs_show_what_no_single_op_does():
    alone = run.measure_cases(
        single_cases(["Reshape", "Relu", "Transpose"]), PAIR_TARGETS, cached=False, progress=False
    )
    assert (alone.table.result == "pass").all()
    pairs = pair_cases(pairs_of(["Reshape", "Neg"], ["Relu", "Transpose"]))
    table = run.measure_cases(pairs, PAIR_TARGETS, cached=False, progress=False).table
    wrong = table[table.result == "wrong"]
    assert set(zip(wrong.target, wrong["case"], wrong.variant, strict=True)) == {
        *(("ort-web/webgl", "chain Reshape > Relu", variant) for variant in ("native", "converted")),
        *(("onnxjs-0.1.8/webgl", "fork Reshape > Transpose", variant) for variant in ("native", "converted")),
    }
    assert not wrong.supported.any(), "the tables know"
    assert (table[table.variant == "lowered"].result == "pass").all()


@pytest.mark.browser
def test_the_other_cases_run_when_one_hangs(cases, monkeypatch):
    monkeypatch.setattr(run, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(run, "SECOND_TIMEOUT_S", 1.0)
    slow = slow_case()
    table = run.measure_cases([cases["test_relu"], slow, cases["test_abs"]], ["onnxjs-0.1.8/cpu"], cached=False).table
    assert list(table.result) == ["pass"] * 3 + ["error"] * 3 + ["pass"] * 3
    assert "gave no answer within 1 s" in table.message[3]


def test_a_bug_in_lowering_is_an_error_of_its_case_and_the_other_variants_run(cases, monkeypatch):
    def broken(model, target):
        raise KeyError("a bug")

    monkeypatch.setattr(run, "VARIANTS", {"native": native, "lowered": broken})
    matrix = run.measure_cases([cases["test_relu"]], ["ort/cpu"], cached=False)
    assert list(matrix.table.result) == ["pass", "error"]
    assert not matrix


def test_a_cached_result_is_read_and_a_changed_case_is_measured_again(cases, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "ResultCache", lambda target: cache.ResultCache(target, tmp_path))
    case = cases["test_relu"]
    first = run.measure_cases([case], ["ort/cpu"]).table
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text() + '["cut sho')
    monkeypatch.setattr(run, "run_case", lambda *_: pytest.fail("measured again"))
    assert run.measure_cases([case], ["ort/cpu"]).table.equals(first)
    other = dataclasses.replace(case, expected={"y": case.expected["y"] + 1})
    with pytest.raises(pytest.fail.Exception, match="measured again"):
        run.measure_cases([other], ["ort/cpu"])


IN_A_PROCESS = dataclasses.replace(targets.load("ort/cpu"), own_process=True)
TOO_SHORT_S = 1e-6


def test_an_engine_that_gave_no_answer_is_asked_once_more(cases, monkeypatch):
    monkeypatch.setattr(run, "TIMEOUT_S", TOO_SHORT_S)
    case = cases["test_relu"]
    assert run.run_case(case, case.model, IN_A_PROCESS).result == "pass"


def long_case():
    """Products of large matrices, which take an engine far longer than `TOO_SHORT_S`, however busy the machine is."""
    text = '<ir_version: 8, opset_import: ["": 18]> g (float[1600, 1600] x) => (float[1600, 1600] y) {' + (
        " a = MatMul(x, x) b = MatMul(a, x) c = MatMul(b, x) y = MatMul(c, x) }"
    )
    x = np.eye(1600, dtype=np.float32)
    return Case("long", "MatMul", onnx.parser.parse_model(text), {"x": x}, {"y": x})


def test_no_answer_is_not_read_from_the_file(tmp_path, monkeypatch):
    case = long_case()
    with monkeypatch.context() as busy:
        busy.setattr(run, "TIMEOUT_S", TOO_SHORT_S)
        busy.setattr(run, "SECOND_TIMEOUT_S", TOO_SHORT_S)
        results = cache.ResultCache(IN_A_PROCESS, tmp_path)
        lost = run.run_cached(case, case.model, IN_A_PROCESS, results)
        assert (lost.result, lost.answered) == ("error", False)
        assert "gave no answer" in lost.message
    assert run.run_cached(case, case.model, IN_A_PROCESS, results) == lost, "known in this process"
    again = run.run_cached(case, case.model, IN_A_PROCESS, cache.ResultCache(IN_A_PROCESS, tmp_path))
    assert again.result == "pass"
    key = results.key(case.model, case.feeds, case.expected)
    assert cache.ResultCache(IN_A_PROCESS, tmp_path).get(key) == again


def test_a_refusal_is_an_answer(cases, tmp_path):
    case = cases["test_relu"]
    unknown = type(case.model)()
    unknown.CopyFrom(case.model)
    unknown.graph.node[0].op_type = "NoSuchOp"
    refused = run.run_cached(case, unknown, IN_A_PROCESS, cache.ResultCache(IN_A_PROCESS, tmp_path))
    assert (refused.result, refused.answered) == ("error", True)
    key = cache.ResultCache(IN_A_PROCESS, None).key(unknown, case.feeds, case.expected)
    assert cache.ResultCache(IN_A_PROCESS, tmp_path).get(key).message == refused.message


def test_nothing_to_measure_is_refused():
    with pytest.raises(InputError, match="0 cases"):
        run.measure_cases([], ["ort/cpu"])


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_keeps_what_was_measured(cases, tmp_path):
    given, folder = tmp_path / "cases", tmp_path / "results"
    given.write_bytes(pickle.dumps(list(cases.values())))
    folder.mkdir()
    script = f"""
import pathlib, pickle
from fns_lab.measure.matrix import cache, run
run.ResultCache = lambda target: cache.ResultCache(target, pathlib.Path({str(folder)!r}))
run.measure_cases(pickle.loads(pathlib.Path({str(given)!r}).read_bytes()), ["ort/cpu"], progress=False)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as child:
        while not any(path.stat().st_size > 2000 for path in folder.iterdir()):
            assert child.poll() is None, child.communicate()
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        child.communicate(timeout=30)
    (path,) = folder.iterdir()
    assert 0 < len(path.read_text().splitlines()) < len(cases)


def slow_case():
    from fns_lab.measure.matrix.cases import Case
    from tests.runtimes.graphs import slow_model

    model, feeds = slow_model()
    return Case("slow", "Conv", model, feeds, {"y": np.zeros((1, 64, 192, 160), np.float32)})
