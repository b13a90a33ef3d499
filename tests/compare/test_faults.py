"""Engines that fail, and code that has a bug: the first is a RuntimeFault in one line, the second is not hidden."""

from __future__ import annotations

import numpy as np
import pytest

import fns_lab.runtimes
from fns_lab import models
from fns_lab.cli import NO, main
from fns_lab.compare import VALUES_FLOAT32, Experiment, ModelRun, Subgraph, bisect, collect, localize
from fns_lab.errors import MissingError, RuntimeFault
from tests import small_network as small

ENGINE = "forgetful 1.0"


def forgetful(name):
    """An engine that loses the output `name`."""

    def run(model, feeds):
        outputs = small.run(model, feeds)
        outputs.pop(name, None)
        return outputs

    return run


def raising(error, nodes):
    """An engine that is right, but raises `error` for a model of fewer than `nodes` nodes."""

    def run(model, feeds):
        if len(model.graph.node) < nodes:
            raise error
        return small.run(model, feeds)

    return run


def experiment_of(b, run, **options):
    a = ModelRun(small.regular(), small.feeds(), small.run)
    return Experiment(a, ModelRun(b, small.feeds(), run, **options), VALUES_FLOAT32)


@pytest.mark.parametrize("piecewise", [False, True])
@pytest.mark.parametrize("name", ["relu", "output"])
def test_an_engine_that_loses_an_output_is_a_fault_in_one_line(name, piecewise):
    experiment = experiment_of(small.rewritten(), forgetful(name), piecewise=piecewise, engine=ENGINE)
    with pytest.raises(RuntimeFault) as fault:
        experiment.compare()
    assert str(fault.value) == f"{ENGINE}, {fault.value.model}: no value was returned for the output {name!r}"
    assert fault.value.model.startswith("model 'small' (")


def test_an_engine_without_a_name_can_fail_too():
    with pytest.raises(RuntimeFault, match="^the engine, model 'small'"):
        collect(small.regular(), small.feeds(), forgetful("norm"))


def test_bisecting_and_a_subgraph_end_in_the_same_fault():
    with pytest.raises(RuntimeFault, match=ENGINE):
        bisect(experiment_of(small.rewritten(eps=100.0), forgetful("conv1"), engine=ENGINE))
    part = Subgraph(small.regular(), small.feeds(), "output", np.zeros(3))
    with pytest.raises(RuntimeFault, match="'output'"):
        part.compare(forgetful("output"), VALUES_FLOAT32)


def test_a_subgraph_that_the_engine_refuses_introduces_nothing():
    refusal = RuntimeFault(ENGINE, "model", "no kernel")
    experiment = experiment_of(small.rewritten(eps=100.0), raising(refusal, 12))
    comparison = localize(experiment, experiment.compare())
    assert not comparison
    assert not comparison.findings


@pytest.mark.parametrize("error", [KeyError("a bug"), RuntimeError("a bug"), MissingError("no browser")])
def test_a_bug_or_a_missing_engine_is_not_hidden(error):
    experiment = experiment_of(small.rewritten(eps=100.0), raising(error, 12))
    comparison = experiment.compare()
    with pytest.raises(type(error), match=str(error)):
        localize(experiment, comparison)
    with pytest.raises(type(error), match=str(error)):
        experiment_of(small.rewritten(), raising(error, 100)).compare()


@pytest.mark.parametrize("options", [[], ["--bisect"]])
def test_the_command_ends_in_one_line_and_exit_code_1(monkeypatch, capsys, tmp_path, options):
    monkeypatch.setattr(fns_lab.runtimes, "run_in", lambda target: forgetful("output"))
    models.save(small.regular(), tmp_path / "a.onnx")
    np.savez(tmp_path / "x.npz", **small.feeds())
    argv = ["compare", tmp_path / "a.onnx", tmp_path / "a.onnx", "--input", tmp_path / "x.npz", *options]
    assert main([str(each) for each in argv]) == NO
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "fns-lab: ort/cpu, model 'small' (4 nodes): no value was returned for the output 'output'\n"
