// The page's side of an engine in a Web Worker. `stop` ends whatever runs, at once; the next request starts anew.
import { engineHost } from "./worker.js";

/** @typedef {import("../tensors.js").Tensor} Tensor */
/** @typedef {import("./worker.js").EngineFiles} EngineFiles */

/** The error of a request that `stop` ended. */
export class Stopped extends Error {
  constructor() {
    super("stopped");
  }
}

/** @param {ArrayBuffer | Uint8Array} model */
const bufferOf = (model) => (model instanceof Uint8Array ? model.slice().buffer : model);

export class EngineClient {
  /**
   * @param {() => Promise<EngineFiles>} files
   * @param {() => Promise<Worker | null>} newWorker  null where workers do not start: the engine then runs in the page
   */
  constructor(files, newWorker) {
    this.files = files;
    this.newWorker = newWorker;
    /** @type {Worker | null} */
    this.worker = null;
    /** @type {ReturnType<typeof engineHost> | null} what answers where no worker starts */
    this.host = null;
    /** @type {Promise<void> | null} */
    this.started = null;
    /** @type {Map<number, { resolve: (value: any) => void, reject: (error: Error) => void }>} */
    this.pending = new Map();
    this.last = 0;
    this.stops = 0;
  }

  /** Starts the engine, unless it runs. Returns once it can take a model. */
  start() {
    if (!this.started) {
      const stops = this.stops;
      this.started = this.#start().catch((error) => {
        if (stops === this.stops) this.stop(error); // else the engine that runs now is a later one
        throw error;
      });
    }
    return this.started;
  }

  async #start() {
    const stops = this.stops;
    const worker = await this.newWorker();
    if (stops !== this.stops) {
      worker?.terminate();
      throw new Stopped();
    }
    this.worker = worker;
    if (worker) {
      worker.onmessage = ({ data: { number, reply } }) => this.#settle(number, reply);
      worker.onerror = (event) => {
        event.preventDefault();
        this.stop(new Error(event.message || "the engine's worker crashed or ran out of memory"));
      };
    } else {
      this.host = engineHost();
    }
    const files = await this.files();
    if (stops !== this.stops) throw new Stopped();
    await this.#ask("start", files);
  }

  /**
   * Loads a model and returns its session's number and the milliseconds that it took.
   * @param {ArrayBuffer | Uint8Array} model
   */
  async create(model) {
    await this.start();
    const id = ++this.last;
    const { ms } = await this.#ask("create", { id, model: bufferOf(model) });
    return { id, ms: /** @type {number} */ (ms) };
  }

  /**
   * Runs a session.
   * @param {number} id
   * @param {Tensor[]} feeds
   * @returns {Promise<{ outputs: Tensor[], ms: number }>}
   */
  run(id, feeds) {
    return this.#ask("run", { id, feeds });
  }

  /**
   * Runs a model several times and returns what each of its nodes took.
   * @param {ArrayBuffer | Uint8Array} model
   * @param {Tensor[]} feeds
   * @param {number} runs
   * @returns {Promise<import("./adapter.js").NodeTimes[]>}
   */
  async profile(model, feeds, runs) {
    await this.start();
    return this.#ask("profile", { model: bufferOf(model), feeds, runs });
  }

  /** Frees a session. @param {number} id */
  close(id) {
    return this.started ? this.#ask("close", { id }) : Promise.resolve();
  }

  /** Ends the worker and all that it is asked. @param {Error} [reason] */
  stop(reason = new Stopped()) {
    this.stops++;
    this.worker?.terminate();
    this.worker = this.host = this.started = null;
    for (const { reject } of this.pending.values()) reject(reason);
    this.pending.clear();
  }

  /** @param {string} call @param {any} request @returns {Promise<any>} */
  #ask(call, request) {
    const { worker, host } = this;
    if (!worker && !host) return Promise.reject(new Stopped());
    const number = ++this.last;
    return new Promise((resolve, reject) => {
      this.pending.set(number, { resolve, reject });
      if (worker) worker.postMessage({ number, call, request });
      else host?.(call, request).then((reply) => this.#settle(number, reply));
    });
  }

  /** @param {number} number @param {{ value?: any, error?: string }} reply */
  #settle(number, { value, error }) {
    const asked = this.pending.get(number);
    this.pending.delete(number);
    if (error !== undefined) asked?.reject(new Error(error));
    else asked?.resolve(value);
  }
}
