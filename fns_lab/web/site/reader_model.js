// A model of the reader: its file, and the inputs that it gets.
import { fitted, tensorFromPixels } from "../images.js";
import { readModel, withInputShapes } from "../onnx_file.js";
import { readTensorFile } from "../tensor_files.js";
import { ARRAYS, elementCount, float16Bits, noise } from "../tensors.js";
import { reason } from "./dom.js";

/** @typedef {import("../tensors.js").Tensor} Tensor */
/** @typedef {{ name: string, bytes: Uint8Array<ArrayBuffer>, info: import("../onnx_file.js").ModelInfo }} ReaderModel */

const LARGEST_MB = 1024;
const TO_INT32 = /** @type {Record<string, string>} */ ({ int64: "int32" });

/**
 * Reads a file that the reader chose. Throws an error that names it.
 * @param {File} chosen
 * @returns {Promise<ReaderModel>}
 */
export async function readModelFile(chosen) {
  if (chosen.size > LARGEST_MB * 2 ** 20) throw new Error(`'${chosen.name}' has more than ${LARGEST_MB} MB`);
  const bytes = new Uint8Array(await chosen.arrayBuffer());
  if (!bytes.length) throw new Error(`'${chosen.name}' is empty`);
  try {
    const info = readModel(bytes);
    if (info.external.length) throw new Error(keptElsewhere(chosen.name, info.external));
    const unfilled = info.inputs.find(({ type }) => !ARRAYS[type]);
    if (unfilled) throw new Error(`input '${unfilled.name}' has type ${unfilled.type}, which this page cannot fill`);
    return { name: chosen.name, bytes, info };
  } catch (error) {
    throw new Error(`'${chosen.name}': ${reason(error)}`);
  }
}

/** @param {string} name @param {string[]} files */
function keptElsewhere(name, files) {
  return `its weights are in ${files.join(", ")}, which this page cannot open; in Python, `
    + `onnx.save(onnx.load("${name}"), "whole.onnx") writes one file`;
}

/**
 * Reads the .npy and .pb files that the reader chose.
 * @param {Iterable<File>} files
 */
export function readTensorFiles(files) {
  return Promise.all([...files].map(async (file) => (
    { fileName: file.name, tensor: readTensorFile(file.name, new Uint8Array(await file.arrayBuffer())) })));
}

/**
 * Returns dims with a size for each free one: 1 for the first, and for any that has the name of the first of an input,
 * as the batch of a state that lies along another axis; else `free`.
 * @param {(number | string)[]} dims
 * @param {import("../onnx_file.js").ValueInfo[]} inputs
 * @param {number} free
 */
export function fixedDims(dims, inputs, free) {
  const batch = new Set(inputs.map((input) => input.dims[0]).filter((size) => typeof size === "string" && size !== "?"));
  return dims.map((size, axis) => (typeof size === "number" && size > 0 ? size : !axis || batch.has(size) ? 1 : free));
}

/**
 * Returns an input: `value` in every element; where there is none the image, if the shape is that of one, else noise for
 * floats and 0 for other types.
 * @param {string} name
 * @param {string} type
 * @param {number[]} dims
 * @param {{ value?: string, image?: ImageBitmap | null }} [given]
 * @returns {Tensor}
 */
export function feedOf(name, type, dims, { value = "", image = null } = {}) {
  const isImage = type === "float32" && dims.length === 4 && dims[0] === 1 && dims[1] === 3;
  const array = ARRAYS[type];
  if (value) return { name, type, dims, data: asData(type, new Array(elementCount(dims)).fill(numberOf(value, type))) };
  if (isImage && image) return tensorFromPixels(fitted(image, dims[3], dims[2]), name);
  if (!type.startsWith("float")) return { name, type, dims, data: new array(elementCount(dims)) };
  const { data } = noise(name, dims, isImage ? {} : { low: -1, high: 1 });
  return { name, type, dims, data: asData(type, data) };
}

/** @param {string} type @param {ArrayLike<any>} values */
const asData = (type, values) => (type === "float16" ? float16Bits(values) : ARRAYS[type].from(values));

/** @param {string} text @param {string} type */
function numberOf(text, type) {
  const number = Number(text);
  if (Number.isNaN(number) || (!type.startsWith("float") && !Number.isSafeInteger(number))) {
    throw new Error(`'${text}' is no ${type}`);
  }
  return type.endsWith("int64") ? BigInt(number) : number;
}

/**
 * Returns feeds as an engine takes them. One without free sizes also has no int64: it takes int32.
 * @param {import("./catalog.js").Engine} engine
 * @param {Tensor[]} inputs
 * @returns {Tensor[]}
 */
export function asTaken(engine, inputs) {
  if (engine.freeSizes) return inputs;
  return inputs.map((tensor) => (TO_INT32[tensor.type]
    ? { ...tensor, type: TO_INT32[tensor.type], data: Int32Array.from(tensor.data, Number) } : tensor));
}

/**
 * Returns a file whose inputs have the shapes of these feeds, whatever it declares.
 * @param {Uint8Array} bytes
 * @param {Tensor[]} inputs
 */
export function shapedFor(bytes, inputs) {
  return withInputShapes(bytes, Object.fromEntries(inputs.map(({ name, dims }) => [name, [...dims]])));
}
