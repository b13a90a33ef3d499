"""Run the command line: `python -m fns_lab` is `fns-lab`."""

import sys

from fns_lab.cli import main

sys.exit(main())
