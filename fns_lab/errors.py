"""The errors that end a command with one line, and the functions that their messages are written with."""

import unicodedata
from collections.abc import Iterable

LONGEST_LINE = 500
"""Characters that `one_line` keeps: a shader or a stack of C++ calls is not printed in full."""


class _OneLine(Exception):
    """An error whose message is one line, whatever the names that it quotes hold."""

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message, longest=None))


class InputError(_OneLine, ValueError):
    """Bad input or usage. The message is one line: what is wrong and how to fix it. Exit code 2."""


class MissingError(_OneLine, RuntimeError):
    """Something needed is not installed; the message names it and the fix, often `fns-lab doctor`. Exit code 3."""


class RuntimeFault(_OneLine, RuntimeError):
    """An engine failed: it refused the model, threw, hung, crashed, lost an output or ran out of memory. Exit code 1.

    `str` is one line: engine, model, the start of the engine's own message, and `advice`, if there is any.
    `message` is the engine's message in full.
    """

    def __init__(self, engine: str, model: str, message: str, advice: str = "") -> None:
        super().__init__(f"{engine}, {model}: {one_line(message)}" + (f" ({advice})" if advice else ""))
        self.engine, self.model, self.message, self.advice = engine, model, message, advice


class NoAnswer(RuntimeFault):
    """An engine crashed, hung or was lost with its process or page. A busy machine does that to an engine too."""


def visible(text: str) -> str:
    """Return text with each control character written out, such as `\\x1b`, so that a terminal does not obey it.

    Line feeds and tabs stay. So are written out the characters that turn the direction of text, and halves of
    surrogate pairs, which no terminal can print.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in _HIDDEN else _escape(c) for c in text)


_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode's categories of control and format characters, surrogates, and separators of lines and paragraphs."""


def _escape(character: str) -> str:
    return character.encode("unicode_escape", errors="backslashreplace").decode("ascii")


def one_line(text: object, longest: int | None = LONGEST_LINE) -> str:
    """Return the text of `text`, often an exception, on one line; an exception without a message gives its class.

    A text longer than `longest` characters is cut there and ends with its length: `... (15320 characters)`. With None
    it is never cut. Control characters are written out, as `visible` does.
    """
    line = visible(" ".join(str(text).split()) or type(text).__name__)
    return line if longest is None or len(line) <= longest else f"{line[:longest]} ... ({len(line)} characters)"


def first_line(error: object) -> str:
    """Return the first line of an exception's message, or of a text, where what follows is a log or a stack."""
    lines = str(error).strip().splitlines()
    return one_line(lines[0] if lines else error)


def root_cause(error: BaseException) -> BaseException:
    """Return the exception that began a chain of them."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory was short. PyTorch and ONNX Runtime have no class for that."""
    return isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY)


_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "Failed to allocate memory", "bad_alloc")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most like `name`, whether or not the two have much in common."""
    import difflib

    return difflib.get_close_matches(name, list(known), n=1, cutoff=0)[0]


def shape_text(shape: Iterable[object]) -> str:
    """Return `1x3x64x96` for the shape `(1, 3, 64, 96)`, and `()` for that of a scalar."""
    return "x".join(map(str, shape)) or "()"
