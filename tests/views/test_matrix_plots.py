import pandas as pd
import pytest

from fns_lab.errors import InputError
from fns_lab.measure.matrix.table import COLUMNS, Matrix
from fns_lab.views import matrix_plots as plots

NAN = float("nan")


def matrix(*rows):
    return Matrix(pd.DataFrame([(*row, NAN, *rest) for *row, rest in rows], columns=list(COLUMNS)))


@pytest.fixture
def measured():
    yes, no = (True, ""), (False, "missing")
    return matrix(
        ("t/a", "Conv", "one", "native", "pass", yes),
        ("t/a", "Conv", "two", "native", "pass", yes),
        ("t/a", "Conv", "one", "lowered", "pass", yes),
        ("t/a", "Conv", "two", "lowered", "unsupported", no),
        ("t/a", "Abs", "one", "native", "wrong", yes),
        ("t/a", "Abs", "two", "native", "pass", yes),
        ("t/a", "Abs", "one", "lowered", "error", yes),
        ("t/b", "Conv", "one", "native", "wrong", no),
        ("t/b", "Conv", "two", "native", "pass", no),
    )


def test_a_square_shows_the_worst_of_its_cases(measured):
    states = plots.op_states(measured)
    assert list(states.index) == ["Abs", "Conv"]
    assert states.loc["Conv", ("t/a", "native")] == plots.EVERY
    assert states.loc["Conv", ("t/a", "lowered")] == plots.SOME
    assert states.loc["Abs", ("t/a", "native")] == plots.SILENT
    assert states.loc["Abs", ("t/a", "lowered")] == plots.FAILS
    assert states.loc["Conv", ("t/b", "native")] == plots.KNOWN
    assert states.loc["Abs", ("t/b", "native")] == plots.NOT_MEASURED


def test_op_matrix_draws_every_op_and_names_every_colour(measured):
    figure = plots.op_matrix(measured, panels=2, title="two")
    assert figure._repr_png_().startswith(b"\x89PNG")
    names = [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    assert names == ["Abs", "Conv"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(plots.STATES)


def test_pair_matrix_has_producers_down_and_consumers_across():
    pairs = matrix(
        ("t/a", "Reshape > Relu", "chain Reshape > Relu", "native", "wrong", (True, "")),
        ("t/a", "Relu > Reshape", "chain Relu > Reshape", "native", "pass", (True, "")),
        ("t/a", "Relu > Reshape", "fork Relu > Reshape", "native", "pass", (True, "")),
    )
    figure = plots.pair_matrix(pairs, "t/a")
    assert figure._repr_png_().startswith(b"\x89PNG")
    drawn = figure.axes[0].get_images()[0].get_array()
    assert drawn.tolist() == [[plots.NOT_MEASURED, plots.EVERY], [plots.SILENT, plots.NOT_MEASURED]]


def test_nothing_to_draw_is_refused():
    with pytest.raises(InputError, match="nothing to plot"):
        plots.op_matrix(Matrix(pd.DataFrame(columns=list(COLUMNS))))
    with pytest.raises(InputError, match="no pair of t/b"):
        plots.pair_matrix(matrix(("t/a", "A > B", "chain A > B", "native", "pass", (True, ""))), "t/b")
