"""The two ways a command can end that are not a bug: bad input, or something missing on this machine."""


class InputError(ValueError):
    """Bad input or usage. The message is one line: what is wrong and how to mend it. Exit code 2."""


class MissingError(RuntimeError):
    """Something needed is not here; the message names it and what to do, often `fns-lab doctor`. Exit code 3."""
