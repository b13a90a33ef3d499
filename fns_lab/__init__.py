"""Convert a network from PyTorch to ONNX to a smaller runtime, and prove op by op in that runtime that nothing broke.

`opset`: reads a node's constants, axes, pads and shapes, and converts it to another opset; knows no target.
`targets`: what each runtime accepts, one TOML file per runtime version, and `check` of a model against it.
`rewrite`: the rules from ONNX to ONNX, one file per rule, and `lower`, which applies them for a target.
`runtimes`: one runner per engine, all with `infer(feeds) -> {name: array}`; what is installed, and `doctor`.
`compare`: the error of each value between two models, the op that introduced it, and the smallest failing model.
`measure`: measurements in the engines: `bench`, `tune`, cost, precision, and the matrix of supported ops.
`views`: plots, Netron, widgets, and the notebooks as HTML reports.
`teaching`: faulty models as an exercise, and the check of the answers.
`nets`: the networks that are trained and converted, and their checkpoints.
`training`: the training loop, its losses and data.
`cli`: the commands of `fns-lab`.

Modules beside the rooms: `models` (ONNX files and graphs), `feeds` (arrays for a model's inputs), `images`, `photos`,
`export` (PyTorch to ONNX), `fetch` (downloads), `tables`, `files`, `paths`, `process`, `errors`.
"""

import os

# Both are read once, when the library is imported, also in the processes that this one starts.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
# Without it ONNX Runtime keeps a number of the machine in the user's cache folder and looks up the address of a server.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Threads of torch that wait for one another otherwise spin: beside other load that made a training step take 5 to 20
# times as long.
