"""Commands whose engine, in a process of its own, is stopped, crashes or never ends: an exit code, and nothing left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import numpy as np
import onnx
import psutil
import pytest
from onnx import TensorProto, helper

from fns_lab.paths import ROOT
from tests.runtimes.graphs import graph
from tests.runtimes.own_process import slow_model
from tests.runtimes.waiting import wait_until

START_S, GONE_S = 120.0, 60.0
LIMIT_S = 3.0

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")


def endless_model():
    """A Loop that adds a number some 2 * 10^9 times."""
    number = helper.make_tensor_value_info("v", TensorProto.FLOAT, ())
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["v", "x"], ["w"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, ()),
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            number,
        ],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, ()), helper.make_tensor_value_info("w", 1, ())],
    )
    feeds = {"x": np.float32(1)[...]}
    loop = helper.make_node("Loop", ["n", "yes", "x"], ["y"], body=body)
    constants = {"n": np.array(2**31 - 2), "yes": np.array(True)}
    return graph([loop], feeds, constants, outputs={"y": ()}, opset=13, ir_version=8), feeds


@contextlib.contextmanager
def command(folder, model, feeds, options=(), busy_s=3):
    """Yield the running command, and its engine's process once that used so many seconds of a core.

    `options` are those of the program itself.
    """
    onnx.save(model, folder / "model.onnx")
    np.savez(folder / "x.npz", **feeds)
    arguments = ["run", "model.onnx", "--target", "openvino/cpu", "--input", "x.npz", "-o", "y.npy"]
    with subprocess.Popen(
        [sys.executable, "-m", "fns_lab", *options, *arguments], cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, start_new_session=True, env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as started:  # fmt: skip
        here = psutil.Process(started.pid)
        try:
            assert wait_until(lambda: any(_busy_s(child) >= busy_s for child in here.children()), START_S)
            (engine,) = here.children()
            yield started, engine
        finally:
            started.kill()


def _busy_s(process) -> float:
    with contextlib.suppress(psutil.NoSuchProcess):
        return sum(process.cpu_times()[:2])
    return -1.0


def assert_ended(started, engine, folder, code):
    """Assert the exit code and that neither the engine nor a file is left; return what stderr has."""
    _, error = started.communicate(timeout=GONE_S)
    assert started.returncode == code, error
    assert wait_until(lambda: not engine.is_running() or engine.status() == psutil.STATUS_ZOMBIE, GONE_S)
    assert sorted(path.name for path in folder.iterdir()) == ["model.onnx", "x.npz"]
    assert "Traceback" not in error
    return error


def test_ctrl_c_while_the_engine_runs(tmp_path):
    with command(tmp_path, *slow_model()) as (started, engine):
        os.killpg(started.pid, signal.SIGINT)  # as a terminal sends it
        assert_ended(started, engine, tmp_path, 130)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT], ids=lambda number: number.name)
def test_an_engine_that_crashes_in_mid_run(tmp_path, number):
    with command(tmp_path, *slow_model()) as (started, engine):
        engine.send_signal(number)
        error = assert_ended(started, engine, tmp_path, 1)
    assert f"signal {int(number)} ({number.name})" in error


def test_an_engine_that_never_ends(tmp_path):
    limit = ["--limit", f"answer-seconds={LIMIT_S}"]
    with command(tmp_path, *endless_model(), limit, busy_s=0) as (started, engine):
        error = assert_ended(started, engine, tmp_path, 1)
    assert f"gave no answer within {LIMIT_S:g} s; `fns-lab --limit answer-seconds=N ...` or" in error
