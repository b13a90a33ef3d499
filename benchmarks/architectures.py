"""How many public architectures run, after lowering, in a runtime without their newer ops.

torchvision's networks with seeded weights, exported at opset 18 and lowered for each target; the outputs of the real
engine are compared with ONNX Runtime's of the network as exported. Statistics and weights of normalisations are drawn
too, so that no layer is a copy and no output a constant.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from onnx import ModelProto

from fns_lab.errors import RuntimeFault
from fns_lab.export import INPUT, OUTPUT, onnx_from_torch
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from fns_lab.targets import load

if TYPE_CHECKING:
    from torch import nn

TARGETS = ("onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm")
REFERENCE = "ort/cpu"
TIMEOUT_S = 600.0
RIGHT = 1e-3
"""Largest error of an engine that counts as right, as a fraction of the outputs' range."""
SIZE_PX = 64
ARCHITECTURES = (
    "squeezenet1_1",
    "shufflenet_v2_x1_0",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "vit",
    "lraspp_mobilenet_v3_large",
    "regnet_y_400mf",
    "efficientnet_b0",
    "googlenet",
    "densenet121",
    "resnet18",
    "convnext_tiny",
    "fcn_resnet50",
    "vgg11",
)
"""From small to large. `vit` is torchvision's Vision Transformer with 3 layers of width 192."""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(ARCHITECTURES, options.target or TARGETS)


def run(names: Sequence[str], targets: Sequence[str]) -> dict:
    """Lower each architecture for each target and run it there.

    Returns a JSON object with `title` and `rows`, one row per architecture and target:

    - `model`, `mb`: its name, and megabytes as exported
    - `target`: where it runs after lowering
    - `before`, `after`: nodes before and after lowering
    - `right`: whether `error` is within `RIGHT`
    - `error`: largest absolute error over the outputs' range; None if it did not run
    - `ms`: milliseconds of the first run
    - `stopped_by`: why it did not run; an empty string if it did
    """
    from tqdm import tqdm

    rows = []
    for name in tqdm(names, desc="architectures"):
        model = exported(name)
        x = np.random.default_rng(0).normal(0, 1, (1, 3, SIZE_PX, SIZE_PX)).astype(np.float32)
        with open_runner(model, REFERENCE) as runner:
            expected = runner.infer({INPUT: x})[OUTPUT]
        size_mb = model.ByteSize() / 1e6
        rows += [{"model": name, "mb": round(size_mb, 1)} | _row(model, target, x, expected) for target in targets]
    return {"title": f"{len(names)} architectures of torchvision at {SIZE_PX} x {SIZE_PX} pixels", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


def exported(name: str) -> ModelProto:
    """Return the network with seeded weights, `(1, 3, 64, 64)` to classes or to a map of classes."""
    import torch

    torch.manual_seed(0)
    net = _built(name)
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d | torch.nn.LayerNorm):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0, 0.1)
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(0, 0.1)
                module.running_var.uniform_(0.5, 1.5)
    return onnx_from_torch(net, (SIZE_PX, SIZE_PX))


def _built(name: str) -> nn.Module:
    import torch
    from torchvision import models
    from torchvision.models import segmentation

    if name == "vit":
        net = models.VisionTransformer(SIZE_PX, 16, num_layers=3, num_heads=3, hidden_dim=192, mlp_dim=768)
        torch.nn.init.normal_(net.heads.head.weight, 0, 0.05)  # it starts at 0
        return net
    if name == "googlenet":
        return models.googlenet(weights=None, aux_logits=False, init_weights=True)
    if hasattr(segmentation, name):
        return _MapOnly(getattr(segmentation, name)(weights=None, weights_backbone=None))
    return getattr(models, name)(weights=None)


def _MapOnly(net: nn.Module) -> nn.Module:
    """Unwrap a segmentation network: its output alone, not a dictionary."""
    import torch

    class MapOnly(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x):
            return self.net(x)["out"]

    return MapOnly()


def _row(model: ModelProto, target: str, x: np.ndarray, expected: np.ndarray) -> dict:
    lowered = lower(model, load(target))
    row = {"target": target, "before": lowered.nodes_before, "after": lowered.nodes_after}
    row |= {"right": False, "error": None, "ms": None, "stopped_by": ""}
    if not lowered:
        return row | {"stopped_by": "; ".join(lowered.refused.reason.unique())}
    with contextlib.ExitStack() as stack:
        try:
            runner = stack.enter_context(open_runner(lowered.model, target, timeout_s=TIMEOUT_S))
            actual = runner.infer({INPUT: x})[OUTPUT]
        except RuntimeFault as fault:
            return row | {"stopped_by": fault.message}
        error = float(np.abs(actual - expected).max() / np.ptp(expected))
        return row | {"error": error, "ms": round(runner.ms), "right": error <= RIGHT}
