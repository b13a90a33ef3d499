// The page that runs a model in two engines with every value as an output, and finds the first op after which they differ.
import { compare, largestMagnitude, short } from "../compare.js";
import { missing } from "../device.js";
import { Stopped } from "../engines/client.js";
import { paintErrors } from "../error_map.js";
import { readModel, withOutputs } from "../onnx_file.js";
import { namedTensors } from "../tensor_files.js";
import { indexText } from "../tensors.js";
import { clientOf, modelBytes } from "./catalog.js";
import { byId, fillSelect, fillTable, make, reason, say } from "./dom.js";
import { asTaken, feedOf, fixedDims, readModelFile, readTensorFiles, shapedFor } from "./reader_model.js";

/** @typedef {import("../tensors.js").Tensor} Tensor */
/** @typedef {{ name: string, op: string, expected: Tensor, actual: Tensor, error: import("../compare.js").Comparison, range: number, ratio: number }} Compared */

const WRONG = 1e-3; // of a value's range: rounding stays well below, a fault well above
const FIRST_ELEMENTS = 10;
const FREE_SIZE = 64;

/** @type {import("./catalog.js").Catalog} */
let catalog;

/**
 * @param {import("./catalog.js").Catalog} siteCatalog
 * @param {import("../device.js").Device} facts
 */
export function openWhyWrong(siteCatalog, facts) {
  catalog = siteCatalog;
  const files = catalog.models.flatMap((model) => model.variants.map((variant, i) => ({
    value: `${model.name} ${i}`,
    text: `${model.name}, ${variant.kind}${variant.size ? `, ${variant.size.join("x")}` : ""}, ${variant.nodes} nodes`,
  })));
  fillSelect("wrong-model", files, [files[0]?.value]);
  const engines = catalog.engines.map(({ target, options }) => ({ value: target, text: target, fault: missing(options.backend, facts) }));
  fillSelect("wrong-reference", engines, ["ort-web/wasm"]);
  fillSelect("wrong-engine", engines, [engines.find(({ value, fault }) => value !== "ort-web/wasm" && !fault)?.value || ""]);
  byId("wrong-form").onsubmit = (/** @type {Event} */ event) => { event.preventDefault(); run(); };
  byId("wrong-stop").onclick = () => { for (const engine of catalog.engines) clientOf(engine).stop(); };
}

async function chosenFile() {
  const [file] = byId("wrong-file").files;
  if (file) return (await readModelFile(file)).bytes;
  const [name, index] = byId("wrong-model").value.split(" ");
  const model = catalog.models.find((entry) => entry.name === name);
  if (!model) throw new Error("choose a model or a file");
  return modelBytes(model, model.variants[Number(index)]);
}

async function run() {
  byId("wrong-run").disabled = true;
  byId("wrong-stop").disabled = false;
  byId("wrong-value").hidden = true;
  byId("wrong-table").replaceChildren();
  say("wrong-status", "Running…");
  try {
    show(await compareValues(await chosenFile(), await readTensorFiles(byId("wrong-data").files)));
  } catch (error) {
    say("wrong-status", error instanceof Stopped ? "Stopped." : reason(error), !(error instanceof Stopped));
  }
  byId("wrong-run").disabled = false;
  byId("wrong-stop").disabled = true;
}

/**
 * Returns the model's own outputs compared, then all values compared with every one of them as an output. Inputs and
 * expected outputs are those of the files, if there are any; what no file gives is drawn, or the reference engine's.
 * @param {Uint8Array} bytes
 * @param {{ fileName: string, tensor: Tensor }[]} files
 * @returns {Promise<{ outputs: Compared[], all: Compared[] }>}
 */
async function compareValues(bytes, files) {
  const info = readModel(bytes);
  const given = namedTensors(files, info.inputs.map(({ name }) => name), info.outputs.map(({ name }) => name));
  const feeds = info.inputs.map(({ name, type, dims }) => given.get(name) ||
    feedOf(name, type, fixedDims(dims, info.inputs, FREE_SIZE)));
  const [reference, engine] = ["wrong-reference", "wrong-engine"].map(
    (id) => /** @type {import("./catalog.js").Engine} */ (catalog.engines.find(({ target }) => target === byId(id).value)));
  const fixed = shapedFor(bytes, feeds);
  const declared = new Set(info.outputs.map(({ name }) => name));
  const inner = info.nodes.filter(({ op }) => op !== "Constant").flatMap(({ outputs }) => outputs)
    .filter((name) => name && !declared.has(name));
  const computed = await valuesIn(reference, fixed, feeds, inner);
  const expected = computed.map((tensor) => (declared.has(tensor.name) && given.get(tensor.name)) || tensor);
  const plain = await valuesIn(engine, fixed, feeds, []);
  const all = await valuesIn(engine, fixed, feeds, inner, new Map(expected.map((tensor) => [tensor.name, tensor])));
  return { outputs: paired(info.nodes, expected, plain), all: paired(info.nodes, expected, all) };
}

/**
 * Returns the float32 values that both engines gave out, compared, in the order of the nodes.
 * @param {import("../onnx_file.js").Node[]} nodes
 * @param {Tensor[]} expected
 * @param {Tensor[]} actual
 * @returns {Compared[]}
 */
function paired(nodes, expected, actual) {
  return nodes.flatMap(({ op, outputs }) => outputs.flatMap((name) => {
    const [one, other] = [expected, actual].map((tensors) => tensors.find((tensor) => tensor.name === name));
    if (!one || !other || one.data.length !== other.data.length || one.type !== "float32") return [];
    const error = compare(one.data, other.data);
    const range = largestMagnitude(one.data);
    return [{ name, op, expected: one, actual: other, error, range, ratio: error.largest / (range || 1) }];
  }));
}

/**
 * Returns the values of a model in an engine. The first engine says their shapes, which others need.
 * @param {import("./catalog.js").Engine} engine
 * @param {Uint8Array} bytes
 * @param {Tensor[]} feeds
 * @param {string[]} names
 * @param {Map<string, Tensor>} [shapes]
 */
async function valuesIn(engine, bytes, feeds, names, shapes) {
  const infos = names.filter((name) => !shapes || shapes.get(name)?.type === "float32").map((name) => {
    const known = shapes?.get(name);
    return { name, type: known?.type || "float32", dims: known ? [...known.dims] : null };
  });
  const client = clientOf(engine);
  await client.start();
  const { id } = await client.create(withOutputs(bytes, infos));
  const { outputs } = await client.run(id, asTaken(engine, feeds));
  await client.close(id);
  return outputs;
}

/** @param {Compared} value */
const isWrong = ({ ratio }) => !(ratio <= WRONG);

/** @param {{ outputs: Compared[], all: Compared[] }} compared */
function show({ outputs, all }) {
  if (!all.length) return say("wrong-status", "The two engines have no float32 value in common.", true);
  const first = all.find(isWrong);
  const wrongOutput = outputs.find(isWrong);
  const rows = all.map((value) => [
    make("button", { type: "button", onclick: () => showValue(value) }, value.name), value.op, value.expected.dims.join("x"),
    short(Number(value.error.largest.toPrecision(3))), short(Number(value.range.toPrecision(3))), isWrong(value) ? "wrong" : "",
  ]);
  fillTable("wrong-table", ["value", "op", "shape", "largest error", "range", ""], rows, ["value", "op", "shape", ""]);
  if (first) byId("wrong-table").tBodies[0].rows[all.indexOf(first)].className = "first";
  const worst = all.reduce((most, value) => (value.ratio <= most.ratio ? most : value));
  showValue(first || wrongOutput || worst);
  say("wrong-status", first ? `The first wrong value is ${first.name}, after ${first.op}: ${sizeOfError(first)}.`
    : wrongOutput ? `The output ${wrongOutput.name} is wrong (${sizeOfError(wrongOutput)}), but no longer once every value is an `
      + "output: that changes what the engine does. fns-lab compare --bisect finds the op."
      : `No value is wrong: ${all.length} compared, the largest error is ${short(worst.ratio)} of the value's range.`,
  Boolean(first || wrongOutput));
}

/** @param {Compared} value */
const sizeOfError = ({ error, range }) => `error ${short(error.largest)} of ${short(range)}`;

/** @param {Compared} value */
function showValue({ name, expected, actual, error }) {
  byId("wrong-value").hidden = false;
  byId("wrong-name").textContent = name;
  byId("wrong-map").hidden = expected.dims.length !== 4;
  if (expected.dims.length === 4) paintErrors(byId("wrong-map"), error.error, expected.dims);
  const worst = [...error.error.keys()].sort((a, b) => error.error[b] - error.error[a]).slice(0, FIRST_ELEMENTS);
  fillTable("wrong-elements", ["index", "true", "here", "|error|"], worst.map((i) =>
    [indexText(i, expected.dims), short(expected.data[i]), short(actual.data[i]), short(error.error[i])]), ["index"]);
}
