"""Broken files of the other kinds: images, checkpoints, descriptions of targets, arrays."""

from __future__ import annotations

import copy
import io
import random
import zipfile
from functools import cache
from typing import Any

import numpy as np


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return bytes with some flipped, cut off, put in, doubled or overwritten."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        if not result:
            break
        start = rng.randrange(len(result))
        length = min(len(result) - start, rng.choice((1, 1, 4, 64)))
        choice = rng.randrange(6)
        if choice < 2:
            result[start] ^= 1 << rng.randrange(8)
        elif choice == 2:
            del result[start:]
        elif choice == 3:
            result[start:start] = rng.randbytes(length)
        elif choice == 4:
            result[start:start] = result[start : start + length]
        else:
            result[start : start + length] = bytes([rng.choice((0, 255))]) * length
    return bytes(result)


def image(rng: random.Random) -> bytes:
    """Return a broken image file."""
    return mutated(rng.choice(_images()), rng)


@cache
def _images() -> tuple[bytes, ...]:
    from PIL import Image

    ramp = np.arange(20 * 31 * 3, dtype=np.uint32).reshape(20, 31, 3) * 7 % 256
    picture = Image.fromarray(ramp.astype(np.uint8))
    files = []
    for kind in ("PNG", "JPEG", "BMP", "TIFF", "GIF", "WEBP", "PPM"):
        stream = io.BytesIO()
        picture.save(stream, format=kind)
        files.append(stream.getvalue())
    files.append(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n")
    return tuple(files)


def checkpoint(rng: random.Random) -> bytes:
    """Return a broken checkpoint: its bytes changed, or keys, shapes and types of its weights."""
    import torch

    if rng.random() < 0.5:
        return mutated(_checkpoint(), rng)
    state = copy.copy(_state())
    name = rng.choice(list(state))
    choice = rng.randrange(7)
    if choice == 0:
        del state[name]
    elif choice == 1:
        state[rng.choice(["", "\x1b[2J", "conv9.weight", name + ".x"])] = torch.zeros(3)
    elif choice == 2:
        state[name] = torch.zeros(rng.choice(((), (0,), (2, 2), (7, 3, 9, 9))))
    elif choice == 3:
        state[name] = state[name].to(rng.choice((torch.int8, torch.bool, torch.complex64, torch.float8_e4m3fn)))
    elif choice == 4:
        state[name] = torch.full_like(state[name], rng.choice((float("nan"), float("inf"))))
    elif choice == 5:
        state[name] = torch.empty(2**40, device="meta")
    else:
        state = {"state_dict": state, "model": rng.choice((state, None, 3, [state]))}
        state["net"] = state if rng.random() < 0.5 else {}
    stream = io.BytesIO()
    torch.save(state, stream)
    return stream.getvalue()


@cache
def _checkpoint() -> bytes:
    import torch

    from fns_lab.nets.transformer import TransformerNet

    stream = io.BytesIO()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        torch.save(TransformerNet(1).state_dict(), stream)
    return stream.getvalue()


@cache
def _state() -> dict[str, Any]:
    import torch

    state: dict[str, Any] = torch.load(io.BytesIO(_checkpoint()), weights_only=True)
    return state


def toml(rng: random.Random) -> bytes:
    """Return a broken description of a target."""
    from fns_lab.targets.target import FOLDER

    return mutated((FOLDER / rng.choice(("onnxjs-0.1.8.toml", "ort.toml"))).read_bytes(), rng)


def arrays(rng: random.Random) -> tuple[bytes, str]:
    """Return a broken file of arrays, and its suffix."""
    x = np.arange(24, dtype=rng.choice((np.float32, np.int64, np.complex64))).reshape(2, 3, 4)
    stream = io.BytesIO()
    if rng.random() < 0.4:
        np.save(stream, x)
        return mutated(stream.getvalue(), rng), ".npy"
    kinds = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
    with zipfile.ZipFile(stream, "w", rng.choice(kinds)) as archive:
        member = io.BytesIO()
        np.save(member, x)
        archive.writestr("x.npy", member.getvalue())
    return mutated(stream.getvalue(), rng), ".npz"
