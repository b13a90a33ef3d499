"""Run a notebook with papermill, and return it with its outputs and what was recorded beside them."""

from __future__ import annotations

import json
import logging
import os
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fns_lab.errors import one_line
from fns_lab.files import temporary_folder
from fns_lab.measure import machine
from fns_lab.views.report import parameters as given
from fns_lab.views.report.recording import CSV, RECORD

if TYPE_CHECKING:
    from nbformat import NotebookNode

CELL_TIMEOUT_S = 600
"""A cell that runs longer is stopped and counts as failed, in seconds."""
INJECTED = "injected-parameters"
"""papermill's tag of the cell that it adds. It is not counted, so that a table keeps its file's name."""


@dataclass(frozen=True)
class Run:
    """A notebook that ran.

    - `notebook`: with its outputs, up to the cell that failed
    - `error`: None, or the failed cell and its error in one line
    - `time_s`: duration, in seconds
    - `started`: day and time, with the time zone
    - `machine`: what it ran on, by name
    - `methods`: sentences that say what was measured, and how
    - `data`: CSV files by name: each table that is shown, and every run of what was timed
    """

    notebook: NotebookNode
    error: str | None
    time_s: float
    started: str
    machine: dict[str, str]
    methods: tuple[str, ...]
    data: dict[str, str] = field(repr=False)

    @property
    def files(self) -> list[str]:
        """Names of the CSV files, in order."""
        return sorted(self.data)


def run(path: Path, parameters: Mapping[str, Any], facts: Mapping[str, str]) -> Run:
    """Run a notebook in the Python that runs this. `facts` are those of the machine."""
    started, start_s, load = datetime.now().astimezone(), time.perf_counter(), machine.load()
    with temporary_folder() as folder:
        notebook, error = _execute(path, parameters, folder)
        recorded = sorted(folder.glob("*.csv"))
        data = _tables(notebook) | {file.name: file.read_text(encoding="utf-8") for file in recorded}
        record = _record(folder)
    time_s = time.perf_counter() - start_s
    own = {
        "threads": f"{record['threads']} of torch" if record.get("threads") else "",
        "seed": str(record["seed"]) if record.get("seed") is not None else "",
        "parameters": ", ".join(f"{name} = {value!r}" for name, value in parameters.items()),
        "load": f"{load} before, {machine.load()} after" if load is not None else "",
    }
    return Run(
        notebook=notebook,
        error=error,
        time_s=round(time_s, 1),
        started=started.strftime("%d %B %Y, %H:%M %Z"),
        machine={**facts, **{name: fact for name, fact in own.items() if fact}},
        methods=tuple(record.get("methods", ())),
        data=data,
    )


def _execute(path: Path, parameters: Mapping[str, Any], folder: Path) -> tuple[NotebookNode, str | None]:
    """Return the notebook with its outputs, and the error of the cell that failed or None."""
    import nbformat

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of papermill's own libraries; the warnings of a cell are in its output
        import papermill
        from traitlets.config import Config

        given.register_tuples()
        copy, error, injected = folder / path.name, None, bool(parameters)
        record = f"__import__('fns_lab.views.report.recording', fromlist=['start']).start({os.fspath(folder)!r})"
        try:
            papermill.execute_notebook(
                str(path),
                str(copy),
                parameters=dict(parameters),
                cwd=str(path.resolve().parent),
                kernel_name="python3",  # the Python that runs this, whatever the file was saved with
                language="python",
                progress_bar=False,
                extra_arguments=[
                    "--IPKernelApp.log_level=CRITICAL",  # it warns of TCP at every start
                    f"--IPKernelApp.exec_lines={record}",
                ],
                execution_timeout=CELL_TIMEOUT_S,
                config=Config({"KernelManager": {"connection_file": os.fspath(folder / "kernel.json")}}),
            )
        except KeyboardInterrupt:
            logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # nobody waits for the kernel's task any more
            raise
        except papermill.PapermillExecutionError as fault:
            error = f"cell {fault.exec_count - injected}: {fault.ename}: {one_line(fault.evalue)}"
        except Exception as fault:  # a dead kernel, a timeout, no kernel: each library has its own class
            error = f"{type(fault).__name__}: {one_line(fault)}"
        notebook = nbformat.read(copy if copy.exists() else path, as_version=4)
    notebook.cells = [
        cell for cell in notebook.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", ())
    ]
    return notebook, error


def _tables(notebook: NotebookNode) -> dict[str, str]:
    """Return the values of each table in the outputs by its file's name, which takes their place in the output."""
    tables: dict[str, str] = {}
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    cells = [cell for cell in code if INJECTED not in cell.metadata.get("tags", ())]
    for number, cell in enumerate(cells, 1):
        shown = [output.data for output in cell.outputs if CSV in output.get("data", {})]
        for i, data in enumerate(shown, 1):
            name = f"table_{number:02}{f'_{i}' if len(shown) > 1 else ''}.csv"
            tables[name], data[CSV] = data[CSV], name
    return tables


def _record(folder: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # no cell ended, or the kernel died while it wrote
        return {}
    return record
