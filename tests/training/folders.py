"""Folders to train on: small photographs of noise, and images broken in ten ways."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

BROKEN = {
    "a/cut.jpg": "a broken image",
    "a/cut.png": "a broken image",
    "b/bad_crc.png": "not an image",
    "b/empty.jpg": "not an image",
    "b/folder.jpg": "a folder, not a file",
    "gone.png": "no such file",
    "header_only.jpg": "a broken image",
    "no_size.png": "image",
    "random.jpeg": "not an image",
    "text.png": "not an image",
}
"""File name to a part of the message about it."""


def noise(seed: int, h: int = 24, w: int = 36) -> np.ndarray:
    """`(H, W, 3)`, uint8: smooth enough that its mirror image differs, and different for every seed."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((w, h), Image.BICUBIC))


def good_folder(folder: Path, count: int) -> Path:
    """`count` photographs, in two folders and as two kinds of file."""
    for index in range(count):
        path = folder / ("near" if index % 2 else "far/away") / f"photo{index:02d}.{'jpg' if index % 3 else 'png'}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(index)).save(path)
    return folder


def mixed_folder(folder: Path) -> Path:
    """Thirty images, ten of them `BROKEN`."""
    good_folder(folder, 20)
    jpeg, png = encoded("JPEG"), encoded("PNG")
    wrong_crc = bytes(255 - byte for byte in png[29:33])  # of the header: its size may be wrong as well
    header = struct.pack(">IIBBBBB", 0, 0, 8, 2, 0, 0, 0)
    no_size = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    contents = {
        "a/cut.jpg": jpeg[: len(jpeg) * 2 // 3],
        "a/cut.png": png[: len(png) // 2],
        "b/bad_crc.png": png[:29] + wrong_crc + png[33:],
        "b/empty.jpg": b"",
        "header_only.jpg": jpeg[:12],
        "no_size.png": png[:8] + no_size + png[33:],
        "random.jpeg": np.random.default_rng(0).bytes(4000),
        "text.png": b"an image would be here\n",
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "b/folder.jpg").mkdir()
    (folder / "gone.png").symlink_to(folder / "moved_away.png")
    return folder


def encoded(kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(noise(99, 48, 64)).save(stream, format=kind)
    return stream.getvalue()
