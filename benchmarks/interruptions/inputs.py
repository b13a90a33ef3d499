"""The files that the interrupted commands read, and a server for the one that downloads."""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import nbformat
import numpy as np

from fns_lab import images, models, photos


def make(folder: Path) -> None:
    """Write a model, an input, a network, photographs, a notebook and an archive of networks to a folder."""
    import torch

    from fns_lab.fetch import upstream
    from fns_lab.nets import checkpoints
    from fns_lab.nets.transformer import TransformerNet

    for name in ("out", "photos", "served"):
        (folder / name).mkdir()
    make_model(folder)
    checkpoints.save(TransformerNet(4), folder / "net.pth")
    for number in range(3):
        images.save(photos.load("astronaut", (96 + number, 128)), folder / "photos" / f"{number}.png")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("print(sum(range(10)))")])
    nbformat.write(notebook, folder / "short.ipynb")
    with zipfile.ZipFile(folder / "served" / upstream.ARCHIVE, "w") as archive:
        for name in upstream.MODELS:
            torch.save(TransformerNet(4).state_dict(), stream := io.BytesIO())
            archive.writestr(f"saved_models/{name}", stream.getvalue())


def make_model(folder: Path) -> None:
    """Write a small network to `m.onnx` and an input of it to `x.npy`."""
    from tests import small_network

    models.save(small_network.regular(), folder / "m.onnx")
    np.save(folder / "x.npy", next(iter(small_network.feeds().values())))


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Yield the address of a server of the folder's files."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""
