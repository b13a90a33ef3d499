"""Programs that torch.export saved, `.pt2`: looked through before torch opens them, so that nothing in them runs.

torch.export.load unpickles what it can't read otherwise, evaluates the formulas of sizes as Python, looks functions up
by name, and loads compiled libraries. A file that needs any of that is refused; weights and ATen's ops need none.
"""

from __future__ import annotations

import ast
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fns_lab.errors import InputError, first_line
from fns_lab.process import quiet

if TYPE_CHECKING:
    from torch import nn
    from torch.export import ExportedProgram

SUFFIX = ".pt2"
"""Suffix of the file of a program of torch.export."""

LARGEST_TEXT = 256 * 2**20
"""Most bytes that one of the file's JSON texts may have, unpacked: the graph of a network of 100,000 ops has fewer."""

_TARGET = re.compile(
    r"torch\.ops\.(aten|prims|prim|_c10d_functional)\.\w+\.\w+|_operator\.\w+|math\.\w+|torch\.sym_\w+"
)
"""Functions that a graph may call: ATen's ops, and arithmetic on sizes."""

_FUNCTIONS = {
    "Symbol",
    "Integer",
    "Rational",
    "Float",
    "Add",
    "Mul",
    "Pow",
    "Max",
    "Min",
    "Mod",
    "And",
    "Or",
    "Not",
    "Equality",
    "Unequality",
    "Eq",
    "Ne",
    "GreaterThan",
    "LessThan",
    "StrictGreaterThan",
    "StrictLessThan",
    "FloorDiv",
    "ModularIndexing",
    "Where",
    "PythonMod",
    "CleanDiv",
    "CeilDiv",
    "CeilToInt",
    "FloorToInt",
    "TruncToInt",
    "RoundToInt",
    "ToFloat",
    "IntTrueDiv",
    "FloatTrueDiv",
    "PowByNatural",
    "FloatPow",
    "LShift",
    "RShift",
    "Identity",
}
"""Functions that a formula of sizes may call: sympy's, and torch's own."""

_ARITHMETIC = (ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Compare, ast.cmpop, ast.keyword, ast.Load)
"""What may be in a formula of sizes beside calls, names and constants."""

_SIZE = re.compile(r"[suzf]\d+|int_oo|oo")

_CONTAINERS = {"builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict", None}
"""Types of containers that inputs and outputs may be in."""


@dataclass(frozen=True)
class Program:
    """A program as a network: its modules, the inputs that it was exported with, and which of their axes are free."""

    net: nn.Module
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    input_names: tuple[str, ...]
    dynamic: Mapping[str, Mapping[int, str]]


def load(path: Path) -> Program:
    """Read a `.pt2` file. Raises `InputError` for one that is missing, broken, or that would run code."""
    import torch

    _refuse_code(path)
    try:
        with quiet():
            program = torch.export.load(path)
            net = _without_examples(torch.export.unflatten(program).eval())
    except Exception as error:  # torch raises many classes for a program that it can't read
        raise InputError(f"{path}: torch cannot read this program: {first_line(error)}") from None
    if program.example_inputs is None:
        raise InputError(f"{path}: holds no example inputs; export it again")
    args, kwargs = program.example_inputs
    names, dynamic = _inputs(program)
    return Program(net, tuple(args), kwargs, names, dynamic)


def _without_examples(net: nn.Module) -> nn.Module:
    """Return the network without the tensors of free size that torch notes at its nodes, as they can't be copied."""
    from torch import fx

    for module in net.modules():
        graph = getattr(module, "graph", None)
        for node in graph.nodes if isinstance(graph, fx.Graph) else ():
            node.meta.pop("val", None)
            node.meta.pop("tensor_meta", None)
    return net


def _inputs(program: ExportedProgram) -> tuple[tuple[str, ...], dict[str, dict[int, str]]]:
    """Return the names of the inputs that are tensors, and their free axes by size, such as `{"x": {2: "s27"}}`."""
    import torch

    names, dynamic = [], dict[str, dict[int, str]]()
    user = set(program.graph_signature.user_inputs)
    for node in program.graph.nodes:
        value = node.meta.get("val")
        if node.op != "placeholder" or node.name not in user or not isinstance(value, torch.Tensor):
            continue
        names.append(node.name)
        free = {axis: str(size) for axis, size in enumerate(value.shape) if not isinstance(size, int)}
        if free:
            dynamic[node.name] = free
    return tuple(names), dynamic


def _refuse_code(path: Path) -> None:
    """Raise `InputError` for a file that is no program, or that torch would run code of."""
    if not path.is_file():
        raise InputError(f"{path}: {'not a plain file' if path.exists() else 'no such file'}")
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2]: name for name in archive.namelist()}
            if not any(name.startswith("models/") for name in names):
                raise InputError(f"{path}: holds no program of torch.export")
            reason = next(filter(None, (_fault(archive, name, names[name]) for name in names)), None)
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: not a whole .pt2 file; export it again") from None
    if reason:
        raise InputError(f"{path}: refused because it could run code: {reason}")


def _fault(archive: zipfile.ZipFile, name: str, member: str) -> str | None:
    """Return why a file in the archive could run code, or None."""
    folder, _, base = name.rpartition("/")
    if folder.startswith("data/aotinductor") or base.endswith((".so", ".pyd", ".dll", ".py")):
        return f"{name} is a program for the processor"
    if folder == "data/sample_inputs":
        return None if _is_plain(archive.read(member)) else "its example inputs are no plain tensors"
    if folder in ("data/weights", "data/constants") and base.endswith(".pt"):
        return f"{name} is a pickle"
    if not base.endswith(".json"):
        return None
    if archive.getinfo(member).file_size > LARGEST_TEXT:
        return f"{name} has over {LARGEST_TEXT >> 20} MiB"
    return next(filter(None, map(_entry_fault, _entries(json.loads(archive.read(member))))), None)


def _is_plain(data: bytes) -> bool:
    import torch

    try:
        torch.load(io.BytesIO(data), weights_only=True)
    except Exception:  # whatever makes it unreadable as plain tensors, torch would unpickle it next
        return not data
    return True


def _entries(value: object) -> Iterator[tuple[str, object]]:
    """Yield every key and value of nested JSON."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield from item.items()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _entry_fault(entry: tuple[str, object]) -> str | None:
    key, value = entry
    if key == "use_pickle" and value:
        return "its weights are pickled"
    if key == "path_name" and not re.fullmatch(r"(weight|tensor)_\d+", str(value)):
        return f"it holds the object {value!r}"
    if key == "target" and isinstance(value, str) and not _TARGET.fullmatch(value):
        return f"its graph calls {value!r}"
    if key == "expr_str" and not _is_formula(str(value)):
        return f"the size {value!r} is no formula"
    if key in ("in_spec", "out_spec", "treespec") and isinstance(value, str) and value:
        return _container_fault(value)
    return None


def _is_formula(text: str) -> bool:
    """Return whether a text is arithmetic on sizes, as in `Max(1, 2*s27)` or `Symbol('s27', integer=True)`."""
    try:
        return all(map(_is_arithmetic, ast.walk(ast.parse(text.strip(), mode="eval").body)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def _is_arithmetic(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
    if isinstance(node, ast.Name):
        return node.id in _FUNCTIONS or bool(_SIZE.fullmatch(node.id))
    if isinstance(node, ast.Constant):
        is_name = isinstance(node.value, str) and _SIZE.fullmatch(node.value)
        return bool(is_name) or type(node.value) in (bool, int, float)
    return isinstance(node, _ARITHMETIC)


def _container_fault(text: str) -> str | None:
    """Return the first type in a treespec that is no plain container, in words, or None."""
    types = [value for key, value in _entries(json.loads(text)) if key == "type"]
    other = next((name for name in types if name not in _CONTAINERS), None)
    return f"its inputs or outputs are in a {other}" if other else None
