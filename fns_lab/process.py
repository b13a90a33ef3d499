"""Settings of this process while it computes: what libraries print, and how freed memory is kept."""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import warnings
from collections.abc import Iterator


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hide progress, warnings and log lines: Python prints nothing, `logging` and `warnings` write nothing."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(action="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),  # torch.export prints the graph so far, and then fails
        ):
            yield
    finally:
        logging.disable(disabled)


def keep_freed_memory() -> None:
    """Ask glibc to keep freed blocks for the next allocation; do nothing where there is no glibc.

    Returning large blocks to the system each time can double the time of a training step, and makes a comparison of a
    network of gigabytes take a third longer. The cost: the process keeps the most memory that it ever used.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    m_trim_threshold, m_mmap_max = -1, -4
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, -1)
