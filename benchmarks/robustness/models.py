"""Small valid models of many kinds, and ways to break them: what a stranger's file may hold."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

TEXTS = (
    """<ir_version: 8, opset_import: ["" : 18]>
    style (float[1, 3, 12, 16] x) => (float[1, 3, 24, 32] y) {
        pads = Constant <value_ints = [0, 0, 1, 1, 0, 0, 1, 1]> ()
        a = Pad <mode = "reflect"> (x, pads)
        b = Conv (a, w)
        c = InstanceNormalization (b, s, t)
        d = Relu (c)
        none = Constant <value_floats = [1.0]> ()
        scales = Constant <value_floats = [1.0, 1.0, 2.0, 2.0]> ()
        y = Resize <mode = "nearest"> (d, , scales)
    }""",
    """<ir_version: 8, opset_import: ["" : 13]>
    parts (float[2, 6, N] x) => (float[2, 3, N] y, float[2, 3, N] z) {
        sizes = Constant <value_ints = [3, 3]> ()
        a, b = Split <axis = 1> (x, sizes)
        c = Sigmoid (a)
        y = Mul (c, b)
        z = Identity (a)
    }""",
    """<ir_version: 8, opset_import: ["" : 17]>
    attention (float[1, 4, 8] x) => (float[1, 4, 8] y) {
        shape = Constant <value_ints = [1, 4, 2, 4]> ()
        r = Reshape (x, shape)
        q = Transpose <perm = [0, 2, 1, 3]> (r)
        k = Transpose <perm = [0, 2, 3, 1]> (r)
        p = MatMul (q, k)
        m = Softmax <axis = -1> (p)
        o = MatMul (m, q)
        t = Transpose <perm = [0, 2, 1, 3]> (o)
        back = Constant <value_ints = [1, 4, 8]> ()
        u = Reshape (t, back)
        y = LayerNormalization <axis = -1> (u, g)
    }""",
    """<ir_version: 8, opset_import: ["" : 11]>
    tail (float[batch, 3, 8, 8] x) => (float[batch, 5] y, int64[batch, 1] i) {
        a = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)
        b = GlobalAveragePool (a)
        c = Flatten (b)
        d = Gemm <transB = 1> (c, v, bias)
        y = Clip (d, low, high)
        i = ArgMax <axis = 1> (d)
    }""",
    """<ir_version: 8, opset_import: ["" : 16]>
    choice (float[3, 4] x, bool flag) => (float[3, 4] y) {
        y = If (flag) <
            then_branch = yes () => (float[3, 4] t) { t = Abs (x) },
            else_branch = no () => (float[3, 4] e) { e = Neg (x) }
        >
    }""",
    """<ir_version: 8, opset_import: ["" : 16, "local" : 1]>
    calls (float[2, 3] x) => (float[2, 3] y) {
        a = local.twice (x)
        y = local.twice (a)
    }
    <domain: "local", opset_import: ["" : 16]>
    twice (v) => (w) { w = Add (v, v) }""",
    """<ir_version: 8, opset_import: ["" : 13]>
    pick (float[1, 4, 6] x) => (float[1, 4, 3] y) {
        starts = Constant <value_ints = [0]> ()
        ends = Constant <value_ints = [-1]> ()
        axes = Constant <value_ints = [2]> ()
        steps = Constant <value_ints = [2]> ()
        a = Slice (x, starts, ends, axes, steps)
        i = Constant <value_ints = [0, 2, 1]> ()
        y = Gather <axis = 2> (a, i)
    }""",
    """<ir_version: 8, opset_import: ["" : 14]>
    memory (float[5, 2, 3] x) => (float[5, 1, 2, 4] y, float[1, 2, 4] h) {
        y, h = GRU <hidden_size = 4> (x, gw, gr)
    }""",
    """<ir_version: 8, opset_import: ["" : 10]>
    small (float[1, 8] x) => (float[1, 8] y) {
        q = QuantizeLinear (x, scale, zero)
        d = DequantizeLinear (q, scale, zero)
        y = Tanh (d)
    }""",
    """<ir_version: 8, opset_import: ["" : 13]>
    sizes (float[1, 3, H, W] x) => (float[rows, cols] y) {
        s = Shape (x)
        i = Constant <value_ints = [2, 3]> ()
        hw = Gather (s, i)
        two = Constant <value_ints = [2, 2]> ()
        h = Div (hw, two)
        one = ConstantOfShape (h)
        y = Dropout (one)
    }""",
    """<ir_version: 3, opset_import: ["" : 7]>
    old (float[1, 2, 5, 5] x, float[2] s, float[2] b, float[2] m, float[2] v) => (float[1, 2, 10, 10] y) {
        a = BatchNormalization (x, s, b, m, v)
        c = LRN <size = 3> (a)
        y = Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (c)
    }""",
)
WEIGHTS = {
    "w": (3, 3, 3, 3),
    "s": (3,),
    "t": (3,),
    "g": (8,),
    "v": (5, 3),
    "bias": (5,),
    "low": (),
    "high": (),
    "gw": (1, 12, 3),
    "gr": (1, 12, 4),
    "scale": (),
}


@cache
def valid() -> tuple[ModelProto, ...]:
    """Return the valid models, with weights drawn once."""
    rng = np.random.default_rng(7)
    models = []
    for text in TEXTS:
        model = onnx.parser.parse_model(text)
        there = {value.name for value in model.graph.input} | {n for node in model.graph.node for n in node.output}
        for name in dict.fromkeys(n for node in model.graph.node for n in node.input if n and n not in there):
            array = np.zeros((), np.uint8) if name == "zero" else rng.normal(size=WEIGHTS[name]).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(np.abs(array) if name == "scale" else array, name))
        onnx.checker.check_model(model)
        models.append(model)
    return tuple(models)


def broken(rng: random.Random) -> bytes:
    """Return a valid model with one to four changes, or its bytes with some changed."""
    model = ModelProto()
    model.CopyFrom(rng.choice(valid()))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        change = rng.choice(CHANGES)
        try:
            change(model, rng)
        except (IndexError, ValueError, TypeError):  # nothing of the kind is left to change
            continue
    return model.SerializeToString()


def _node(model: ModelProto, rng: random.Random) -> NodeProto:
    every = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    return rng.choice(every)


def _name(model: ModelProto, rng: random.Random) -> str:
    return rng.choice([name for node in model.graph.node for name in (*node.input, *node.output)])


def _drop_node(model: ModelProto, rng: random.Random) -> None:
    del model.graph.node[rng.randrange(len(model.graph.node))]


def _repeat_node(model: ModelProto, rng: random.Random) -> None:
    model.graph.node.append(_node(model, rng))


def _shuffle_nodes(model: ModelProto, rng: random.Random) -> None:
    nodes = list(model.graph.node)
    rng.shuffle(nodes)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _rename_op(model: ModelProto, rng: random.Random) -> None:
    schemas = [each.name for each in onnx.defs.get_all_schemas()]
    _node(model, rng).op_type = rng.choice([*schemas, *schemas, "NoSuchOp", "", "\x1b[31mConv", "x" * 10_000])


def _rename_domain(model: ModelProto, rng: random.Random) -> None:
    _node(model, rng).domain = rng.choice(["", "ai.onnx", "com.microsoft", "local", "\x00", "ai.onnx.ml"])


def _drop_input(model: ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    del node.input[rng.randrange(len(node.input))]


def _empty_input(model: ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    node.input[rng.randrange(len(node.input))] = ""


def _more_inputs(model: ModelProto, rng: random.Random) -> None:
    _node(model, rng).input.extend([_name(model, rng)] * rng.choice((1, 3, 20)))


def _rewire(model: ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    node.input[rng.randrange(len(node.input))] = _name(model, rng)


def _outputs(model: ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    choice = rng.randrange(4)
    if choice == 0:
        node.output.append(rng.choice(["", "more", _name(model, rng)]))
    elif choice == 1:
        del node.output[:]
    elif choice == 2:
        node.output[0] = rng.choice(["", _name(model, rng)])
    else:
        node.output.extend(f"more{i}" for i in range(rng.choice((2, 40))))


def _graph_outputs(model: ModelProto, rng: random.Random) -> None:
    choice = rng.randrange(4)
    if choice == 0:
        model.graph.output.append(rng.choice(list(model.graph.output)))
    elif choice == 1:
        del model.graph.output[rng.randrange(len(model.graph.output))]
    elif choice == 2:
        model.graph.output.append(helper.make_tensor_value_info(_name(model, rng), TensorProto.FLOAT, None))
    else:
        rng.choice(model.graph.output).ClearField("type")


def _dims(model: ModelProto, rng: random.Random) -> None:
    value = rng.choice([*model.graph.input, *model.graph.output])
    shape = value.type.tensor_type.shape
    choice = rng.randrange(5)
    size = rng.choice((-1, 0, -(2**40), 2**40, 2**63 - 1, 7, 1))
    if choice == 0:
        del shape.dim[rng.randrange(len(shape.dim)) :]
    elif choice == 1:
        shape.dim.add().dim_value = size
    elif choice == 2:
        rng.choice(shape.dim).dim_param = rng.choice(["", "N", "-1", "a\x1b[2Jb", "N + 1"])
    else:
        rng.choice(shape.dim).dim_value = size


def _types(model: ModelProto, rng: random.Random) -> None:
    value = rng.choice([*model.graph.input, *model.graph.output])
    choice = rng.randrange(4)
    if choice == 0:
        value.type.sequence_type.elem_type.tensor_type.elem_type = TensorProto.FLOAT
    elif choice == 1:
        value.type.optional_type.elem_type.tensor_type.elem_type = TensorProto.FLOAT
    elif choice == 2:
        value.ClearField("type")
    else:
        value.type.tensor_type.elem_type = rng.choice((*range(30), 2**30, -1))


def _attribute(model: ModelProto, rng: random.Random) -> None:
    node = _node(model, rng)
    if not node.attribute or rng.random() < 0.2:
        node.attribute.append(helper.make_attribute(rng.choice(["axis", "mode", "perm", "pads", "to"]), _value(rng)))
        return
    index = rng.randrange(len(node.attribute))
    attribute = node.attribute[index]
    choice = rng.randrange(4)
    if choice == 0:
        del node.attribute[index]
    elif choice == 1:
        attribute.type = rng.randrange(16)
    elif choice == 2:
        node.attribute.append(attribute)
    else:
        attribute.CopyFrom(helper.make_attribute(attribute.name, _value(rng)))


def _value(rng: random.Random) -> object:
    return rng.choice(
        (
            rng.choice((-1, 0, 1, 2, 7, -(2**62), 2**62)),
            rng.choice((0.0, float("nan"), float("inf"), -1e38)),
            rng.choice(("", "nearest", "reflect", "\x1b]0;title\x07", "x" * 1000)),
            [rng.choice((-5, -1, 0, 1, 2, 3, 2**40)) for _ in range(rng.choice((1, 2, 3, 4, 8, 9)))],
            [rng.choice((0.0, 0.5, 2.0, float("nan"))) for _ in range(rng.choice((1, 4)))],
            numpy_helper.from_array(np.full(rng.choice(((), (1,), (0,), (2, 2))), rng.choice((0, 3, -2)), np.int64)),
        )
    )


def _weights(model: ModelProto, rng: random.Random) -> None:
    every = [*model.graph.initializer]
    every += [a.t for node in model.graph.node for a in node.attribute if a.HasField("t")]
    tensor = rng.choice(every)
    choice = rng.randrange(7)
    if choice == 0:
        tensor.raw_data += b"\x00\x00\x00\x00"
    elif choice == 1:
        tensor.raw_data = tensor.raw_data[: rng.randrange(len(tensor.raw_data) or 1)]
    elif choice == 2:
        tensor.data_type = rng.choice((*range(28), 99))
    elif choice == 3:
        tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice((-1, 0, 2**40, 1))
    elif choice == 4:
        tensor.name = rng.choice(["", _name(model, rng)])
    elif choice == 5:
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", rng.choice(["/etc/hostname", "../secret", "none.bin", ""])
    else:
        model.graph.initializer.remove(tensor)


def _opsets(model: ModelProto, rng: random.Random) -> None:
    choice = rng.randrange(4)
    if choice == 0:
        rng.choice(model.opset_import).version = rng.choice((-1, 0, 1, 6, 7, 9, 11, 13, 18, 21, 25, 99, 2**40))
    elif choice == 1:
        model.opset_import.add(domain=rng.choice(["", "ai.onnx", "local"]), version=rng.choice((1, 9, 17)))
    elif choice == 2:
        del model.opset_import[:]
    else:
        model.ir_version = rng.choice((0, 1, 3, 10, 11, 99, 2**40))


def _functions(model: ModelProto, rng: random.Random) -> None:
    function = rng.choice(model.functions)
    choice = rng.randrange(4)
    if choice == 0:
        function.node.append(helper.make_node(function.name, function.input, ["again"], domain=function.domain))
    elif choice == 1:
        model.functions.append(function)
    elif choice == 2:
        function.output[0] = "none"
    else:
        del function.opset_import[:]


def _text(model: ModelProto, rng: random.Random) -> None:
    text = rng.choice(["\x1b[2J\x07", "a\nb", "$x_{$", "<script>alert(1)</script>", "\u202egnp", "x" * 5000, "../../x"])
    choice = rng.randrange(4)
    if choice == 0:
        model.graph.name = text
    elif choice == 1:
        _node(model, rng).name = text
    elif choice == 2:
        entry = model.metadata_props.add()
        entry.key, entry.value = text, text
    else:
        old = _name(model, rng)
        for node in model.graph.node:
            for names in (node.input, node.output):
                for index, name in enumerate(names):
                    names[index] = text if name == old else name


CHANGES = (
    _drop_node,
    _repeat_node,
    _shuffle_nodes,
    _rename_op,
    _rename_domain,
    _drop_input,
    _empty_input,
    _more_inputs,
    _rewire,
    _outputs,
    _graph_outputs,
    _dims,
    _types,
    _attribute,
    _attribute,
    _weights,
    _opsets,
    _functions,
    _text,
)
"""Each changes one thing in a model, in place."""
