// An engine in a Web Worker: answers the requests of engines/client.js. A page in which no worker starts uses
// `engineHost` itself.
import { isContextLost, watchContexts } from "../contexts.js";
import { answerFetches, scriptAddress } from "../embedded.js";
import { timed } from "../timing.js";
import { adapterOf } from "./adapter.js";
import { IN_WORKER, loadScript } from "./script.js";

/** @typedef {import("../tensors.js").Tensor} Tensor */

/**
 * An engine's files: each an address, or, in a page that holds them itself, its bytes.
 * @typedef {object} EngineFiles
 * @property {import("./adapter.js").Options} options
 * @property {string | Blob} script
 * @property {Record<string, string | Blob>} files  what the engine loads, by name
 * @property {string | null} wasm  which of the files is its WebAssembly file, if it is passed to the engine
 */

const plainFetch = globalThis.fetch.bind(globalThis);

/** @param {string | Blob} file */
const addressOf = (file) => (typeof file === "string" ? file : URL.createObjectURL(file));

/** @param {string | Blob} file */
async function bytesOf(file) {
  if (typeof file !== "string") return file.arrayBuffer();
  const response = await plainFetch(file);
  if (!response.ok) throw new Error(`the engine's file ${file} did not arrive: status ${response.status}`);
  return response.arrayBuffer();
}

// ONNX.js is written for a page: it uses window, and makes its canvas with document.createElement.
function looksLikeAPage() {
  Object.assign(globalThis, {
    window: globalThis,
    document: { createElement: () => new OffscreenCanvas(1, 1), currentScript: null },
    HTMLCanvasElement: OffscreenCanvas,
  });
}

// ONNX.js starts workers and fetches its wasm by their names, from where the page is.
/** @param {Record<string, string | Blob>} files */
function answerByName(files) {
  answerFetches((name) => (files[name] ? bytesOf(files[name]) : undefined));
  const PlainWorker = globalThis.Worker;
  globalThis.Worker = /** @type {any} */ (function (/** @type {string} */ address, /** @type {any} */ options) {
    const file = files[String(address).split("/").pop() || ""];
    return new PlainWorker(file ? addressOf(file) : address, options);
  });
}

/**
 * Returns the function that answers the requests to one engine: with { value }, or { error } in the engine's own words.
 * @returns {(call: string, request: any) => Promise<{ value?: any, error?: string }>}
 */
export function engineHost() {
  /** @type {Map<number, any>} */
  const sessions = new Map();
  /** @type {import("./adapter.js").Adapter} */
  let adapter;

  /** @type {Record<string, (request: any) => Promise<any>>} */
  const calls = {
    async start(engine) {
      adapter = await started(engine);
    },

    async create({ id, model }) {
      const [session, ms] = await timed(() => adapter.create(model));
      sessions.set(id, session);
      return { ms };
    },

    async run({ id, feeds }) {
      const native = adapter.tensors(feeds);
      const [outputs, ms] = await timed(async () => adapter.arrays(await adapter.run(sessions.get(id), native)));
      return { ms, outputs: outputs.map((tensor) => ({ ...tensor, dims: [...tensor.dims], data: tensor.data.slice() })) };
    },

    async profile({ model, feeds, runs }) {
      if (!adapter.profile) throw new Error("this engine has no profile");
      return adapter.profile(model, adapter.tensors(feeds), runs);
    },

    async close({ id }) {
      const session = sessions.get(id);
      sessions.delete(id);
      if (session) await adapter.close(session);
    },
  };

  return async (call, request) => {
    try {
      const value = await calls[call](request);
      if (!isContextLost()) return { value };
      return { error: "the WebGL context was lost: out of graphics memory, or the GPU process died" };
    } catch (error) {
      return { error: String((error instanceof Error && error.message) || error || "the engine gave no reason") };
    }
  };
}

/**
 * Starts an engine and returns its adapter.
 * @param {EngineFiles} engine
 */
async function started({ options, script, files, wasm }) {
  watchContexts();
  if (IN_WORKER && options.runtime === "onnxjs") looksLikeAPage();
  if (options.runtime === "onnxjs") answerByName(files);
  await loadScript(addressOf(script));
  const adapter = adapterOf(options.runtime);
  const module = Object.keys(files).find((name) => name.endsWith(".mjs"));
  const file = module && files[module];
  const paths = file && { mjs: typeof file === "string" ? file : scriptAddress(file) };
  adapter.setup(paths ? { ...options, paths } : options, wasm ? await bytesOf(files[wasm]) : undefined);
  return adapter;
}

if (IN_WORKER) {
  const answer = engineHost();
  globalThis.onmessage = async ({ data: { number, call, request } }) => {
    const reply = await answer(call, request);
    const buffers = (reply.value?.outputs || []).map((/** @type {Tensor} */ { data }) => data.buffer);
    globalThis.postMessage({ number, reply }, /** @type {any} */ (buffers));
  };
}
