"""What a report keeps of a run beside the outputs. `start` is called in the notebook's kernel before the first cell.

Each table that is shown also leaves its values as CSV in the outputs. After each cell, the results of fns_lab that have
a name in the notebook leave the sentences of their `methods` and the times of every run.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

CSV = "text/csv"
"""MIME type of a table's values in a cell's outputs."""
RECORD = "record.json"
"""File with what was recorded of a run."""
RUNS = "runs_{name}.csv"
"""File with every run of a result: `name` is the result's in the notebook."""
MOST_ROWS = 1000
"""Rows of a table that a page shows; in a notebook pandas cuts a table at 60, and a text at 50 characters."""
TABLES = (("pandas", "DataFrame"), ("pandas.io.formats.style", "Styler"))
"""Classes whose values are kept, by module and name."""


def start(folder: str) -> None:
    """Keep tables in the outputs, and results in `folder`, from now on."""
    from IPython.core.formatters import BaseFormatter
    from IPython.core.getipython import get_ipython
    from traitlets import ObjectName, Unicode

    class CsvFormatter(BaseFormatter):
        format_type = Unicode(CSV)
        print_method = ObjectName("_repr_csv_")

    shell: Any = get_ipython()
    formatters = shell.display_formatter.formatters
    formatters[CSV] = CsvFormatter(parent=shell.display_formatter)
    for module, name in TABLES:
        formatters[CSV].for_type_by_name(module, name, _csv)
    formatters["text/html"].for_type_by_name(*TABLES[0], _html)
    shell.events.register("post_run_cell", lambda result: _keep(shell, Path(folder)))


def _csv(table: Any) -> str:
    """Return a DataFrame's values, or those of a Styler's, all digits of them."""
    frame: pd.DataFrame = getattr(table, "data", table)
    return frame.to_csv()


def _html(frame: pd.DataFrame) -> str | None:
    import pandas as pd

    shown: dict[str, Any] = {"display.max_rows": MOST_ROWS, "display.min_rows": MOST_ROWS, "display.max_colwidth": None}
    with pd.option_context(*itertools.chain(*shown.items())):
        html: str | None = frame._repr_html_()  # type: ignore[operator]
    return html


def _keep(shell: Any, folder: Path) -> None:
    results = {name: value for name, value in shell.user_ns.items() if _is_result(name, value)}
    methods = []
    for name, result in results.items():
        with contextlib.suppress(Exception):  # a result that cannot be described must not fail the reader's cell
            methods.append(result.methods())
            if hasattr(result, "every_run"):
                result.every_run.to_csv(folder / RUNS.format(name=name), index=False)
    torch: Any = sys.modules.get("torch")
    record = {
        "methods": list(dict.fromkeys(filter(None, methods))),
        "threads": torch.get_num_threads() if hasattr(torch, "get_num_threads") else None,
        "seed": shell.user_ns.get("seed"),
    }
    (folder / RECORD).write_text(json.dumps(record, default=str), encoding="utf-8")


def _is_result(name: str, value: object) -> bool:
    kind = type(value)
    return not name.startswith("_") and kind.__module__.startswith("fns_lab.") and hasattr(kind, "methods")
