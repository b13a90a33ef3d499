"""Run the command line: `python -m fns_lab` is `fns-lab`."""

import sys
from typing import NoReturn

from fns_lab import signals


def run() -> NoReturn:
    """Run the command that the program's arguments name, and exit with its code."""
    signals.end_at_once()
    from fns_lab.cli import main

    code = main()
    exec("")  # Ctrl-C within the `exec` of a library is forgotten, else Python ends as if nobody had handled it
    sys.exit(code)


if __name__ == "__main__":
    run()
