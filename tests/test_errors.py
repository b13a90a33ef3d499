"""An exception on one line."""

from __future__ import annotations

import pickle

import pytest

from fns_lab.errors import LONGEST_LINE, InputError, MissingError, RuntimeFault, first_line, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one", "one"),
        ("two\n  lines\t and a tab ", "two lines and a tab"),
        (ValueError("a\nb"), "a b"),
        (TimeoutError(), "TimeoutError"),
        ("x" * LONGEST_LINE, "x" * LONGEST_LINE),
        ("x" * 15320, "x" * LONGEST_LINE + " ... (15320 characters)"),
    ],
)
def test_one_line(text, line):
    assert one_line(text) == line


def test_one_line_in_full():
    assert one_line("x\n" * 1000, longest=None) == " ".join("x" * 1000)


@pytest.mark.parametrize("kind", [InputError, MissingError])
def test_the_message_of_an_error_is_one_line_whatever_it_quotes(kind):
    error = kind("m.onnx:  node 'a\n\x13b' is broken")
    assert str(error) == r"m.onnx: node 'a \x13b' is broken"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_first_line():
    assert first_line(ValueError("\n  the reason\n  a log\n")) == "the reason"
    assert first_line(ValueError("x" * 501)).endswith(" ... (501 characters)")
    assert first_line(TimeoutError()) == "TimeoutError"


def test_a_fault_prints_the_start_of_a_long_message_and_keeps_it_all():
    message = "no shader:\n" + "float x;\n" * 2000
    fault = RuntimeFault("onnxjs-0.1.8/webgl", "model 'small' (1 node)", message)
    assert str(fault).startswith("onnxjs-0.1.8/webgl, model 'small' (1 node): no shader: float x; float")
    assert len(str(fault)) < 600
    assert "\n" not in str(fault)
    assert fault.message == message
