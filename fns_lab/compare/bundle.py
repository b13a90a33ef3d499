"""A comparison as a folder, for a bug report: what ran, on what, what came out, and what was found."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from fns_lab import models
from fns_lab.compare.comparison import COLUMNS, Comparison, Finding, Skipped
from fns_lab.compare.experiment import Experiment, ModelRun
from fns_lab.compare.tolerance import Tolerance
from fns_lab.errors import InputError
from fns_lab.files import atomic_write
from fns_lab.tables import json_rows

VERDICT = "comparison.json"
TABLE = "table.csv"
MAPS = "maps.npz"


def save(folder: Path, experiment: Experiment, comparison: Comparison) -> Path:
    """Write `a.onnx`, `inputs_a.npz`, `outputs_a.npz`, the same for b, `table.csv` (for people) and what `load` reads.

    The folder is made; its parent must be there, else `InputError`.
    """
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror})") from None
    for name, side, values in (("a", experiment.a, experiment.values_a), ("b", experiment.b, experiment.values_b)):
        models.save(side.model, folder / f"{name}.onnx")
        _save_arrays(folder / f"inputs_{name}.npz", side.feeds)
        _save_arrays(folder / f"outputs_{name}.npz", _outputs(side, values))
    _save_arrays(folder / MAPS, comparison.maps)
    _save_text(folder / TABLE, comparison.table.to_csv(index=False))
    _save_text(folder / VERDICT, json.dumps(_packed(comparison), indent=1, allow_nan=False))
    return folder


def load(folder: Path) -> Comparison:
    """The comparison that `save` wrote. Raises `InputError` for a folder that holds none."""
    try:
        packed = json.loads((folder / VERDICT).read_text(encoding="utf-8"))
        with np.load(folder / MAPS, allow_pickle=False) as archive:
            maps = {name: archive[name] for name in archive.files}
        return _unpacked(packed, maps)
    except FileNotFoundError as error:
        raise InputError(f"{folder}: no {Path(error.filename).name} in it; give a folder that --save wrote") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder}: not a comparison that --save wrote ({error})") from None


def _outputs(side: ModelRun, values) -> dict[str, np.ndarray]:
    return {value.name: values[value.name] for value in side.model.graph.output if value.name in values}


def _packed(comparison: Comparison) -> dict:
    return comparison.to_json() | {
        "ops": json_rows(comparison.table, COLUMNS),
        "skipped": [skipped._asdict() for skipped in comparison.skipped],
        "tolerance": vars(comparison.tolerance),
    }


def _unpacked(packed: dict, maps: dict[str, np.ndarray]) -> Comparison:
    table = pd.DataFrame(packed["ops"], columns=list(COLUMNS))
    for column in COLUMNS:
        if pd.api.types.is_numeric_dtype(table[column]) or table[column].isna().all():
            table[column] = table[column].astype(float)
    table.loc[table["max_abs"] == 0, "psnr_db"] = math.inf
    table["decades"] = table["decades"].map(tuple)
    lists = ("ops", "nodes")
    findings = [{k: tuple(v) if k in lists else v for k, v in found.items()} for found in packed["introduced"]]
    return Comparison(
        table,
        packed["compared"],
        tuple(Skipped(**skipped) for skipped in packed["skipped"]),
        Tolerance(**packed["tolerance"]),
        maps,
        {side: math.inf if change is None else change for side, change in packed["changed_by_instrumentation"].items()},
        tuple(Finding(**found) for found in findings),
    )


def _save_arrays(path: Path, arrays) -> None:
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **arrays)


def _save_text(path: Path, text: str) -> None:
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
