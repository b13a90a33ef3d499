// ONNX files as bytes: what a file says of itself, and the few changes that a page makes to it. A file is a protobuf
// message (onnx.proto3): a sequence of fields, each with a number, a wire type and a value. Fields that are not read
// here are copied unchanged.

/** @typedef {{ number: number, wire: number, value: Uint8Array | bigint }} Field */
/** @typedef {{ name: string, type: string, dims: (number | string)[] }} ValueInfo */
/** @typedef {{ name: string, op: string, domain: string, inputs: string[], outputs: string[] }} Node */

/**
 * What a file says of itself. Inputs are those that are no initializers. A free dimension is its name, or "?".
 * @typedef {object} ModelInfo
 * @property {number} irVersion
 * @property {Record<string, number>} opsets  by domain, "" for ONNX's own
 * @property {ValueInfo[]} inputs
 * @property {ValueInfo[]} outputs
 * @property {Node[]} nodes
 * @property {string[]} external  other files in which it keeps weights
 */

const VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5;
const MODEL = { irVersion: 1, graph: 7, opset: 8 };
const GRAPH = { node: 1, initializer: 5, input: 11, output: 12, valueInfo: 13 };
const TENSOR = { name: 8, external: 13 };
const NODE = { input: 1, output: 2, name: 3, op: 4, domain: 7 };
export const TYPES = [
  "", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "float64", "uint32",
  "uint64",
];
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** @param {Uint8Array} bytes @returns {Field[]} */
export function readFields(bytes) {
  const fields = [];
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length || shift > 63n) throw new Error("not an ONNX file, or cut short");
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asUintN(64, value);
    }
  };
  const take = (/** @type {number} */ size) => {
    if (at + size > bytes.length) throw new Error("not an ONNX file, or cut short");
    at += size;
    return bytes.subarray(at - size, at);
  };
  while (at < bytes.length) {
    const tag = Number(varint());
    const wire = tag & 7;
    if (tag < 8 || ![VARINT, FIXED64, BYTES, FIXED32].includes(wire)) throw new Error("not an ONNX file");
    const value = wire === VARINT ? varint() : take(wire === BYTES ? Number(varint()) : wire === FIXED64 ? 8 : 4);
    fields.push({ number: tag >> 3, wire, value });
  }
  return fields;
}

/** @param {Uint8Array[]} parts */
function concatenated(parts) {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** @param {bigint} value */
function varintBytes(value) {
  const bytes = [];
  for (; value > 127n; value >>= 7n) bytes.push(Number(value & 127n) | 128);
  return Uint8Array.from([...bytes, Number(value)]);
}

/** @param {Field[]} fields */
export function writeFields(fields) {
  return concatenated(fields.flatMap(({ number, wire, value }) => {
    const tag = varintBytes(BigInt(number * 8 + wire));
    if (typeof value === "bigint") return [tag, varintBytes(value)];
    return wire === BYTES ? [tag, varintBytes(BigInt(value.length)), value] : [tag, value];
  }));
}

/** @param {number} number @param {Uint8Array | string | Field[]} value @returns {Field} */
function bytesField(number, value) {
  const bytes = typeof value === "string" ? encoder.encode(value) : Array.isArray(value) ? writeFields(value) : value;
  return { number, wire: BYTES, value: bytes };
}

/** @param {number} number @param {number} value @returns {Field} */
const varintField = (number, value) => ({ number, wire: VARINT, value: BigInt(value) });

/** @param {Field[]} fields @param {number} number @returns {any[]} */
const values = (fields, number) => fields.filter((field) => field.number === number).map(({ value }) => value);

/** @param {Field[]} fields @param {number} number */
const strings = (fields, number) => values(fields, number).map((value) => decoder.decode(value));

/** @param {Field[]} fields @param {number} number */
const message = (fields, number) => values(fields, number).flatMap((value) => readFields(value));

/** @param {Uint8Array} bytes @returns {ValueInfo} */
function readValueInfo(bytes) {
  const fields = readFields(bytes);
  const tensor = message(message(fields, 2), 1);
  const dims = values(message(tensor, 2), 1).map((dimension) => {
    const parts = readFields(dimension);
    const [length] = values(parts, 1);
    return length === undefined ? strings(parts, 2)[0] || "?" : Number(length);
  });
  return { name: strings(fields, 1)[0] || "", type: TYPES[Number(values(tensor, 1)[0] || 0)] || "other", dims };
}

/** @param {{ name: string, type: string, dims: (number | string)[] | null }} info  without dims, its rank is open */
function writeValueInfo({ name, type, dims }) {
  const shape = dims?.map((length) =>
    bytesField(1, typeof length === "number" ? [varintField(1, length)] : [bytesField(2, length)]));
  const tensor = [varintField(1, TYPES.indexOf(type)), ...(shape ? [bytesField(2, shape)] : [])];
  return writeFields([bytesField(1, name), bytesField(2, [bytesField(1, tensor)])]);
}

/** @param {Uint8Array} bytes @returns {Node} */
function readNode(bytes) {
  const fields = readFields(bytes);
  const [op = "", name = "", domain = ""] = [NODE.op, NODE.name, NODE.domain].map((n) => strings(fields, n)[0]);
  return { name, op, domain, inputs: strings(fields, NODE.input), outputs: strings(fields, NODE.output) };
}

/**
 * Returns what a file says of itself. Throws for bytes that are no ONNX file.
 * @param {Uint8Array} bytes
 * @returns {ModelInfo}
 */
export function readModel(bytes) {
  const model = readFields(bytes);
  const graph = message(model, MODEL.graph);
  const nodes = values(graph, GRAPH.node).map(readNode);
  if (!nodes.length || !nodes.every(({ op }) => op)) throw new Error("not an ONNX file: it has no nodes");
  const opsets = values(model, MODEL.opset).map((opset) => {
    const fields = readFields(opset);
    return [strings(fields, 1)[0] || "", Number(values(fields, 2)[0] || 0)];
  });
  const tensors = values(graph, GRAPH.initializer).map(readFields);
  const stored = new Set(tensors.map((fields) => strings(fields, TENSOR.name)[0]));
  const entries = tensors.flatMap((fields) => values(fields, TENSOR.external)).map((entry) => {
    const fields = readFields(entry);
    return [strings(fields, 1)[0], strings(fields, 2)[0]];
  });
  return {
    irVersion: Number(values(model, MODEL.irVersion)[0] || 0),
    opsets: Object.fromEntries(opsets),
    inputs: values(graph, GRAPH.input).map(readValueInfo).filter(({ name }) => !stored.has(name)),
    outputs: values(graph, GRAPH.output).map(readValueInfo),
    nodes,
    external: [...new Set(entries.filter(([key]) => key === "location").map(([, file]) => file))],
  };
}

/**
 * @param {Uint8Array} bytes
 * @param {(graph: Field[]) => Field[]} change
 */
function withGraph(bytes, change) {
  const model = readFields(bytes);
  const graph = bytesField(MODEL.graph, change(message(model, MODEL.graph)));
  return writeFields([...model.filter(({ number }) => number !== MODEL.graph), graph]);
}

/**
 * Returns the file with these shapes of inputs, by name, in place of its own. Where that changes a size that it declares,
 * the sizes of its outputs become free, and those of its inner values are left out.
 * @param {Uint8Array} bytes
 * @param {Record<string, number[]>} shapes
 */
export function withInputShapes(bytes, shapes) {
  return withGraph(bytes, (graph) => {
    const inputs = values(graph, GRAPH.input).map(readValueInfo);
    const isResized = inputs.some(({ name, dims }) =>
      shapes[name] && dims.some((size, axis) => typeof size === "number" && size > 0 && size !== shapes[name][axis]));
    const kept = isResized ? graph.filter(({ number }) => number !== GRAPH.valueInfo) : graph;
    return kept.map((field) => {
      const isOutput = isResized && field.number === GRAPH.output;
      if (field.number !== GRAPH.input && !isOutput) return field;
      const info = readValueInfo(/** @type {Uint8Array} */ (field.value));
      const dims = isOutput ? info.dims.map((_, axis) => `${info.name} ${axis}`) : shapes[info.name];
      return dims && info.type !== "other" ? bytesField(field.number, writeValueInfo({ ...info, dims })) : field;
    });
  });
}

/**
 * Returns the file with more outputs.
 * @param {Uint8Array} bytes
 * @param {{ name: string, type: string, dims: (number | string)[] | null }[]} infos
 */
export function withOutputs(bytes, infos) {
  const outputs = infos.map((info) => bytesField(GRAPH.output, writeValueInfo(info)));
  return withGraph(bytes, (graph) => [...graph, ...outputs]);
}

/**
 * Returns the file that a site stores in two parts: `head` has all but the large initializers; these are the slices
 * of `weights`, each a run of whole fields of the graph.
 * @param {Uint8Array} head
 * @param {Uint8Array} weights
 * @param {[number, number][]} slices
 */
export function joinedModel(head, weights, slices) {
  return withGraph(head, (graph) => [...graph, ...slices.flatMap(([from, to]) => readFields(weights.subarray(from, to)))]);
}
