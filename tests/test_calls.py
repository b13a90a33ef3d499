"""Functions in a process of their own: values and errors come back, and a stop ends the process."""

from __future__ import annotations

import math
import os
import threading
import time

import psutil
import pytest

from fns_lab.calls import CallProcess, CallStopped


@pytest.fixture
def calls():
    process = CallProcess()
    yield process
    process.stop()


def test_returns_the_value_from_another_process_which_is_kept(calls):
    first = calls.call(os.getpid)
    assert first != os.getpid()
    assert calls.call(os.getpid) == first


def test_raises_what_the_function_raises_and_goes_on(calls):
    with pytest.raises(ValueError, match="math domain error|nonnegative"):
        calls.call(math.sqrt, -1.0)
    assert calls.call(math.sqrt, 4.0) == 2


def test_a_stop_ends_the_call_and_the_process(calls):
    process = psutil.Process(calls.call(os.getpid))
    threading.Timer(0.2, calls.stop).start()
    with pytest.raises(CallStopped):
        calls.call(time.sleep, 60)
    process.wait(10)
    assert calls.call(os.getpid) != process.pid
