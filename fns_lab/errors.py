"""The three errors that end a command with one line, and the functions that make an exception one line."""

LONGEST_LINE = 500
"""Characters that `one_line` keeps: a shader or a stack of C++ calls is not printed in full."""


class InputError(ValueError):
    """Bad input or usage. The message is one line: what is wrong and how to fix it. Exit code 2."""


class MissingError(RuntimeError):
    """Something needed is not installed; the message names it and the fix, often `fns-lab doctor`. Exit code 3."""


class RuntimeFault(RuntimeError):
    """An engine failed: it refused the model, threw, hung, crashed, lost an output or ran out of memory. Exit code 1.

    `str` is one line: engine, model, the start of the engine's own message, and `advice`, if there is any.
    `message` is the engine's message in full.
    """

    def __init__(self, engine: str, model: str, message: str, advice: str = "") -> None:
        super().__init__(f"{engine}, {model}: {one_line(message)}" + (f" ({advice})" if advice else ""))
        self.engine, self.model, self.message, self.advice = engine, model, message, advice


def one_line(text: object, longest: int | None = LONGEST_LINE) -> str:
    """Return the text of `text`, often an exception, on one line; an exception without a message gives its class.

    A text longer than `longest` characters is cut there and ends with its length: `... (15320 characters)`. With None
    it is never cut.
    """
    line = " ".join(str(text).split()) or type(text).__name__
    return line if longest is None or len(line) <= longest else f"{line[:longest]} ... ({len(line)} characters)"


def first_line(error: BaseException) -> str:
    """Return the first line of an exception's message, where what follows is a log or a stack."""
    lines = str(error).strip().splitlines()
    return one_line(lines[0] if lines else error)
