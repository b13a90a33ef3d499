from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fns_lab.compare import VALUES_FLOAT32, Experiment, ModelRun
from fns_lab.errors import InputError
from fns_lab.views.error_maps import DECADES, MOST_MAPS, error_figure, error_maps
from tests import small_network as small


@pytest.fixture(scope="module")
def faulty():
    runs = (ModelRun(model, small.feeds(), small.run) for model in (small.regular(), small.rewritten(eps=100.0)))
    return Experiment(*runs, VALUES_FLOAT32).compare()


def panels(figure):
    """The axes that hold a map: those with a title."""
    return [axes for axes in figure.get_axes() if axes.images and axes.get_title()]


def with_maps(comparison, **maps):
    return dataclasses.replace(comparison, maps=maps)


def test_the_first_value_that_differs_comes_before_the_output(faulty):
    first, output = panels(error_maps(faulty, title="faulty"))
    assert first.get_title() == "first to differ: norm (InstanceNormalization)"
    assert output.get_title() == "output (Conv)"


def test_a_map_shows_the_errors_and_where_the_largest_is(faulty):
    error = faulty.maps["norm"]
    (panel,) = panels(error_maps(with_maps(faulty, norm=error)))
    assert np.allclose(panel.images[0].get_array(), np.maximum(error, error.max() / 10**DECADES))
    row, column = np.unravel_index(error.argmax(), error.shape)
    assert f"{error.max():.3g} at row {row}, column {column}" in panel.get_xlabel()
    assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in panel.get_lines()] == [(column, row)] * 2


def test_the_limit_is_marked_where_the_colours_reach_it(faulty):
    limit = faulty.table.set_index("value").at["norm", "limit"]
    for error, marks in ((faulty.maps["norm"], [limit]), (1e6 * faulty.maps["norm"], [])):
        (bar,) = panels(error_maps(with_maps(faulty, norm=error)))[0].child_axes
        lines = [line.get_ydata()[0] for line in bar.get_lines()]
        assert lines == marks


def test_nan_has_a_colour_of_its_own_and_is_counted(faulty):
    error = faulty.maps["norm"].copy()
    error[0, :2] = np.nan, np.inf
    (panel,) = panels(error_maps(with_maps(faulty, norm=error)))
    assert panel.get_xlabel().endswith(f"2 of {error.size} pixels NaN or Inf")
    shown = panel.images[0]
    assert list(shown.get_array().mask[0, :3]) == [True, True, False]
    assert tuple(shown.cmap(np.ma.masked)) not in [tuple(shown.cmap(x)) for x in np.linspace(0, 1, 256)]


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_a_map_of_zeros_or_of_nan_is_drawn(faulty, value):
    figure = error_maps(with_maps(faulty, norm=np.full((4, 5), value)))
    assert figure._repr_png_()
    assert panels(figure)[0].get_xlabel().startswith("no error")


def test_a_map_of_one_row_is_stretched(faulty):
    (panel,) = panels(error_maps(with_maps(faulty, norm=np.ones((1, 60)))))
    assert panel.get_aspect() == "auto"


def test_no_more_than_the_most_maps_are_drawn(faulty):
    table = pd.concat([faulty.table.assign(value=faulty.table["value"] + suffix) for suffix in ("", "_2")])
    assert len(table) > MOST_MAPS
    many = dataclasses.replace(faulty, table=table, maps=dict.fromkeys(table["value"], np.ones((3, 4))))
    shown = panels(error_maps(many))
    assert len(shown) == MOST_MAPS
    assert shown[0].get_title().startswith("first to differ: norm")


def test_depth_and_maps_in_one_figure(faulty):
    figure = error_figure(faulty, title="both")
    assert [axes.get_title() for axes in panels(figure)] == [axes.get_title() for axes in panels(error_maps(faulty))]
    assert figure.get_axes()[0].get_title() == "both"
    size = Image.open(io.BytesIO(figure._repr_png_())).size
    assert size[1] > size[0] * 0.7


def test_without_height_and_width_the_depth_is_drawn_alone(faulty):
    flat = with_maps(faulty)
    assert not panels(error_figure(flat))
    with pytest.raises(InputError, match="no image of its error"):
        error_maps(flat)
