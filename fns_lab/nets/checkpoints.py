"""Read and write style networks: any `state_dict` of pytorch/examples `fast_neural_style` or of this package.

A checkpoint is data: it is only opened with `torch.load(weights_only=True)`, which runs no code from the file.
"""

from __future__ import annotations

import os
import pickletools
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from fns_lab.errors import InputError, one_line
from fns_lab.files import atomic_write, is_text, require_regular
from fns_lab.limits import CHECKPOINT_BYTES, WIDTH
from fns_lab.nets import SUFFIXES
from fns_lab.nets.transformer import TransformerNet

AVERAGED = ("ema_state_dict", "state_dict_ema", "model_ema", "params_ema", "ema")
"""Keys under which training scripts store the moving average of the weights, which is what they evaluate."""
WRAPPERS = (*AVERAGED, "state_dict", "model_state_dict", "params", "model", "net", "shadow", "module")
"""Keys under which training scripts store the weights beside other things, the better ones first."""
PREFIXES = ("module.", "_orig_mod.")
"""What DataParallel and `torch.compile` put before every name."""
STALE = re.compile(r"(^|\.)in\d+\.(running_mean|running_var|num_batches_tracked)$|^n_averaged$")
"""Keys of PyTorch before 0.4, whose InstanceNorm2d saved statistics that inference does not use, and the counter of
torch's AveragedModel."""
WIDTH_KEY = "conv1.conv2d.weight"
"""Name of the weight whose first axis is the width."""
FIRST_KERNEL = (3, 9, 9)
"""The other axes of that weight: channels of an image, height and width of the kernel."""

FLOATS = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
"""Element types of weights. PyTorch computes next to nothing with those of 8 bits."""

_CODE = re.compile(r"GLOBAL ([\w.]+)|unrecognized function[: ]+([\w.]+)|(TorchScript)")


def load(path: str | os.PathLike[str]) -> TransformerNet:
    """Load a `.pth` or `.model` file as a float32 network in eval mode, on the CPU; its width is read from the file.

    Raises `InputError`, naming the fault, for a file that is missing, cut short, no checkpoint or that holds code, and
    for weights that are not a `TransformerNet`'s or not finite.
    """
    state = _state_dict(_read(Path(path)), path)
    width = _width(state, path)
    with torch.device("meta"):
        net = TransformerNet(width)
    if fault := _fault(state, net.state_dict()):
        raise InputError(f"{path}: not a TransformerNet of width {width}: {fault}")
    net.load_state_dict({name: value.float().contiguous() for name, value in state.items()}, assign=True)
    return net.eval()


def load_into(net: nn.Module, path: str | os.PathLike[str]) -> None:
    """Give `net`, any network, the weights of a checkpoint or a `.safetensors` file, which runs no code.

    Wrappers around the weights are opened (`WRAPPERS`), and what stands before its names (`PREFIXES`, or other words,
    if the network is part of a larger one) is dropped. Raises `InputError` as `load` does, for weights that are not
    this network's, and where several networks in the file have its names.
    """
    path = Path(path)
    state = _state_dict(read_tensors(path) if path.suffix == ".safetensors" else _read(path), path)
    expected = net.state_dict()
    state = _part(state, expected, path)
    counters = {name for name in expected if name.endswith("num_batches_tracked") and name not in state}
    state |= {name: expected[name] for name in counters}  # checkpoints of old have none, inference needs none
    if fault := _misfit(state, expected):
        raise InputError(f"{path}: not the weights of this {type(net).__name__}: {fault}")
    net.load_state_dict(state)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors in a `.safetensors` file by name. Raises `InputError` if it holds none."""
    from safetensors.torch import load_file

    require_regular(path, CHECKPOINT_BYTES)
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except Exception as error:  # safetensors raises its own class, and others for a broken header
        raise InputError(f"{path}: not a whole safetensors file ({one_line(error)})") from None
    return tensors


def save(net: nn.Module, path: str | os.PathLike[str]) -> Path:
    """Write the weights of a `TransformerNet` under upstream's names, atomically, and return the path."""
    path = Path(path)
    state = {_bare(name): value.detach().cpu().clone() for name, value in net.state_dict().items()}
    with atomic_write(path) as temporary, temporary.open("wb") as stream:  # a path's name would go into the file
        torch.save(state, stream)
    return path


def _read(path: Path) -> object:
    if path.is_dir():
        raise InputError(f"{path}: a folder, not a checkpoint; give a {' or '.join(SUFFIXES)} file in it")
    require_regular(path, CHECKPOINT_BYTES)
    if damaged := _damaged_member(path):
        raise InputError(f"{path}: damaged: its part {damaged!r} does not match its checksum")
    try:
        with warnings.catch_warnings(action="ignore"):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a dozen kinds for a file that is no checkpoint
        raise InputError(f"{path}: {_why_refused(error, path)}") from None


def _damaged_member(path: Path) -> str | None:
    """Return a part of the zip archive whose checksum is wrong, or None; torch does not look at checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.compress_type == zipfile.ZIP_STORED:  # as torch writes; another kind may unpack to any size
                    with archive.open(entry) as member:
                        while member.read(2**20):
                            pass
    except zipfile.BadZipFile as error:
        return entry.filename if "CRC" in str(error) else None
    except Exception:  # an older checkpoint is no archive; of a broken one torch says more
        return None
    return None


def _why_refused(error: Exception, path: Path) -> str:
    if code := _code_in_message(str(error)) or _code_in_pickle(path):
        return f"refused because it holds code ({code}), not only weights; save net.state_dict() instead"
    with path.open("rb") as stream:
        head = stream.read(1024)
    if is_text(head):
        return "a text file, not a torch checkpoint"
    return "not a whole torch checkpoint (cut short, or another format)"


def _code_in_message(message: str) -> str | None:
    """Return the callable that torch's own refusal names, or None."""
    match = _CODE.search(message)
    return next((name for name in match.groups() if name), None) if match else None


def _code_in_pickle(path: Path) -> str | None:
    """Return the first callable that a plain pickle names, or None. The opcodes are listed, not run."""
    strings: list[str] = []
    try:
        with path.open("rb") as stream:
            for opcode, argument, _ in pickletools.genops(stream):
                if opcode.name == "STACK_GLOBAL":
                    return ".".join(strings[-2:])
                if not isinstance(argument, str):
                    continue
                if opcode.name == "GLOBAL":
                    return argument.replace(" ", ".")
                strings.append(argument)
    except Exception:  # no pickle, or one cut short
        return None
    return None


def _state_dict(content: object, path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the weights under upstream's names, taken out of `WRAPPERS` and without `STALE` keys."""
    for _ in WRAPPERS:  # a dict may hold itself
        if not isinstance(content, Mapping):
            break
        content = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), content)
    if not isinstance(content, Mapping) or not content:
        what = "an empty dict" if isinstance(content, Mapping) else f"a {type(content).__name__}"
        raise InputError(f"{path}: holds {what}, not a state_dict")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(
                f"{path}: not a state_dict: {name!r} is a {type(value).__name__}, not a tensor with a name"
            )
    return {_bare(name): value for name, value in content.items() if not STALE.search(name)}


def _part(
    state: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: str | os.PathLike[str]
) -> dict[str, Tensor]:
    """Return the weights of the network with the names `expected`, if those in `state` have words before them."""
    names = {name for name in expected if not name.endswith("num_batches_tracked")}
    if not names or state.keys() & names:
        return dict(state)
    first = min(names)
    prefixes = [name.removesuffix(first) for name in state if name.endswith(f".{first}")]
    fitting = [prefix for prefix in prefixes if all(prefix + name in state for name in names)]
    if len(fitting) > 1:
        raise InputError(f"{path}: has the weights of several such networks: {', '.join(fitting)}; save one alone")
    before = fitting[0] if fitting else ""
    return {name.removeprefix(before): value for name, value in state.items() if name.startswith(before)}


def _width(state: Mapping[str, Tensor], path: str | os.PathLike[str]) -> int:
    if WIDTH_KEY not in state:
        first = next(iter(state), None)
        raise InputError(f"{path}: a checkpoint of another network: no {WIDTH_KEY!r}; its first key is {first!r}")
    shape = tuple(state[WIDTH_KEY].shape)
    if shape[1:] != FIRST_KERNEL or not shape[0]:
        raise InputError(f"{path}: {WIDTH_KEY!r} has the shape {shape}, not (width, {str(FIRST_KERNEL)[1:]}")
    WIDTH.require(shape[0], path)
    return shape[0]


def _misfit(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str | None:
    """Return the first key that is missing, unknown or of another shape, in words, or None."""
    for name, reference in expected.items():
        if name not in state:
            return f"no key {name!r}; its first key is {next(iter(state), None)!r}"
        if state[name].shape != reference.shape:
            return f"{name!r} has the shape {tuple(state[name].shape)}, not {tuple(reference.shape)}"
    unknown = next((name for name in state if name not in expected), None)
    return f"unknown key {unknown!r}" if unknown else None


def _fault(state: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> str | None:
    """Return the first wrong key, shape or value in words, or None."""
    for name, reference in expected.items():
        if name not in state:
            return f"no key {name!r}"
        value = state[name]
        if value.shape != reference.shape:
            return f"{name!r} has the shape {tuple(value.shape)}, not {tuple(reference.shape)}"
        if value.dtype not in FLOATS or value.layout != torch.strided or value.is_meta:
            return f"{name!r} is of {value.dtype} and {value.layout} on {value.device}, not dense floats with values"
        if not value.isfinite().all():
            return f"{name!r} holds NaN or Inf"
    unknown = next((name for name in state if name not in expected), None)
    return None if unknown is None else f"unknown key {unknown!r}"


def _bare(name: str) -> str:
    while name.startswith(PREFIXES):
        name = name.split(".", 1)[1]
    return name
