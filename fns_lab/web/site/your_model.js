// The page that runs a file of the reader in every engine, compares the results and says what an engine lacks.
import { compare, largestMagnitude, short } from "../compare.js";
import { missing } from "../device.js";
import { decoded, fitted, tensorFromPixels } from "../images.js";
import { readModel, withInputShapes } from "../onnx_file.js";
import { ARRAYS, elementCount, float16Bits, noise, numbers } from "../tensors.js";
import { msText, summary } from "../timing.js";
import { clientOf } from "./catalog.js";
import { byId, fillTable, make, onFile, reason, say } from "./dom.js";

/** @typedef {import("../tensors.js").Tensor} Tensor */

const REFERENCE = "ort-web/wasm";
const RUNS = 5;
const LARGEST_MB = 1024;
const FREE_SIZE = 128;
const CLOSE = 1e-3;
const COLUMNS = ["engine", "result", "load ms", "first ms", "median ms", "largest error"];
const TO_INT32 = /** @type {Record<string, string>} */ ({ int64: "int32" });

/** @type {import("./catalog.js").Catalog} */
let catalog;
/** @type {import("../device.js").Device} */
let facts;
/** @type {{ name: string, bytes: Uint8Array<ArrayBuffer>, info: import("../onnx_file.js").ModelInfo } | null} */
let file = null;
/** @type {ImageBitmap | null} */
let image = null;
let isStopped = false;

/**
 * @param {import("./catalog.js").Catalog} siteCatalog
 * @param {import("../device.js").Device} deviceFacts
 */
export function openYourModel(siteCatalog, deviceFacts) {
  catalog = siteCatalog;
  facts = deviceFacts;
  onFile("model-file", "model-drop", take);
  onFile("model-image", "model-image-drop", takeImage);
  byId("model-form").onsubmit = (/** @type {Event} */ event) => { event.preventDefault(); runAll(); };
  byId("model-stop").onclick = () => {
    isStopped = true;
    for (const engine of catalog.engines) clientOf(engine).stop();
  };
}

/**
 * Reads a file that the reader chose. Throws an error that names it.
 * @param {File} chosen
 */
export async function readModelFile(chosen) {
  if (chosen.size > LARGEST_MB * 2 ** 20) throw new Error(`'${chosen.name}' has more than ${LARGEST_MB} MB`);
  const bytes = new Uint8Array(await chosen.arrayBuffer());
  if (!bytes.length) throw new Error(`'${chosen.name}' is empty`);
  try {
    const info = readModel(bytes);
    if (info.external.length) throw new Error(keptElsewhere(chosen.name, info.external));
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

/** @param {File} chosen */
async function take(chosen) {
  file = null;
  byId("model-run").disabled = true;
  byId("model-inputs").hidden = true;
  byId("model-table").replaceChildren();
  say("model-facts", "");
  try {
    file = await readModelFile(chosen);
    describe(file.info);
    byId("model-run").disabled = false;
    say("model-status", `${file.name} is read.`);
  } catch (error) {
    say("model-status", reason(error), true);
  }
}

/** @param {File} chosen */
async function takeImage(chosen) {
  try {
    image = await decoded(chosen);
    say("model-status", `${chosen.name} goes into each input of 1 × 3 × H × W.`);
  } catch (error) {
    image = null;
    say("model-status", reason(error), true);
  }
}

/** @param {import("../onnx_file.js").ModelInfo} info */
function describe({ nodes, opsets, irVersion, inputs }) {
  const ops = [...new Set(nodes.map(({ op }) => op))].sort();
  say("model-facts", `${nodes.length} nodes, opset ${opsets[""] || "?"}, IR version ${irVersion}; ops: ${ops.join(", ")}`);
  const fields = inputs.map(({ name, type, dims }, i) => make("label", {}, `${name} (${type})`, make("input", {
    id: `model-input-${i}`, pattern: "\\d+( *[x×] *\\d+)*",
    value: fixedDims(dims, inputs, FREE_SIZE).join("x"),
  })));
  byId("model-inputs").replaceChildren(make("legend", {}, "Shapes of inputs"), ...fields);
  byId("model-inputs").hidden = !fields.length;
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

/** @returns {Tensor[]} */
function feeds() {
  const { info } = /** @type {NonNullable<typeof file>} */ (file);
  return info.inputs.map(({ name, type }, i) => {
    const text = byId(`model-input-${i}`).value.trim();
    /** @type {number[]} */
    const dims = text ? text.split(/ *[x×] */).map(Number) : [];
    if (!dims.every((size) => Number.isInteger(size) && size > 0)) throw new Error(`'${text}' is no shape; give 1x3x128x128`);
    return feedOf(name, type, dims);
  });
}

/** @param {string} name @param {string} type @param {number[]} dims @returns {Tensor} */
export function feedOf(name, type, dims) {
  const isImage = type === "float32" && dims.length === 4 && dims[0] === 1 && dims[1] === 3;
  if (isImage && image) return tensorFromPixels(fitted(image, dims[3], dims[2]), name);
  const array = ARRAYS[type];
  if (!array) throw new Error(`input '${name}' has type ${type}, which this page cannot fill`);
  if (!type.startsWith("float")) return { name, type, dims, data: new array(elementCount(dims)) };
  const { data } = noise(name, dims, isImage ? {} : { low: -1, high: 1 });
  return { name, type, dims, data: type === "float16" ? float16Bits(data) : array.from(data) };
}

/** @typedef {{ target: string, text: string, command?: string, load?: number, first?: number, median?: number, outputs?: Tensor[] }} Result */

async function runAll() {
  if (!file) return;
  isStopped = false;
  byId("model-run").disabled = true;
  byId("model-stop").disabled = false;
  /** @type {Result[]} */
  const results = [];
  try {
    const inputs = feeds();
    const shaped = { ...file, bytes: shapedFor(file.bytes, inputs) };
    for (const engine of catalog.engines) {
      if (isStopped) break;
      say("model-status", `Running in ${engine.target}…`);
      results.push(await runIn(engine, shaped, inputs));
      show(results);
    }
    say("model-status", isStopped ? "Stopped." : `${file.name}: done.`);
  } catch (error) {
    say("model-status", reason(error), true);
  }
  byId("model-run").disabled = false;
  byId("model-stop").disabled = true;
}

/**
 * @param {import("./catalog.js").Engine} engine
 * @param {NonNullable<typeof file>} model
 * @param {Tensor[]} inputs
 * @returns {Promise<Result>}
 */
async function runIn(engine, { name, bytes, info }, inputs) {
  const absent = missing(engine.options.backend, facts);
  if (absent) return { target: engine.target, text: absent };
  const client = clientOf(engine);
  try {
    const taken = asTaken(engine, inputs);
    await client.start();
    const { id, ms: load } = await client.create(bytes);
    const first = await client.run(id, taken);
    const times = [];
    for (let i = 0; i < RUNS; i++) times.push((await client.run(id, taken)).ms);
    await client.close(id);
    return { target: engine.target, text: "runs", load, first: first.ms, median: summary(times).median, outputs: first.outputs };
  } catch (error) {
    return { target: engine.target, ...advice(engine, name, info, reason(error)) };
  }
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

/**
 * Returns an engine's words about a model that it refuses, the ops that it lacks, and the command that may help.
 * @param {import("./catalog.js").Engine} engine
 * @param {string} name
 * @param {import("../onnx_file.js").ModelInfo} info
 * @param {string} words
 */
function advice({ target, ops }, name, { nodes }, words) {
  if (isStopped || !ops) return { text: words };
  const lacking = [...new Set(nodes.map(({ op }) => op))].filter((op) => !ops.includes(op) && op !== "Constant");
  const cause = lacking.length ? ` It has no ${lacking.sort().join(", ")}.` : "";
  const file = /[^\w.-]/.test(name) ? `"${name}"` : name;
  return { text: `${words.replace(/[\s.]+$/, "")}.${cause}`, command: `fns-lab lower ${file} --target ${target} -o lowered.onnx` };
}

/** @param {Result[]} results */
function show(results) {
  const reference = results.find(({ target }) => target === REFERENCE)?.outputs;
  fillTable("model-table", COLUMNS, results.map((result) => [
    result.target, result.command ? make("span", {}, `${result.text} `, make("code", {}, result.command)) : result.text,
    msText(result.load), msText(result.first), msText(result.median),
    result.target === REFERENCE ? (result.outputs ? "reference" : "") : errorText(reference, result.outputs),
  ]), ["engine", "result"]);
}

/** @param {Tensor[] | undefined} expected @param {Tensor[] | undefined} actual */
function errorText(expected, actual) {
  if (!expected || !actual) return "";
  const errors = expected.map(({ name, type, data }) => {
    const other = actual.find((tensor) => tensor.name === name);
    if (!other || other.data.length !== data.length) return { text: `${name} is missing`, ratio: Infinity };
    const { largest } = compare(numbers(type, data), numbers(other.type, other.data));
    const range = largestMagnitude(numbers(type, data));
    return { text: `${short(largest)} of ${short(range)}`, ratio: largest / (range || 1) };
  });
  const worst = errors.reduce((most, error) => (error.ratio <= most.ratio ? most : error), { text: "0", ratio: 0 });
  return worst.ratio <= CLOSE ? worst.text : `${worst.text}: wrong`;
}
