"""The runners that belong to no target have the same interface."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from fns_lab import targets
from fns_lab.errors import InputError, RuntimeFault
from fns_lab.runtimes import open_runner
from fns_lab.runtimes.reference import ReferenceRunner
from fns_lab.runtimes.torch_runner import TorchRunner
from tests.runtimes.graphs import image, relu

X = image(2, 3, 5, 7, mean=0.0)


def test_torch_runs_in_eval_mode():
    net = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.ReLU())
    with TorchRunner(net) as runner:
        outputs = runner.infer({"input": X})
        assert runner.ms > 0
        with pytest.raises(InputError, match="the network takes 'input', not"):
            runner.infer({"x": X})
    np.testing.assert_array_equal(outputs["output"], np.maximum(X, 0))


def test_reference_evaluator():
    with ReferenceRunner(relu(X)) as runner:
        np.testing.assert_array_equal(runner.infer({"x": X})["y"], np.maximum(X, 0))
        assert runner.ms > 0
        with pytest.raises(InputError, match="input 'x' .* is missing"):
            runner.infer({})


def test_reference_evaluator_names_an_unknown_op():
    model = relu(X)
    model.graph.node[0].op_type = "Swirl"
    with pytest.raises(RuntimeFault, match=r"onnx reference, model 'small' \(1 node\): .*Swirl"):
        ReferenceRunner(model).infer({"x": X})


def test_a_misspelt_runtime_of_a_target_is_named():
    misspelt = dataclasses.replace(targets.load("ort/cpu"), runtime="orrt")
    with pytest.raises(InputError, match="unknown runtime 'orrt' in its file; there are: ort, opencv"):
        open_runner(relu(X), misspelt)
