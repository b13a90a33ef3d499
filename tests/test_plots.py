from __future__ import annotations

import sys

import numpy as np
import pytest

from fns_lab import models
from fns_lab.compare import VALUES_FLOAT32, collect, compare
from fns_lab.errors import InputError
from fns_lab.measure.bench import bench
from fns_lab.views import error_maps, plots
from tests import small_network as small

PNG = b"\x89PNG\r\n\x1a\n"
RULE_SHADE = "#EEEEEE"


@pytest.fixture(scope="module")
def values():
    return {
        "regular": collect(small.regular(), small.feeds(), small.run),
        "rewritten": collect(small.rewritten(), small.feeds(), small.run),
        "faulty": collect(small.rewritten(eps=100.0), small.feeds(), small.run),
    }


@pytest.fixture(scope="module")
def faithful(values):
    return compare(small.regular(), small.rewritten(), values["regular"], values["rewritten"], VALUES_FLOAT32)


@pytest.fixture(scope="module")
def faulty(values):
    broken = values["faulty"] | {"relu": np.full_like(values["faulty"]["relu"], np.nan)}
    return compare(small.regular(), small.rewritten(), values["regular"], broken, VALUES_FLOAT32)


def line(figure, label):
    lines = figure.axes[0].get_lines()
    return next(line for line in lines if str(line.get_label()).startswith(label))


def assert_draws(figure):
    assert figure._repr_png_().startswith(PNG)


def test_a_name_is_drawn_letter_by_letter():
    """Between two dollar signs matplotlib reads a formula, and ends if it is none."""
    name = "$x_{$ \x1b[2J"
    names = {"relu": name}
    a, b = (_renamed(model, names) for model in (small.regular(), small.rewritten()))
    values = {names.get(key, key): array for key, array in collect(small.regular(), small.feeds(), small.run).items()}
    comparison = compare(a, b, values, values | {name: values[name] + 1}, VALUES_FLOAT32)
    assert comparison.first_divergence == name
    assert_draws(error_maps.error_figure(comparison, title="both"))
    assert_draws(plots.op_counts({name: {name: 3}}))


def _renamed(model, names):
    for node in model.graph.node:
        for values in (node.input, node.output):
            values[:] = [names.get(each, each) for each in values]
    return model


def test_no_global_state_is_touched(faithful):
    assert_draws(plots.error_along_depth(faithful))
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


def test_error_along_depth_shows_each_value_relative_to_its_range(faithful, faulty):
    figure = plots.error_along_depth({"faithful": faithful, "faulty": faulty}, title="two")
    assert_draws(figure)
    table = faithful.table.set_index("value")
    y = dict(zip(table.index, line(figure, "faithful").get_ydata(), strict=True))
    assert y["norm"] == pytest.approx(table.loc["norm", "max_abs"] / table.loc["norm", "range"])
    assert 0 < y["conv1"] < y["norm"], "an error of zero has its own tick, below all others"
    bad = dict(zip(table.index, line(figure, "faulty").get_ydata(), strict=True))
    assert bad["relu"] > max(bad["norm"], bad["output"]), (
        "an error that is not a number has its own tick, above all others"
    )
    ticks = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert "0" in ticks
    assert "none" in ticks


def test_error_along_depth_rings_the_first_divergence_and_shades_rules(faithful, faulty):
    figure = plots.error_along_depth({"faithful": faithful, "faulty": faulty})
    ring = line(figure, "faulty: first at norm (InstanceNormalization)")
    assert list(ring.get_xdata()) == [1]
    spans = [patch.get_x() for patch in figure.axes[0].patches]
    assert spans == [0.5], "only `norm`, the second value, was written by a rule"
    assert line(figure, "allowed").get_ydata()[1] == pytest.approx(1e-4, rel=1e-2)


def test_error_along_depth_names_the_op_types(faithful):
    figure = plots.error_along_depth(faithful)
    kinds = [text.get_text() for text in figure.legends[0].get_texts()]
    assert kinds == ["Conv", "InstanceNormalization", "Relu"]
    names = [tick.get_text() for tick in figure.axes[1].get_xticklabels()]
    assert names == ["conv1", "norm", "relu", "output"]


def test_error_along_depth_without_values_is_refused():
    nothing = compare(small.regular("a"), small.regular("a"), {}, {}, VALUES_FLOAT32)
    empty = type(nothing)(nothing.table.iloc[:0], 0, (), VALUES_FLOAT32)
    with pytest.raises(InputError, match="nothing to plot"):
        plots.error_along_depth(empty)


def test_an_error_in_a_value_of_all_zeros_has_no_fraction(values):
    zeros = values["regular"] | {"relu": np.zeros_like(values["regular"]["relu"])}
    comparison = compare(small.regular(), small.regular(), zeros, values["regular"], VALUES_FLOAT32)
    y = line(plots.error_along_depth(comparison), "error").get_ydata()
    assert y[2] > max(y[1], y[3])


def test_op_counts_has_one_bar_per_model_and_op():
    counts = {"regular": models.count_ops(small.regular()), "rewritten": models.count_ops(small.rewritten())}
    figure = plots.op_counts(counts)
    assert_draws(figure)
    axes = figure.axes[0]
    ops = [tick.get_text() for tick in axes.get_yticklabels()]
    regular, rewritten = ([bar.get_width() for bar in group] for group in axes.containers)
    assert dict(zip(ops, regular, strict=True)) == {op: counts["regular"].get(op, 0) for op in ops}
    assert dict(zip(ops, rewritten, strict=True)) == counts["rewritten"] | {"InstanceNormalization": 0}
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "regular (4 nodes)",
        "rewritten (12 nodes)",
    ]


def test_image_strip_shows_images_of_any_size_and_says_where_there_is_none():
    rng = np.random.default_rng(2)
    images = {
        "wide": rng.uniform(-20, 300, (1, 3, 20, 50)),
        "tall": rng.uniform(0, 255, (3, 40, 20)),
        "broken": np.full((1, 3, 20, 50), np.nan),
    }
    figure = plots.image_strip(images)
    assert_draws(figure)
    assert [axes.get_title() for axes in figure.axes] == list(images)
    wide, tall, broken = figure.axes
    assert wide.images[0].get_array().shape == (20, 50, 3)
    assert tall.images[0].get_array().shape == (40, 20, 3)
    assert np.array_equal(wide.images[0].get_array()[3, 7], np.rint(images["wide"][0, :, 3, 7].clip(0, 255)))
    assert broken.texts[0].get_text() == "NaN or Inf"


def test_timing_bars_show_medians_spread_and_failures():
    broken = small.regular()
    broken.graph.node[1].op_type = "NoSuchOp"
    contenders = {"regular": small.regular(), "rewritten": small.rewritten(), "broken": broken}
    timings = bench(contenders, ["ort/cpu"], small.feeds(), runs=3, warmup=1)
    figure = plots.timing_bars(timings)
    assert_draws(figure)
    axes = figure.axes[0]
    bars = [group for group in axes.containers if hasattr(group, "patches")]
    medians = timings.table["ms_median"].to_numpy()
    assert [group[0].get_width() for group in bars[:2]] == pytest.approx(list(medians[:2]))
    texts = [text.get_text() for text in axes.texts]
    assert "times as fast" in texts[1]
    assert texts[2] == "failed"


@pytest.mark.parametrize("plot", [plots.op_counts, plots.image_strip])
def test_nothing_to_show_is_refused(plot):
    with pytest.raises(InputError):
        plot({})
