"""Export PyTorch networks to ONNX with torch's dynamo exporter, reproducibly and with readable names.

Values are named after the module that computes them (`res1.conv1.conv2d`, `in4`, `res2`), so that a regular network and
its basic-op rewrite pair up by name, and two exports of one network are the same bytes.
"""

from fns_lab.export.program import (
    EXAMPLE_SIZE,
    INPUT,
    LOWEST_OPSET,
    OUTPUT,
    Exported,
    export,
    onnx_from_checkpoint,
    onnx_from_torch,
)

__all__ = [
    "EXAMPLE_SIZE",
    "INPUT",
    "LOWEST_OPSET",
    "OUTPUT",
    "Exported",
    "export",
    "onnx_from_checkpoint",
    "onnx_from_torch",
]
