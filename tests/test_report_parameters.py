"""Parameters of a report: read as Python writes them, and refused where no notebook has them."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from fns_lab.cli import BAD_INPUT
from fns_lab.errors import InputError
from fns_lab.views.report.parameters import assigned, defaults_of, parse

CELL = """steps = 2  # how many
rate = 1e-3  # a fraction
photo = "cat"
size = (64, 96)
names = ["a"]
live = True
seed = None
folder = str("x")"""


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "nb.ipynb"
    cell = new_code_cell(CELL, metadata={"tags": ["parameters"]})
    nbformat.write(new_notebook(cells=[cell]), path)
    return str(path)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("steps=7", 7),
        ("rate=2", 2.0),
        ("rate=nan", pytest.approx(float("nan"), nan_ok=True)),
        ("photo=coffee", "coffee"),
        ("photo=7", "7"),
        ("photo=a=b", "a=b"),
        ("size=(1, 2)", (1, 2)),
        ("size=[1, 2]", (1, 2)),
        ('names=["b", "c"]', ["b", "c"]),
        ("live=False", False),
        ("seed=3", 3),
        ("folder=here", "here"),
        ("steps=None", None),
    ],
)
def test_a_value_takes_the_type_of_the_default(notebook, text, value):
    found = assigned([notebook], parse([text]))[notebook][text.partition("=")[0]]
    assert found == value
    assert type(found) is type(value) or "nan" in text


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["steps"], "-p steps: give NAME=VALUE"),
        (["=1"], "-p =1: give NAME=VALUE"),
        (["a b=1"], "give NAME=VALUE"),
        (["steps=1", "steps=2"], "given twice"),
        (["step=1"], "do you mean steps?"),
        (["quux=1"], "there are folder, live, names"),
        (["steps=many"], "its default is 2, so give a value of the type int"),
        (["steps=True"], "of the type int"),
        (["live=1"], "of the type bool"),
        (["rate=fast"], "of the type float"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(notebook, texts, message):
    with pytest.raises(InputError) as caught:
        assigned([notebook], parse(texts))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_each_notebook_takes_the_parameters_that_it_has(notebook, tmp_path):
    other = tmp_path / "other.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("rate = 3", metadata={"tags": ["parameters"]})]), other)
    values = assigned([notebook, other], {"steps": 3, "rate": 4})
    assert values == {notebook: {"steps": 3, "rate": 4.0}, str(other): {"rate": 4}}


def test_a_notebook_without_parameters_has_none(tmp_path):
    path = tmp_path / "nb.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("a = 1")]), path)
    assert defaults_of(path) == {}
    with pytest.raises(InputError, match="none has any"):
        assigned([path], {"a": 2})


def test_the_command_refuses_before_it_writes(cli, notebook, tmp_path):
    code, out, err = cli("report", notebook, "-p", "stepps=3", "-o", tmp_path / "out")
    assert (code, out) == (BAD_INPUT, "")
    assert err == "fns-lab: -p stepps: no such parameter in nb.ipynb; do you mean steps?\n"
    assert not (tmp_path / "out").exists()
