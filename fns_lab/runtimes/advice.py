"""What a RuntimeFault says at its end, when the target could not run the model as it was written anyway."""

from __future__ import annotations

from onnx import ModelProto

from fns_lab.targets import Target


def advice(model: ModelProto, target: Target) -> str:
    """Return the first reason that `check` gives against this model and the command that rewrites it, else nothing."""
    from fns_lab.targets.checking import check  # of which an engine that runs its models needs nothing

    try:
        table = check(model, target).table
    except Exception:  # the engine's own message says more about a model that cannot even be read
        return ""
    unsupported = table[~table.supported].to_dict("records")
    if not unsupported:
        return ""
    first = unsupported[0]
    return f"not supported: {first['op']}: {first['reason']}; run `fns-lab lower --target {target}`"
