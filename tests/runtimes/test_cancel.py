"""A run that another thread ends is a RuntimeFault, and the next run gives the output."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from fns_lab.errors import RuntimeFault
from fns_lab.runtimes import open_runner
from tests.small_network import regular


def test_cancel_ends_a_run():
    large, little = (np.full((1, 3, length, length), 9, np.float32) for length in (2500, 8))
    with open_runner(regular(n=1, h="h", w="w"), "ort/cpu") as runner:
        runner.infer({"input": little})
        threading.Timer(0.15, runner.cancel).start()
        with pytest.raises(RuntimeFault):
            runner.infer({"input": large})
        assert runner.infer({"input": little})["output"].shape == little.shape
