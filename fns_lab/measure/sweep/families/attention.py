"""Attention and RotaryEmbedding."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import LEFT_OUT, NONE_OR_ALL
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

BATCH = (1, 2, 3)
HEADS = ((2, 2), (1, 1), (4, 2), (3, 1))
"""Heads of the queries, and of the keys and values."""
DEPTHS = (8, 4, 16, 2, 64, 6)


def _attention_axes(op: str) -> Axes:
    return {
        "rank": (4, 3), "batch": BATCH, "heads": HEADS, "queries": (3, 1, 7, 17), "keys": (5, 1, 8, 16),
        "depth": DEPTHS, "value depth": ("same", "other"), "mask": (LEFT_OUT, "true or false", "added", "per head"),
        "past": (LEFT_OUT, 2, 1), "outputs": (1, 3, 4), "attribute is_causal": (LEFT_OUT, 0, 1),
        "attribute scale": (LEFT_OUT, 0.25), "attribute softcap": (LEFT_OUT, 2.0),
        "attribute softmax_precision": (LEFT_OUT, 1),
        "attribute qk_matmul_output_mode": (LEFT_OUT, 0, 1, 2, 3), "type": ("float32", "float16"),
    }  # fmt: skip


def _attention(draw: Draw) -> Inputs:
    batch, (heads, shared), depth = draw["batch"], draw["heads"], draw["depth"]
    value_depth = depth if draw["value depth"] == "same" else depth + 2
    past = draw["past"] or 0
    draw.outputs = draw["outputs"]
    draw.require(past or draw.outputs == 1)  # what comes out for the next step is what was given and what is new
    if draw["rank"] == 3:
        draw.set("q_num_heads", heads)
        draw.set("kv_num_heads", shared)

    def tensor(count: int, steps: int, size: int) -> np.ndarray:
        return draw.array((batch, steps, count * size) if draw["rank"] == 3 else (batch, count, steps, size))

    keys, total = draw["keys"], draw["keys"] + past
    inputs = [tensor(heads, draw["queries"], depth), tensor(shared, keys, depth), tensor(shared, keys, value_depth)]
    before = [draw.array((batch, shared, past, size)) for size in (depth, value_depth)] if past else []
    return [*inputs, _mask(draw, heads, total), *before]


def _mask(draw: Draw, heads: int, total: int) -> np.ndarray | None:
    if draw["mask"] is LEFT_OUT:
        return None
    shape = (draw["queries"], total)
    if draw["mask"] == "true or false":
        mask = draw.array(shape, dtype=bool)
        mask[:, 0] = True  # the softmax of nothing is not defined
        return mask
    return draw.array((draw["batch"], heads, *shape) if draw["mask"] == "per head" else shape)


def _rotary_axes(op: str) -> Axes:
    return {
        "rank": (4, 3), "batch": BATCH, "heads": (2, 1, 3), "steps": (3, 1, 7), "depth": DEPTHS,
        "turned": ("all", "half"), "positions": ("given", LEFT_OUT), "attribute interleaved": (LEFT_OUT, 0, 1),
        "type": ("float32", "float16"),
    }  # fmt: skip


def _rotary(draw: Draw) -> Inputs:
    batch, heads, steps, depth = draw["batch"], draw["heads"], draw["steps"], draw["depth"]
    turned = depth if draw["turned"] == "all" else depth // 2
    draw.require(turned % 2 == 0)
    if draw["turned"] == "half":
        draw.set("rotary_embedding_dim", turned)
    if draw["rank"] == 3:
        draw.set("num_heads", heads)
    x = draw.array((batch, steps, heads * depth) if draw["rank"] == 3 else (batch, heads, steps, depth))
    if draw["positions"] is LEFT_OUT:
        angles = draw.array((batch, steps, turned // 2), -3.0, 3.0, np.float64)
        return [x, *(f(angles).astype(x.dtype) for f in (np.cos, np.sin))]
    angles = draw.array((steps + 2, turned // 2), -3.0, 3.0, np.float64)
    positions = draw.rng.integers(0, steps + 2, (batch, steps))
    return [x, *(f(angles).astype(x.dtype) for f in (np.cos, np.sin)), positions]


FAMILIES = (
    Family(("Attention",), _attention_axes, _attention, constants=NONE_OR_ALL),
    Family(("RotaryEmbedding",), _rotary_axes, _rotary),
)
