// The page that runs a file of the reader in every engine, compares the results and says what an engine lacks.
import { compare, largestMagnitude, short } from "../compare.js";
import { missing } from "../device.js";
import { decoded } from "../images.js";
import { namedTensors } from "../tensor_files.js";
import { numbers } from "../tensors.js";
import { mean, msText, summary } from "../timing.js";
import { clientOf } from "./catalog.js";
import { byId, fillTable, make, onFile, reason, say } from "./dom.js";
import { asTaken, feedOf, fixedDims, readModelFile, readTensorFiles, shapedFor } from "./reader_model.js";

/** @typedef {import("../tensors.js").Tensor} Tensor */

const REFERENCE = "ort-web/wasm";
const RUNS = 5;
const FREE_SIZE = 128;
const CLOSE = 1e-3;
const COLUMNS = ["engine", "result", "load ms", "first ms", "median ms", "largest error"];
const PROFILE_RUNS = 20;
const PROFILE_COLUMNS = ["op", "nodes", "mean ms", "share", "slowest node"];

/** @type {import("./catalog.js").Catalog} */
let catalog;
/** @type {import("../device.js").Device} */
let facts;
/** @type {import("./reader_model.js").ReaderModel | null} */
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
  byId("model-form").onsubmit = (/** @type {Event} */ event) => { event.preventDefault(); during(runAll); };
  byId("model-profile").onclick = () => during(profile);
  byId("model-stop").onclick = () => {
    isStopped = true;
    for (const engine of catalog.engines) clientOf(engine).stop();
  };
}

/** @param {File} chosen */
async function take(chosen) {
  file = null;
  setReady(false);
  byId("model-inputs").hidden = true;
  for (const id of ["model-table", "model-profile-table"]) byId(id).replaceChildren();
  say("model-facts", "");
  try {
    file = await readModelFile(chosen);
    describe(file.info);
    setReady(true);
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
  const fields = inputs.flatMap(({ name, type, dims }, i) => [
    make("label", {}, `${name} (${type}): shape`, make("input", {
      id: `model-input-${i}`, pattern: "\\d+( *[x×] *\\d+)*", value: fixedDims(dims, inputs, FREE_SIZE).join("x"),
    })),
    make("label", {}, `${name}: every element`, make("input", {
      id: `model-value-${i}`, placeholder: type.startsWith("float") ? "noise, image or file" : "0, or file",
    })),
  ]);
  byId("model-inputs").replaceChildren(make("legend", {}, "Inputs"), ...fields);
  byId("model-inputs").hidden = !fields.length;
}

/**
 * Returns the inputs: those of the reader's files, else as the fields say.
 * @param {import("./reader_model.js").ReaderModel} model
 * @returns {Promise<Tensor[]>}
 */
async function feeds({ info }) {
  const given = namedTensors(await readTensorFiles(byId("model-data").files), info.inputs.map(({ name }) => name), []);
  return info.inputs.map(({ name, type }, i) => {
    const array = given.get(name);
    if (array && array.type !== type) throw new Error(`'${name}' takes ${type}; the file holds ${array.type}`);
    if (array) return array;
    const text = byId(`model-input-${i}`).value.trim();
    /** @type {number[]} */
    const dims = text ? text.split(/ *[x×] */).map(Number) : [];
    if (!dims.every((size) => Number.isInteger(size) && size > 0)) throw new Error(`'${text}' is no shape; give 1x3x128x128`);
    return feedOf(name, type, dims, { value: byId(`model-value-${i}`).value.trim(), image });
  });
}

/** @typedef {{ target: string, text: string, command?: string, load?: number, first?: number, median?: number, outputs?: Tensor[] }} Result */

/** @param {boolean} ready */
function setReady(ready) {
  byId("model-run").disabled = byId("model-profile").disabled = !ready;
}

/**
 * Does some work with the model and its inputs, which Stop ends.
 * @param {(model: import("./reader_model.js").ReaderModel, inputs: Tensor[]) => Promise<void>} work
 */
async function during(work) {
  if (!file) return;
  isStopped = false;
  setReady(false);
  byId("model-stop").disabled = false;
  try {
    const inputs = await feeds(file);
    await work({ ...file, bytes: shapedFor(file.bytes, inputs) }, inputs);
    say("model-status", isStopped ? "Stopped." : `${file.name}: done.`);
  } catch (error) {
    say("model-status", isStopped ? "Stopped." : reason(error), !isStopped);
  }
  setReady(true);
  byId("model-stop").disabled = true;
}

/** @param {import("./reader_model.js").ReaderModel} model @param {Tensor[]} inputs */
async function runAll(model, inputs) {
  /** @type {Result[]} */
  const results = [];
  for (const engine of catalog.engines) {
    if (isStopped) break;
    say("model-status", `Running in ${engine.target}…`);
    results.push(await runIn(engine, model, inputs));
    show(results);
  }
}

/** @param {import("./reader_model.js").ReaderModel} model @param {Tensor[]} inputs */
async function profile({ bytes }, inputs) {
  const engine = catalog.engines.find(({ target }) => target === REFERENCE);
  if (!engine) throw new Error(`this site has no ${REFERENCE}`);
  say("model-status", `Timing each op in ${REFERENCE}…`);
  const nodes = await clientOf(engine).profile(bytes, inputs, 1 + PROFILE_RUNS); // the first run is slower than the next ones
  const timed = nodes.map(({ name, op, times }) => ({ name, op, ms: mean(times.slice(1)) })); // the browser's clock may step by more than an op takes
  const total = timed.reduce((sum, { ms }) => sum + ms, 0);
  const ops = Object.values(Object.groupBy(timed, ({ op }) => op)).map((group = []) => ({
    op: group[0].op, count: group.length, ms: group.reduce((sum, { ms }) => sum + ms, 0),
    slowest: group.reduce((most, node) => (node.ms > most.ms ? node : most)),
  }));
  fillTable("model-profile-table", PROFILE_COLUMNS, ops.sort((a, b) => b.ms - a.ms).map(({ op, count, ms, slowest }) => [
    op, String(count), msText(ms), `${Math.round((100 * ms) / total)} %`, `${slowest.name}: ${msText(slowest.ms)} ms`,
  ]), ["op", "slowest node"]);
}

/**
 * @param {import("./catalog.js").Engine} engine
 * @param {import("./reader_model.js").ReaderModel} model
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
