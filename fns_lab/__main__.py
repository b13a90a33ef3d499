"""Run the command line: `python -m fns_lab` is `fns-lab`."""

import sys
from typing import NoReturn

from fns_lab import signals


def run() -> NoReturn:
    """Run the command that the program's arguments name, and exit with its code."""
    signals.end_at_once()
    from fns_lab.cli import main

    sys.exit(main())


if __name__ == "__main__":
    run()
