"""What the browsers open: a site of one small network, and a fault page."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper

from fns_lab import images, models, photos, targets
from fns_lab.cli.site import SAMPLE
from fns_lab.compare import Finding, Subgraph
from fns_lab.export import onnx_from_torch
from fns_lab.nets.transformer import TransformerNet
from fns_lab.runtimes import run_in
from fns_lab.views.fault_page import fault_page

SIZE = (32, 32)
FAULT_TARGET = "onnxjs-0.1.8/webgl"
"""This engine spoils a value that is both reshaped and read elsewhere."""


class Quiet(SimpleHTTPRequestHandler):
    """A file server that sends no headers of its own, as most static hosts."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Write nothing."""


@contextlib.contextmanager
def serving_folder(folder: Path) -> Iterator[str]:
    """Serve a folder at an address of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def small_net() -> TransformerNet:
    """Return a network so small that a software GPU runs it in seconds, with colours in the middle of the range."""
    torch.manual_seed(0)
    net = TransformerNet(2).eval()
    with torch.no_grad():
        net.deconv3.conv2d.weight.mul_(60)
        net.deconv3.conv2d.bias.add_(128)
    return net


def styled_by_torch(net: torch.nn.Module, size: tuple[int, int]) -> np.ndarray:
    """Return the sample styled by PyTorch, `(H, W, 3)`, as whole pixel values."""
    with torch.inference_mode():
        y = net(torch.from_numpy(photos.load(SAMPLE, size))).numpy()
    return np.asarray(images.image_from_array(y), dtype=int)


def write_site(net: torch.nn.Module, folder: Path) -> Path:
    """Write the site of one network at `SIZE` and return its folder."""
    from fns_lab.cli import main

    model = models.save(onnx_from_torch(net, SIZE), folder / "small.onnx")
    if main(["site", str(model), "-o", str(folder / "site")]):
        raise RuntimeError("the site was not written")
    return folder / "site"


def write_fault_page(path: Path, target: str = FAULT_TARGET) -> Path:
    """Write the page of a value that is reshaped and read elsewhere, and return its path."""
    x = np.random.default_rng(0).uniform(-1, 1, (2, 3, 6, 10)).astype(np.float32)
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["flat"]),
        helper.make_node("ReduceMean", ["flat"], ["mean"], axes=[3]),
        helper.make_node("Sub", ["x", "mean"], ["y"]),
    ]
    shape = numpy_helper.from_array(np.array([2, 3, 1, 60]), "shape")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, x.shape) for name in ("x", "y")]
    graph = helper.make_graph(nodes, "fault", ends[:1], ends[1:], [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=3)
    expected = run_in("ort/cpu")(model, {"x": x})["y"]
    finding = Finding("y", ("Reshape", "ReduceMean", "Sub"), ("y",), "engine", 1.0, 0.01)
    page = fault_page(Subgraph(model, {"x": x}, "y", expected), finding, targets.load(target), truth="ort/cpu")
    path.write_text(page, encoding="utf-8")
    return path
