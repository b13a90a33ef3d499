"""A comparison as a folder, for a bug report: models, inputs, outputs, and the result."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fns_lab import models
from fns_lab.arrays import load_arrays, save_arrays
from fns_lab.compare.comparison import COLUMNS, Comparison, Finding, Skipped
from fns_lab.compare.experiment import Experiment, ModelRun
from fns_lab.compare.tolerance import Tolerance
from fns_lab.compare.values import GivenValues, Values
from fns_lab.errors import InputError, one_line
from fns_lab.files import read_bytes, write_text
from fns_lab.limits import TEXT_BYTES
from fns_lab.tables import json_rows

RESULT = "comparison.json"
"""File of a saved comparison with its numbers."""
TABLE = "table.csv"
"""File of a saved comparison with its table."""
MAPS = "maps.npz"
"""File of a saved comparison with the error of each value, element by element."""


def save(folder: Path, experiment: Experiment, comparison: Comparison) -> Path:
    """Write `a.onnx`, `inputs_a.npz`, `outputs_a.npz`, the same for b, `table.csv` (for people) and what `load` reads.

    Creates the folder and returns it. Raises `InputError` if its parent does not exist.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be created ({error.strerror})") from None
    for name, run, values in (("a", experiment.a, experiment.values_a), ("b", experiment.b, experiment.values_b)):
        models.save(run.model, folder / f"{name}.onnx")
        save_arrays(folder / f"inputs_{name}.npz", run.feeds)
        save_arrays(folder / f"outputs_{name}.npz", _outputs(run, values))
    save_arrays(folder / MAPS, comparison.maps)
    write_text(folder / TABLE, comparison.table.to_csv(index=False))
    write_text(folder / RESULT, json.dumps(_to_json(comparison), indent=1, allow_nan=False))
    return folder


def load(folder: Path) -> Comparison:
    """Read the comparison that `save` wrote. Raises `InputError` for a folder without one."""
    try:
        result = json.loads(read_bytes(folder / RESULT, TEXT_BYTES))
        return _from_json(result, load_arrays(folder / MAPS))
    except InputError as error:
        raise InputError(f"{error}; give a folder that --save wrote") from None
    except Exception as error:  # JSON of another form lets any step of the reading stumble
        raise InputError(f"{folder}: not a comparison ({one_line(error)}); give a folder that --save wrote") from None


def _outputs(run: ModelRun, values: Values | GivenValues) -> dict[str, np.ndarray]:
    return values.compute(value.name for value in run.model.graph.output if value.name in values)


def _to_json(comparison: Comparison) -> dict[str, Any]:
    return comparison.to_json() | {
        "ops": json_rows(comparison.table, COLUMNS),
        "skipped": [skipped._asdict() for skipped in comparison.skipped],
        "tolerance": vars(comparison.tolerance),
    }


def _from_json(result: dict[str, Any], maps: dict[str, np.ndarray]) -> Comparison:
    table = pd.DataFrame(result["ops"], columns=list(COLUMNS))
    for column in COLUMNS:
        if pd.api.types.is_numeric_dtype(table[column]) or table[column].isna().all():
            table[column] = table[column].astype(float)
    table.loc[table["max_abs"] == 0, "psnr_db"] = math.inf
    table["decades"] = table["decades"].map(tuple)
    changes = {name: math.inf if x is None else x for name, x in result["changed_by_instrumentation"].items()}
    return Comparison(
        table,
        result["compared"],
        tuple(Skipped(**skipped) for skipped in result["skipped"]),
        Tolerance(**result["tolerance"]),
        maps,
        changes,
        tuple(_finding(fields) for fields in result["introduced"]),
    )


def _finding(fields: dict[str, Any]) -> Finding:
    return Finding(**fields | {"ops": tuple(fields["ops"]), "nodes": tuple(fields["nodes"])})
