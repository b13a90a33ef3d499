// One adapter per engine: the same functions, whatever the engine's own interface.
import { onnxjs } from "./onnxjs.js";
import { ortWeb } from "./ort_web.js";

/** @typedef {import("../tensors.js").Tensor} Tensor */

/**
 * How an engine starts.
 * @typedef {object} Options
 * @property {string} runtime  "onnxjs" or "ort-web"
 * @property {string} backend  "cpu", "wasm", "webgl" or "webgpu"
 * @property {number | null} [threads]  wasm only: workers of ONNX.js, threads of ONNX Runtime Web; null: the engine's choice
 * @property {boolean | null} [cpuFallback]  ONNX Runtime Web webgpu only: false to refuse nodes that the CPU would run
 * @property {string | null} [contextId]  ONNX.js webgl only: "webgl" or "webgl2"
 * @property {boolean} [binary]  whether `setup` is given the WebAssembly file
 * @property {string | { mjs: string }} [paths]  ONNX Runtime Web only: where its files are, or its module's address
 */

/**
 * A node as an engine runs it, after its optimizations, and its time in each run, in milliseconds.
 * @typedef {{ name: string, op: string, times: number[] }} NodeTimes
 */

/**
 * `setup` starts the engine. `create` loads a serialized model into a session. `tensors` and `arrays` translate what
 * goes into `run` and what comes out. `close` frees a session. `profile` runs a model several times and says what each
 * node took; an engine that has no profile lacks it.
 * @typedef {object} Adapter
 * @property {(options: Options, wasm?: ArrayBuffer) => void} setup
 * @property {(model: ArrayBuffer) => Promise<any>} create
 * @property {(tensors: Tensor[]) => any} tensors
 * @property {(session: any, feeds: any) => Promise<any>} run
 * @property {(outputs: any) => Tensor[]} arrays
 * @property {(session: any) => void | Promise<void>} close
 * @property {(model: ArrayBuffer, feeds: any, runs: number) => Promise<NodeTimes[]>} [profile]
 */

/** @type {Record<string, () => Adapter>} */
const ADAPTERS = { onnxjs, "ort-web": ortWeb };

/**
 * Returns the adapter of a runtime, whose script has been loaded.
 * @param {string} runtime
 * @returns {Adapter}
 */
export function adapterOf(runtime) {
  return ADAPTERS[runtime]();
}
