"""The figures of the notebooks: what they say is true of the data that they are given."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx import helper

from fns_lab import models
from fns_lab.errors import InputError
from fns_lab.measure import browser_results
from fns_lab.paths import DATA
from fns_lab.views import figures
from tests import small_network as small
from tests.seeds import generator


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def test_the_summed_kernels_give_the_convolution_of_the_doubled_image():
    kernel, x = generator().normal(size=(3, 3)), generator().normal(size=(6, 7))
    doubled = torch.from_numpy(np.kron(x, np.ones((2, 2))))[None, None]
    expected = torch.nn.functional.conv2d(doubled, torch.from_numpy(kernel)[None, None])[0, 0].numpy()
    figure = figures.subpixel(kernel)
    for column in range(4):
        below, (row, right) = figure.axes[4 + column], divmod(column, 2)
        sums = np.array([float(text.get_text()) for text in below.texts]).reshape(2, 2)
        y = 3 + row, 3 + right  # in the doubled image: the block from row 4 and column 4 on, after the kernel's border
        top, left = 1 + row, 1 + right
        assert abs((sums * x[top : top + 2, left : left + 2]).sum() - expected[y]) < 0.05


def test_each_version_has_as_many_nodes_as_its_model():
    model = small.regular()
    figure = figures.node_sources({"small": model, "by hand": {"normalisation": 300, "padding, upsampling": 40}})
    assert f"{len(model.graph.node)} nodes" in texts(figure)
    assert "340 nodes" in texts(figure)


def test_nodes_of_rules_and_of_another_opset_are_told_apart():
    model = small.regular()
    for node, doc in zip(model.graph.node, ["", *["x"] * 9], strict=False):
        node.doc_string = f"{models.RULE_PREFIX}{doc}" if doc else ""
    figure = figures.treatment({"T": model})
    assert sum(bar.get_width() for bar in figure.axes[0].patches) == len(model.graph.node)


def test_rounding_changes_no_weight_by_more_than_half_a_step():
    figure = figures.quantisation(generator().normal(size=(64, 3, 3)))
    changes = [(bar.get_x(), bar.get_height()) for bar in figure.axes[2].patches]
    assert sum(height for _, height in changes) == 64 * 9
    assert all(-0.53 < x < 0.52 for x, height in changes if height)


def test_what_is_not_a_number_differs():
    right = generator().normal(size=(4, 10))
    wrong = right.copy()
    wrong[:, :5] = np.nan
    assert "50%" in titles(figures.quirk(right, right, wrong, engine="E"))[3]


def test_products_are_counted():
    assert titles(figures.shared_products(results=4, weights=3)) == ["plain: 12 products", "Winograd: 6 products"]


def test_the_ratio_of_each_machine_is_that_of_its_own_two_bars():
    shipped = browser_results.read(DATA / "browser-results").table
    times, ratios = figures.time_and_ratio(shipped, browser_results.BASE_OPS).axes
    lengths = [bar.get_width() for bar in times.patches]
    of_each = [bar.get_width() for bar in ratios.patches]
    assert len(of_each) == shipped.machine.nunique(), "each machine timed the two files"
    base, other = lengths[: len(of_each)], lengths[len(of_each) :]
    assert of_each == pytest.approx(np.divide(base, other))
    assert max(of_each) / min(of_each) < max(other) / min(other), "ratios of machines differ less than their times"


def test_without_two_files_on_one_machine_there_is_no_ratio():
    shipped = browser_results.read(DATA / "browser-results").table
    with pytest.raises(InputError, match="no machine timed another file beside 'base ops'"):
        figures.time_and_ratio(shipped.assign(times_as_fast=np.nan), browser_results.BASE_OPS)


def test_every_figure_is_an_image(photo):
    features = generator().random((1, 30, 8, 8))
    three = dict.fromkeys(("photograph", "output", "style"), photo)
    drawn = [
        figures.two_losses(three, dict.fromkeys(three, features)),
        figures.normalisation(features, features - 1, channels=(0, 3)),
        figures.padding(photo, 4, {"a": photo, "b": photo + 1}),
        figures.widths_along_depth(helper.make_model(small.regular().graph)),
        figures.journey({"in": photo, "out": photo}, {"a": ("what", {}), "b": ("ops", {"Conv": 3})}),
    ]
    assert all(figure._repr_png_().startswith(b"\x89PNG") for figure in drawn)
