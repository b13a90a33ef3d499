"""The ways a command can end that are not a bug, and how an exception becomes one line."""


class InputError(ValueError):
    """Bad input or usage. The message is one line: what is wrong and how to fix it. Exit code 2."""


class MissingError(RuntimeError):
    """Something needed is not installed; the message names it and the fix, often `fns-lab doctor`. Exit code 3."""


class RuntimeFault(RuntimeError):
    """An engine failed: it refused the model, threw, hung, crashed, lost an output or ran out of memory. Exit code 1.

    The message is one line: engine, model, and the engine's own words.
    """

    def __init__(self, engine: str, model: str, message: str) -> None:
        super().__init__(f"{engine}, {model}: {one_line(message)}")
        self.engine, self.model, self.message = engine, model, message


def one_line(text: object) -> str:
    """Return the text of `text`, often an exception, on one line; an exception without a message gives its class."""
    return " ".join(str(text).split()) or type(text).__name__
