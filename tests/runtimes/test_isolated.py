"""An engine in a process of its own: a crash, a hang or too much memory is a fault, and the next call works."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from onnx import TensorProto, helper

from fns_lab.errors import InputError, RuntimeFault
from fns_lab.paths import ROOT
from fns_lab.runtimes import isolated, open_runner, shared_arrays
from fns_lab.runtimes.shared_arrays import LARGE_BYTES, SharedArrays
from tests.runtimes.graphs import graph, image, node, relu
from tests.runtimes.own_process import LAYERS, X, is_right, process_of, slow_model
from tests.runtimes.waiting import wait_until

TARGETS = ("opencv/cpu", "openvino/cpu", "tract/cpu")
HANG_S = 3.0
GONE_S = 20.0


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_process_killed_between_calls_is_started_again(name, number):
    with open_runner(relu(X), name) as runner:
        assert is_right(runner)
        os.kill(process_of(runner), number)
        assert wait_until(lambda: not runner._process.alive, GONE_S)
        assert is_right(runner)


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT])
def test_a_crash_in_mid_run_is_a_fault_that_names_the_signal(number):
    model, feeds = slow_model()
    with open_runner(model, "openvino/cpu") as runner:
        threading.Timer(0.5, os.kill, [process_of(runner), number]).start()
        died = rf"openvino/cpu .*{LAYERS} nodes.*signal {int(number)} \({number.name}\)"
        with pytest.raises(RuntimeFault, match=died):
            runner.infer(feeds)
    with open_runner(relu(X), "openvino/cpu") as runner:
        assert is_right(runner)


def test_a_real_panic_is_a_fault_with_the_engine_s_words():
    pads = {"p": np.array([0, 0, 0, -1, 0, 0, 0, -1])}
    model = graph([node("Pad", "x p", "y")], {"x": X}, pads, outputs={"y": (1, 3, 5, 5)}, opset=17, ir_version=8)
    with pytest.raises(RuntimeFault, match="signal 6"):
        open_runner(model, "tract/cpu").infer({"x": X})
    with open_runner(relu(X), "tract/cpu") as runner:
        assert is_right(runner)


def left_out(op, inputs, outputs, initializers=None, **attributes):
    """A model of one node, some of whose inputs or outputs have empty names, and a Relu of its last output."""
    nodes = [helper.make_node(op, inputs, outputs, **attributes), node("Relu", outputs[-1], "y")]
    return graph(nodes, {"x": X}, initializers, outputs={"y": None}, opset=20, ir_version=8)


PARTS = {"l": np.array([2, 2, 3])}
NORM = {name: np.ones(3, np.float32) for name in "gbmv"}
CRASHES_ORT = {
    "Split": left_out("Split", ["x", "l"], ["a", "", "c"], PARTS, axis=3),
    "Sum": left_out("Sum", ["x", "", "x"], ["z"]),
    "DFT": left_out("DFT", ["x", "", ""], ["z"]),
    "BatchNormalization": left_out(
        "BatchNormalization", ["x", "g", "b", "m", "v"], ["n", "", "z"], NORM, training_mode=1
    ),
    "LayerNormalization": left_out("LayerNormalization", ["x", "g", ""], ["z"], {"g": np.ones(7, np.float32)}),
}


@pytest.mark.parametrize("op", CRASHES_ORT)
def test_onnx_runtime_survives_the_models_that_crash_it(op):
    with pytest.raises(RuntimeFault, match="signal 11"):
        open_runner(CRASHES_ORT[op], "ort/cpu").infer({"x": X})


@pytest.mark.parametrize("declared", [0, "n"])
def test_onnx_runtime_survives_an_array_without_elements(declared):
    weights = {"w": image(1, 12, 4), "r": image(1, 12, 4)}
    model = graph(
        [node("GRU", "x w r", "y h", hidden_size=4)], {"x": X[0, :, :, :4]}, weights, outputs={"y": None}, opset=14,
        ir_version=8,
    )  # fmt: skip
    model.graph.input[0].type.tensor_type.shape.CopyFrom(
        helper.make_tensor_type_proto(TensorProto.FLOAT, (declared, 5, 4)).tensor_type.shape
    )
    runner = open_runner(model, "ort/cpu")
    with pytest.raises(RuntimeFault, match="signal 6"):
        runner.infer({"x": np.empty((0, 5, 4), np.float32)})
    if declared:
        assert runner.infer({"x": X[0, :, :, :4]})["y"].shape == (3, 1, 5, 4)


def test_ordinary_models_stay_in_this_process():
    ordinary = [
        relu(X),
        left_out("Clip", ["x", "", "h"], ["z"], {"h": np.float32(1)}),
        left_out("Resize", ["x", "", "s"], ["z"], {"s": np.ones(4, np.float32)}),
    ]
    for model in ordinary:
        with open_runner(model, "ort/cpu") as runner:
            assert not isinstance(runner, isolated.IsolatedRunner)
            runner.infer({"x": X})


def test_a_process_that_does_not_answer_is_a_fault_within_the_limit():
    runner = open_runner(relu(X), "tract/cpu", timeout_s=HANG_S)
    pid = process_of(runner)
    os.kill(pid, signal.SIGSTOP)
    start = time.monotonic()
    with pytest.raises(RuntimeFault, match="gave no answer within 3 s") as raised:
        runner.infer({"x": X})
    assert "--limit" not in str(raised.value), "a higher limit would not have helped"
    assert time.monotonic() - start < HANG_S + GONE_S
    assert not psutil.pid_exists(pid)
    assert is_right(runner)


def test_more_memory_than_the_machine_has_is_a_fault():
    shape = {"s": np.array([1 << 20, 1 << 16])}
    model = graph(
        [node("Expand", "x s", "y")], {"x": X[0, 0, 0, :1]}, shape, outputs={"y": (1 << 20, 1 << 16)}, opset=13,
        ir_version=8,
    )  # fmt: skip
    with pytest.raises(RuntimeFault):
        open_runner(model, "openvino/cpu").infer({"x": X[0, 0, 0, :1]})
    with open_runner(relu(X), "openvino/cpu") as runner:
        assert is_right(runner)


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_nothing_is_left_when_the_parent_is_killed():
    script = """
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import image, relu
runner = open_runner(relu(image(1, 3, 5, 7)), "tract/cpu")
print(runner._process._process.pid, flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        parent.kill()
    assert wait_until(lambda: not psutil.pid_exists(pid), GONE_S)


def test_wrong_feeds_are_bad_input_and_not_a_fault():
    with open_runner(relu(X), "tract/cpu") as runner:
        with pytest.raises(InputError, match="missing"):
            runner.infer({})
        assert is_right(runner)


def test_runners_share_one_process_and_closed_ones_are_forgotten():
    first, second = open_runner(relu(X), "tract/cpu"), open_runner(relu(X), "tract/cpu")
    assert process_of(first) == process_of(second)
    first.close()
    assert is_right(second)
    assert not second._process.forgotten


def test_many_runners_in_many_threads_agree():
    """They share one process, which a timer kills in mid-run: some calls are faults, none hangs or returns rubbish."""

    def work(seed):
        x, results = image(1, 3, 5, 7, mean=float(seed)), []
        for _ in range(10):
            try:
                with open_runner(relu(X), "tract/cpu") as runner:
                    results.append(np.array_equal(runner.infer({"x": x})["y"], np.maximum(x, 0)))
            except RuntimeFault as fault:
                results.append("signal 9" in str(fault))
        return results

    with open_runner(relu(X), "tract/cpu") as first, ThreadPoolExecutor(20) as pool:
        started = [pool.submit(work, seed) for seed in range(20)]
        os.kill(process_of(first), signal.SIGKILL)
        assert all(all(future.result(GONE_S)) for future in started)
        assert is_right(first)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
def test_a_forked_child_starts_a_process_of_its_own_and_leaves_its_parent_s_alone():
    script = """
import os, sys, threading
from fns_lab.runtimes import open_runner
from tests.runtimes.own_process import X, is_right, process_of, slow_model
from tests.runtimes.graphs import relu
runner = open_runner(relu(X), "tract/cpu")
theirs = process_of(runner)
def fork():
    if not (pid := os.fork()):
        os._exit(0 if is_right(runner) and process_of(runner) != theirs else 1)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
thread = threading.Thread(target=fork)
thread.start()
thread.join()
if not (pid := os.fork()):
    sys.exit(0)  # its atexit hooks run
os.waitpid(pid, 0)
print(is_right(runner), process_of(runner) == theirs)
"""
    result = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert result.stdout.split() == ["0", "True", "True"], result.stderr


def test_arrays_of_every_kind_survive_the_shared_memory():
    arrays = {
        "float16": np.array([[1.5, -2]], np.float16),
        "empty": np.empty((0, 3), np.int64),
        "scalar": np.float32(2.5)[...],
        "flags": np.array([True, False]),
        "text": np.array(["a", "bcd"], object),
        "bfloat16": np.array([1.5, 3], helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16)),
        "turned": np.arange(6.0).reshape(2, 3).T,
    }
    memory = SharedArrays.create()
    for size in (1, 1000):
        grown = arrays | {"large": np.arange(size)}
        result = memory.take(memory.write(grown))
        assert list(result) == list(grown)
        for name, array in grown.items():
            assert result[name].dtype == array.dtype
            np.testing.assert_array_equal(result[name], array)
    memory.close()


def test_an_array_in_use_is_not_overwritten_and_its_memory_is_used_again():
    memory = SharedArrays.create()
    size = LARGE_BYTES // 8
    first = memory.take(memory.write({"x": np.full(size, 1.0), "small": np.ones(3)}))
    part = first["x"][5:9]
    del first
    for number in (2.0, 3.0):
        later = memory.take(memory.write({"x": np.full(size, number)}, memory.held))
        assert set(later["x"]) == {number}
        assert set(part) == {1.0}
    size_bytes = os.fstat(memory.descriptor).st_size
    assert size_bytes < 4 * LARGE_BYTES
    del part, later
    gc.collect()
    assert not memory.held
    for _ in range(5):
        later = memory.take(memory.write({"x": np.zeros(size)}, memory.held))
    assert os.fstat(memory.descriptor).st_size == size_bytes
    memory.close()
    assert set(later["x"]) == {0.0}


def test_arrays_are_copied_once_much_is_in_use(monkeypatch):
    monkeypatch.setattr(shared_arrays, "MOST_HELD_BYTES", 2 * LARGE_BYTES)
    memory, arrays = SharedArrays.create(), []
    for number in range(4):
        arrays.append(memory.take(memory.write({"x": np.full(LARGE_BYTES, number, np.uint8)}, memory.held))["x"])
    assert len(memory.held) == 2
    assert [int(array[-1]) for array in arrays] == [0, 1, 2, 3]
    memory.close()


@pytest.mark.parametrize("name", TARGETS)
def test_large_outputs_stay_right_after_later_runs_and_after_the_process(name):
    x = image(1, 4, 300, 300, mean=0.0)
    runner = open_runner(relu(x), name)
    outputs = [runner.infer({"x": x + i})["y"] for i in range(3)]
    runner.cancel()
    for i, output in enumerate(outputs):
        np.testing.assert_array_equal(output, np.maximum(x + i, 0))
        output += 1  # it is the caller's own
