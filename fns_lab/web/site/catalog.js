// What the site holds: engines, models and their files. A page from a server fetches them; a page from a disk embeds them.
import { embedded, scriptAddress } from "../embedded.js";
import { EngineClient } from "../engines/client.js";
import { joinedModel } from "../onnx_file.js";

/**
 * One backend of one engine.
 * @typedef {object} Engine
 * @property {string} target  its name, such as "ort-web/wasm"
 * @property {string} title  for people
 * @property {import("../engines/adapter.js").Options} options
 * @property {string} script
 * @property {Record<string, string>} files  where the files are that the engine loads, by name
 * @property {string | null} wasm
 * @property {boolean} freeSizes  whether one session takes inputs of any size
 * @property {number} warmup  runs before its time is steady
 * @property {string[] | null} ops  the ops that it has, null for all
 */

/**
 * One file of a model.
 * @typedef {object} Variant
 * @property {string} kind  "regular", "base ops", "lowered" or "tuned"
 * @property {[number, number] | null} size  height and width, null for any
 * @property {string[]} targets  the targets that load it
 * @property {number} nodes
 * @property {string} head
 * @property {[number, number][]} slices
 */

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} style
 * @property {number | null} width
 * @property {string} input
 * @property {string} weights
 * @property {Variant[]} variants
 * @property {Record<string, string>} expected  the output for the sample, by "HxW"
 * @property {string} truth  what computed it
 */

/** @typedef {{ version: string, engines: Engine[], models: Model[], samples: Record<string, string> }} Catalog */

export const SINGLE_FILE = document.getElementById("file:catalog.json") !== null;

/** @type {Map<string, Promise<ArrayBuffer>>} */
const read = new Map();

/**
 * Returns the bytes of one of the site's files; each is read once.
 * @param {string} name
 * @returns {Promise<ArrayBuffer>}
 */
export function readFile(name) {
  let bytes = read.get(name);
  if (!bytes) {
    bytes = SINGLE_FILE ? embedded("file:" + name) : fetched(name);
    bytes.catch(() => read.delete(name));
    read.set(name, bytes);
  }
  return bytes;
}

/** @param {string} name */
async function fetched(name) {
  const response = await fetch(name).catch(() => null);
  if (!response?.ok) throw new Error(`${name} did not arrive (${response ? `status ${response.status}` : "no network"})`);
  return response.arrayBuffer();
}

/** @returns {Promise<Catalog>} */
export async function readCatalog() {
  return JSON.parse(new TextDecoder().decode(await readFile("catalog.json")));
}

/**
 * Returns one file of a model, put together from the parts in which the site stores it.
 * @param {Model} model
 * @param {Variant} variant
 */
export async function modelBytes(model, variant) {
  const [head, weights] = await Promise.all([readFile(variant.head), readFile(model.weights)]);
  return joinedModel(new Uint8Array(head), new Uint8Array(weights), variant.slices);
}

/**
 * Returns the file of a model that a target runs fastest at a size, undefined if there is none.
 * @param {Model} model
 * @param {string} target
 * @param {[number, number]} size  height and width
 */
export function variantFor(model, target, [height, width]) {
  const fitting = model.variants.filter((variant) =>
    variant.targets.includes(target) && (!variant.size || (variant.size[0] === height && variant.size[1] === width)));
  return ["tuned", "lowered", "regular"].map((wanted) => fitting.find(({ kind }) => kind === wanted)).find(Boolean) || fitting[0];
}

/** @type {Map<string, EngineClient>} */
const clients = new Map();

/**
 * Returns the one client of an engine.
 * @param {Engine} engine
 */
export function clientOf(engine) {
  let client = clients.get(engine.target);
  if (!client) {
    client = new EngineClient(() => engineFiles(engine), newWorker);
    clients.set(engine.target, client);
  }
  return client;
}

/** @param {string} name @returns {Promise<string | Blob>} */
async function addressOrBytes(name) {
  return SINGLE_FILE ? new Blob([await readFile(name)], { type: "text/javascript" }) : absolute(name);
}

/** @param {string} name */
const absolute = (name) => new URL(name, document.baseURI).href;

/** @param {Engine} engine */
async function engineFiles({ options, script, files, wasm }) {
  const named = await Promise.all(
    Object.entries(files).map(async ([name, file]) => /** @type {const} */ ([name, await addressOrBytes(file)])));
  return { options, script: await addressOrBytes(script), files: Object.fromEntries(named), wasm };
}

// A worker made from a blob has the page's own security policy, which one from an address would not have.
async function newWorker() {
  try {
    return new Worker(scriptAddress(SINGLE_FILE ? await readFile("worker.js") : stub()));
  } catch {
    return null;
  }
}

// Keeps what is asked until the module has loaded, which then answers. The page hears of an error only outside promises.
function stub() {
  return `const early = [];
onmessage = (event) => early.push(event);
import(${JSON.stringify(absolute("web/engines/worker.js"))}).then(
  () => early.forEach((event) => onmessage(event)), (error) => setTimeout(() => { throw error; }));`;
}
