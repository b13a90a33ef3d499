"""Thirty planted faults are found at the op that has them, and faithful rewrites give no findings."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from fns_lab import targets
from fns_lab.compare import (
    VALUES_ACROSS_ENGINES,
    VALUES_FLOAT32,
    Experiment,
    ModelRun,
    bisect,
    bundle,
    collect,
    localize,
    subgraph,
)
from fns_lab.compare.localize import MOST_TRIED
from fns_lab.errors import InputError
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import run_in
from fns_lab.runtimes.float64 import Float64Runner
from tests import small_network as small
from tests.runtimes.graphs import graph, image, node

ORT = run_in("ort/cpu")


def experiment_of(a, b, feeds, run_b=ORT, tolerance=VALUES_FLOAT32):
    return Experiment(ModelRun(a, feeds, ORT), ModelRun(b, feeds, run_b), tolerance)


# Thirty planted faults: ten kinds, each at the first, a middle and the last place where it can be planted


def _attribute(op, change):
    def plant(model: onnx.ModelProto, depth: int) -> str:
        nodes = [n for n in model.graph.node if n.op_type == op]
        chosen = nodes[depth * (len(nodes) - 1) // 2]
        change(model, chosen)
        return chosen.output[0]

    return plant


def _weight(model, chosen, index, change):
    tensor = next(t for t in model.graph.initializer if t.name == chosen.input[index])
    array = change(numpy_helper.to_array(tensor).copy())
    name = f"planted_{tensor.name}"
    model.graph.initializer.append(numpy_helper.from_array(array, name))
    chosen.input[index] = name


def _set(chosen, name, value):
    for attribute in [a for a in chosen.attribute if a.name == name]:
        chosen.attribute.remove(attribute)
    chosen.attribute.append(helper.make_attribute(name, value))


def _scale_one(array):
    array.reshape(-1)[array.size // 2] *= 1.5
    array.reshape(-1)[array.size // 2] += 0.5
    return array


def _operation(chosen, op_type):
    chosen.op_type = op_type
    del chosen.attribute[:]


FAULTS = {
    "wrong eps": _attribute("InstanceNormalization", lambda m, n: _set(n, "epsilon", 30.0)),
    "scales in another order": _attribute("InstanceNormalization", lambda m, n: _weight(m, n, 1, lambda w: w[::-1])),
    "shift negated": _attribute("InstanceNormalization", lambda m, n: _weight(m, n, 2, lambda w: -w)),
    "reflections turned to zeros": _attribute("Pad", lambda m, n: _set(n, "mode", "constant")),
    "reflections turned to edges": _attribute("Pad", lambda m, n: _set(n, "mode", "edge")),
    "kernel transposed": _attribute("Conv", lambda m, n: _weight(m, n, 1, lambda w: w.swapaxes(2, 3))),
    "kernel flipped": _attribute("Conv", lambda m, n: _weight(m, n, 1, lambda w: w[:, :, ::-1])),
    "one weight wrong": _attribute("Conv", lambda m, n: _weight(m, n, 1, _scale_one)),
    "another activation": _attribute("Relu", lambda m, n: _operation(n, "Abs")),
    "sum turned to a difference": _attribute("Add", lambda m, n: _operation(n, "Sub")),
}


@pytest.fixture(scope="module")
def style_network():
    """A seeded style network of width 4 at 40 x 56 pixels, and an image for it."""
    import torch

    from fns_lab.export import onnx_from_torch
    from fns_lab.nets.transformer import TransformerNet

    torch.manual_seed(3)
    net = TransformerNet(4).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if ".in" in f".{name}":
                parameter.add_(0.3 * torch.randn_like(parameter))
    return onnx_from_torch(net, (40, 56)), {"input": small.feeds()["input"][:1, :, :1, :1] + image(1, 3, 40, 56, sd=40)}


@pytest.fixture(scope="module")
def reference_values(style_network):
    return collect(*style_network, ORT)


@pytest.mark.parametrize("depth", [0, 1, 2], ids=["first", "middle", "last"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_found_at_its_op(style_network, reference_values, fault, depth):
    regular, feeds = style_network
    broken = onnx.ModelProto()
    broken.CopyFrom(regular)
    place = FAULTS[fault](broken, depth)
    experiment = Experiment(
        ModelRun(regular, feeds, ORT, values=reference_values), ModelRun(broken, feeds, ORT), VALUES_FLOAT32
    )
    comparison = localize(experiment, experiment.compare())
    assert not comparison
    assert comparison.first_divergence == place
    assert comparison.findings[0].value == place
    assert comparison.findings[0].source == "rewrite"
    assert {finding.value for finding in comparison.findings} == {place}, "the others only inherited it"
    halved = bisect(experiment)
    assert halved.findings[0].value == place


FAITHFUL = [
    f"{name}/{backend}"
    for name in ("onnxjs-0.1.3", "onnxjs-0.1.4", "onnxjs-0.1.8")
    for backend in ("cpu", "wasm", "webgl")
] + ["ort-web/webgl"]


@pytest.mark.parametrize("target", FAITHFUL)
def test_a_faithful_rewrite_gives_no_finding(style_network, reference_values, target):
    regular, feeds = style_network
    lowered = lower(regular, targets.load(target)).model
    experiment = Experiment(
        ModelRun(regular, feeds, ORT, values=reference_values), ModelRun(lowered, feeds, ORT), VALUES_FLOAT32
    )
    comparison = localize(experiment, experiment.compare())
    assert comparison, str(comparison)
    assert comparison.compared > 40
    assert not comparison.findings
    assert bisect(experiment)


# Inside and outside of a rewrite


def test_a_wrong_rewrite_is_told_from_a_wrong_engine():
    experiment = experiment_of(small.regular(), small.rewritten(eps=100.0), small.feeds())
    comparison = localize(experiment, experiment.compare())
    assert comparison.findings[0].source == "rewrite"
    assert len(comparison.findings[0].ops) == 9

    def engine(model, feeds):
        """ONNX Runtime with a fault: its Sqrt is a little off."""
        changed = onnx.ModelProto()
        changed.CopyFrom(model)
        for i, each in enumerate(changed.graph.node):
            if each.op_type == "Sqrt":
                each.op_type, inner = "Mul", f"rooted_{i}"
                changed.graph.node.insert(i, helper.make_node("Sqrt", each.input, [inner]))
                del each.input[:]
                each.input.extend([inner, "planted"])
                changed.graph.initializer.append(numpy_helper.from_array(np.float32(1.05), "planted"))
                break
        return ORT(changed, feeds)

    experiment = experiment_of(small.regular(), small.rewritten(), small.feeds(), engine)
    comparison = localize(experiment, experiment.compare())
    assert (comparison.first_divergence, comparison.findings[0].source) == ("norm", "engine")
    assert comparison.findings[0].ops[0] == "Sqrt"
    assert comparison.table.set_index("value")["origin"].to_dict() == {
        "conv1": "", "norm": "introduced", "relu": "inherited", "output": "inherited"
    }  # fmt: skip


def test_a_second_fault_behind_the_first_is_found_too():
    broken = small.rewritten(eps=1e3)
    weight = next(t for t in broken.graph.initializer if t.name == "w2")
    weight.CopyFrom(numpy_helper.from_array(30 * numpy_helper.to_array(weight), "w2"))
    experiment = experiment_of(small.regular(), broken, small.feeds())
    comparison = localize(experiment, experiment.compare())
    assert [finding.value for finding in comparison.findings] == ["norm", "output"]
    assert len(comparison.findings) < MOST_TRIED


# The faults of real engines that no op has alone


X = image(1, 4, 6, 10)
SHAPE = {"shape": np.array([1, 4, 1, 60]), "same": np.array([1, 4, 6, 10])}


def in_a_larger_graph(*middle):
    nodes = [node("Neg", "x", "n"), node("Abs", "n", "p"), *middle, node("Neg", "out", "y")]
    return graph(nodes, {"x": X}, SHAPE, outputs={"y": X.shape})


PAIRS = {
    "onnxjs-0.1.8/webgl": (
        [
            node("Reshape", "p shape", "flat"),
            node("ReduceMean", "flat", "mean", axes=[3]),
            node("Sub", "p mean", "out"),
        ],
        ("Reshape", "Sub"),
        "out",
    ),
    "ort-web/webgl": (
        [node("Reshape", "p shape", "flat"), node("Relu", "flat", "r"), node("Reshape", "r same", "out")],
        ("Reshape", "Relu"),
        "r",
    ),
}


@pytest.mark.browser
@pytest.mark.parametrize("target", PAIRS)
def test_a_fault_of_two_ops_together_is_found_in_the_real_engine(target):
    middle, ops, first = PAIRS[target]
    model, feeds = in_a_larger_graph(*middle), {"x": X - 50}
    experiment = experiment_of(model, model, feeds, run_in(target), VALUES_ACROSS_ENGINES)
    comparison = localize(experiment, experiment.compare())
    assert comparison.first_divergence == first, str(comparison)
    assert comparison.changed_by_instrumentation == {"a": 0.0, "b": 0.0}
    assert comparison.findings[0].source == "engine"
    assert comparison.findings[0].ops == ops
    assert bisect(experiment).findings[0].ops == ops
    smallest = subgraph(experiment, comparison.findings[0])
    assert smallest.compare(run_in(target), VALUES_ACROSS_ENGINES)[2]
    assert not smallest.compare(ORT, VALUES_ACROSS_ENGINES)[2]


# Two right answers, one nearer the truth


@pytest.mark.browser
def test_the_variance_of_webgpu_is_seen_on_a_flat_image():
    """ONNX Runtime Web's webgpu takes E[x^2] - E[x]^2, which cancels where the mean is far above the deviation."""
    x = np.random.default_rng(0).uniform(199, 201, (1, 3, 24, 40)).astype(np.float32)
    nodes = [node("Neg", "x", "n"), node("InstanceNormalization", "n scale shift", "norm"), node("Abs", "norm", "y")]
    constants = {"scale": np.ones(3, np.float32), "shift": np.zeros(3, np.float32)}
    model, feeds = graph(nodes, {"x": x}, constants, outputs={"y": x.shape}), {"x": x}
    truth = collect(model, feeds, lambda model, feeds: Float64Runner(model).infer(dict(feeds)))
    experiment = experiment_of(model, model, feeds, run_in("ort-web/webgpu"), VALUES_ACROSS_ENGINES)
    comparison = localize(experiment, experiment.compare(truth=truth))
    row = comparison.table.set_index("value").loc["norm"]
    assert row["truth_error_a"] < 1e-3
    assert row["truth_error_b"] > 30 * row["truth_error_a"]
    assert comparison.findings[0].ops == ("InstanceNormalization",)
    assert comparison.findings[0].source == "engine"
    assert "farther in 2 of 3 values" in str(comparison)
    assert f"most at 'y' (Abs): {comparison.table['truth_error_b'].iloc[2]:.3g} against" in str(comparison)


# Results can be saved


def test_a_bundle_says_the_same_elsewhere(tmp_path):
    experiment = experiment_of(small.regular(), small.rewritten(eps=100.0), small.feeds())
    comparison = localize(experiment, experiment.compare())
    loaded = bundle.load(bundle.save(tmp_path / "bundle", experiment, comparison))
    assert str(loaded) == str(comparison)
    assert loaded.to_json() == comparison.to_json()
    assert np.array_equal(loaded.maps["norm"], comparison.maps["norm"])
    assert (loaded.table.dtypes == comparison.table.dtypes).all()
    with np.load(tmp_path / "bundle" / "outputs_b.npz") as outputs:
        assert np.array_equal(outputs["output"], experiment.values_b.compute(["output"])["output"])


def test_a_folder_without_a_comparison_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file; give a folder that --save wrote"):
        bundle.load(tmp_path)
    (tmp_path / "comparison.json").write_text("{}")
    with pytest.raises(InputError, match="give a folder that --save wrote"):
        bundle.load(tmp_path)
