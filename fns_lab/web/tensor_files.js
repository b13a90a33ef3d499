// Tensors in files: NumPy's .npy, and ONNX's .pb, in which ONNX keeps the inputs and outputs of its tests.
import { readFields, TYPES } from "./onnx_file.js";
import { ARRAYS, elementCount } from "./tensors.js";

/** @typedef {import("./tensors.js").Tensor} Tensor */

/** @type {Record<string, string>} numpy's letters for element types */
const NPY_TYPES = {
  f4: "float32", f8: "float64", f2: "float16", i1: "int8", i2: "int16", i4: "int32", i8: "int64",
  u1: "uint8", u2: "uint16", u4: "uint32", u8: "uint64", b1: "bool",
};
const TENSOR = { dims: 1, type: 2, floats: 4, name: 8, raw: 9 };

/**
 * Returns the tensor of a file, whose name ends with .npy or .pb. That of a .npy file has no name. Throws for another.
 * @param {string} fileName
 * @param {Uint8Array} bytes
 * @returns {Tensor}
 */
export function readTensorFile(fileName, bytes) {
  try {
    if (fileName.endsWith(".npy")) return readNpy(bytes);
    if (fileName.endsWith(".pb")) return readPb(bytes);
  } catch (error) {
    throw new Error(`'${fileName}': ${error instanceof Error ? error.message : error}`);
  }
  throw new Error(`'${fileName}': give tensors as .npy or .pb files`);
}

/** @param {Uint8Array} bytes @returns {Tensor} */
function readNpy(bytes) {
  if (bytes[0] !== 0x93 || new TextDecoder().decode(bytes.subarray(1, 6)) !== "NUMPY") throw new Error("not a .npy file");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [start, size] = bytes[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = new TextDecoder().decode(bytes.subarray(start, start + size));
  const type = NPY_TYPES[/'descr': *'[<|=]([a-z]\d)'/.exec(header)?.[1] || ""];
  const shape = /'shape': *\(([\d, ]*)\)/.exec(header)?.[1];
  if (!type || shape === undefined) throw new Error(`an array of a type that this page cannot read: ${header.trim()}`);
  if (/'fortran_order': *True/.test(header)) throw new Error("stored column by column; save numpy.ascontiguousarray of it");
  return tensor("", type, shape.split(",").filter((text) => text.trim()).map(Number), bytes.subarray(start + size));
}

/** @param {Uint8Array} bytes @returns {Tensor} */
function readPb(bytes) {
  const fields = readFields(bytes);
  const values = (/** @type {number} */ number) => fields.filter((field) => field.number === number);
  const dims = values(TENSOR.dims).flatMap(({ value }) => (typeof value === "bigint" ? [Number(value)] : packed(value)));
  const [raw] = [...values(TENSOR.raw), ...values(TENSOR.floats)].map(({ value }) => value);
  const type = TYPES[Number(values(TENSOR.type)[0]?.value || 0)];
  if (!(raw instanceof Uint8Array) || !ARRAYS[type]) {
    throw new Error("a tensor whose values this page cannot read; write it with onnx.numpy_helper.from_array");
  }
  const name = values(TENSOR.name)[0]?.value;
  return tensor(name instanceof Uint8Array ? new TextDecoder().decode(name) : "", type, dims, raw);
}

/** @param {Uint8Array} bytes */
function packed(bytes) {
  const numbers = [];
  let value = 0;
  let scale = 1;
  for (const byte of bytes) {
    value += (byte & 127) * scale;
    scale *= 128;
    if (byte < 128) {
      numbers.push(value);
      [value, scale] = [0, 1];
    }
  }
  return numbers;
}

/** @param {string} name @param {string} type @param {number[]} dims @param {Uint8Array} bytes @returns {Tensor} */
function tensor(name, type, dims, bytes) {
  const array = ARRAYS[type];
  if (bytes.length !== elementCount(dims) * array.BYTES_PER_ELEMENT) throw new Error(`cut short: not ${dims.join("x")} ${type}`);
  return { name, type, dims, data: new array(bytes.slice().buffer) };
}

/**
 * Returns tensors by the names that a model gives them: a tensor's own name, or its file's, as in input_0.pb, output_1.npy
 * or NAME.npy. Throws for a file that belongs to none.
 * @param {{ fileName: string, tensor: Tensor }[]} files
 * @param {string[]} inputs  the model's, in order
 * @param {string[]} outputs
 * @returns {Map<string, Tensor>}
 */
export function namedTensors(files, inputs, outputs) {
  return new Map(files.map(({ fileName, tensor: found }) => {
    const stem = fileName.replace(/\.(npy|pb)$/, "");
    const [, kind, number] = /^(input|output)_(\d+)$/.exec(stem) || [];
    const byNumber = (kind === "input" ? inputs : kind === "output" ? outputs : [])[Number(number)];
    const name = byNumber ?? [found.name, stem].find((text) => inputs.includes(text) || outputs.includes(text));
    if (name === undefined) {
      throw new Error(`'${fileName}' is no input or output of the model, which has ${[...inputs, ...outputs].join(", ")}`);
    }
    return [name, { ...found, name }];
  }));
}
