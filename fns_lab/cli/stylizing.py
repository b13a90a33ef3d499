"""What `fns-lab eval` does with images: stylize one, or all of a folder that are not done yet."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fns_lab.cli.common import note
from fns_lab.errors import InputError, shape_text

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

    from fns_lab.nets.transformer import TransformerNet

Stylizer = Callable[[Path], "np.ndarray"]
"""Returns an image file stylized, `(1, 3, H, W)`, RGB, 0..255."""


def stylizer_of_net(net: TransformerNet, scale: float | None, device: str, scratch: Path) -> Stylizer:
    """Return a stylizer that runs a network in PyTorch, on the CPU in strips where memory is too small for the whole.

    The temporary files of strips lie in the folder `scratch`. It raises `InputError` for an image too large for memory
    or for that folder's disk.
    """
    import torch

    from fns_lab import images
    from fns_lab.limits import available_bytes
    from fns_lab.nets.transformer import memory_bytes, stylize

    net = net.to(device)

    def stylized(path: Path) -> np.ndarray:
        if device == "cpu":
            size, free = images.size_px(path, scale=scale), available_bytes()
            if free is not None and memory_bytes(net.width, *size) > free:
                return _stylized_in_strips(net, path, size, scale, scratch)
        x = images.load(path, scale=scale)
        y: np.ndarray = stylize(net, torch.from_numpy(x).to(device)).cpu().numpy()
        return y

    return stylized


def _stylized_in_strips(
    net: TransformerNet, path: Path, size: tuple[int, int], scale: float | None, scratch: Path
) -> np.ndarray:
    """Return an image stylized, `(1, 3, H, W)`, uint8."""
    import numpy as np
    from tqdm import tqdm

    from fns_lab import images
    from fns_lab.limits import GIB, require_disk, require_memory
    from fns_lab.nets import strips

    what, fix, disk = (
        f"{path}: {shape_text(size)} px",
        "give a --content-scale above 1",
        strips.disk_bytes(net.width, *size),
    )
    require_memory(strips.memory_bytes(*size), what, fix)
    require_disk(disk, scratch, what, fix)
    note(f"{what}: in strips, with {disk / GIB:.1f} GiB of temporary files in {scratch}, to fit in memory")
    y = np.empty((*size, 3), np.uint8)
    first = 0
    with tqdm(total=strips.LAYERS, desc=path.name, unit="layer", delay=1, leave=False) as bar:
        for rows in strips.stylize(net, images.load_pixels(path, scale=scale), scratch, bar.update):
            y[first : first + rows.shape[2]] = rows[0].permute(1, 2, 0).round().numpy()
            first += rows.shape[2]
    return y.transpose(2, 0, 1)[None]


def stylizer_of_model(path: Path, scale: float | None) -> Stylizer:
    """Return a stylizer that runs an ONNX file in ONNX Runtime.

    H and W of its results are those of the model, or of the image if the model leaves them free.
    """
    from fns_lab import images, models
    from fns_lab.limits import require_memory
    from fns_lab.measure.cost import memory_bytes
    from fns_lab.nets.transformer import DOWNSAMPLING, SMALLEST_SIZE_PX
    from fns_lab.runtimes import open_runner
    from fns_lab.sizes import with_input_shapes

    model = models.load(path)
    name, (h, w) = _image_input(model, path)
    size = (h, w) if isinstance(h, int) and isinstance(w, int) else None
    if size:
        note(f"{path} takes {h}x{w} pixels only: the image is scaled and cut to that")
    runner = open_runner(model, "ort/cpu")

    @functools.cache
    def needed(height: int, width: int) -> int:
        return memory_bytes(with_input_shapes(model, {name: (1, 3, height, width)}))

    def stylized(image: Path) -> np.ndarray:
        if not size:
            whole = images.size_px(image, scale=scale)
            require_memory(needed(*whole), f"{image}: {shape_text(whole)} px", "give a --content-scale above 1")
        x = images.load(image, scale=scale, size=size)
        height, width = x.shape[2:]
        if not size:
            if min(height, width) < SMALLEST_SIZE_PX:
                least = f"{SMALLEST_SIZE_PX}x{SMALLEST_SIZE_PX}"
                raise InputError(f"{image}: {height}x{width} px is too small; give at least {least}")
            x = _edge_pad(x, DOWNSAMPLING)
        y = next(iter(runner.infer({name: x}).values()))
        return y[..., :height, :width]

    return stylized


def is_many(contents: Sequence[Path]) -> bool:
    """Return whether several images are meant."""
    return len(contents) > 1 or contents[0].is_dir()


def stylize_all(contents: Sequence[Path], folder: Path, model: Path, stylized: Stylizer, *, overwrite: bool) -> int:
    """Stylize images and folders of them into `folder`, under their names, and return the exit code.

    An output that is newer than its input and the network is left alone, unless `overwrite`. Of the processes of
    `accelerate launch` or torchrun each takes its share; they do not wait for each other.
    """
    from tqdm import tqdm

    from fns_lab import images

    jobs = _jobs(contents, folder)[_number("RANK", 0) :: _number("WORLD_SIZE", 1)]
    waiting = [job for job in jobs if overwrite or not _is_done(*job, model)]
    failed = 0
    bar = tqdm(waiting, "stylizing", delay=1, leave=False)
    for source, output in bar:
        try:
            y = stylized(source)
        except InputError as error:
            bar.clear()
            note(f"skipped: {source}: {str(error).removeprefix(f'{source}: ')}")
            failed += 1
            continue
        output.parent.mkdir(parents=True, exist_ok=True)
        images.save(y, output)
    done = len(jobs) - len(waiting)
    print(f"{folder}: {len(waiting) - failed} written, {done} were done, {failed} could not be read or stylized")
    return 1 if failed else 0


def _number(variable: str, default: int) -> int:
    """Return a number that accelerate and torchrun tell each process that they start."""
    return int(os.environ.get(variable, default))


def _jobs(contents: Sequence[Path], folder: Path) -> list[tuple[Path, Path]]:
    """Return each image with the file to write. Raises `InputError` for a folder without images, or one name twice."""
    from fns_lab.images import SUFFIXES

    jobs: dict[Path, Path] = {}
    for content in contents:
        found = [content]
        if content.is_dir():
            found = sorted(path for path in content.rglob("*") if path.suffix.lower() in SUFFIXES)
            if not found:
                raise InputError(f"{content}: no images in it")
        for source in found:
            name = source.relative_to(content) if content.is_dir() else Path(source.name)
            output = folder / (name if name.suffix.lower() in SUFFIXES else name.with_suffix(".png"))
            if output in jobs:
                raise InputError(f"{source} and {jobs[output]} would both be written to {output}")
            if output.resolve() == source.resolve():
                raise InputError(f"{folder}: {source} would be replaced; give another folder")
            jobs[output] = source
    return [(source, output) for output, source in jobs.items()]


def _is_done(source: Path, output: Path, model: Path) -> bool:
    try:
        return output.stat().st_mtime_ns > max(source.stat().st_mtime_ns, model.stat().st_mtime_ns)
    except OSError:
        return False


def _image_input(model: ModelProto, path: Path) -> tuple[str, tuple[int | str, int | str]]:
    from fns_lab import models

    shapes = models.input_shapes(model)
    for name, shape in shapes.items():
        if len(shapes) == 1 and len(shape) == 4 and shape[1] == 3:
            return name, (shape[2], shape[3])
    raise InputError(f"{path}: not a style network; its inputs are {shapes}, not a single one of 1x3xHxW")


def _edge_pad(x: np.ndarray, multiple: int) -> np.ndarray:
    import numpy as np

    h, w = x.shape[2:]
    return np.pad(x, ((0, 0), (0, 0), (0, -h % multiple), (0, -w % multiple)), mode="edge")
