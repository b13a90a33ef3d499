// Runs in this browser: the kernel sends the image, and once the engine's files and the model; the output goes back.
// The views show it before that, at once.
import { EngineClient } from "../engines/client.js";
import { pixelsFromRgb, pixelsFromTensor, tensorFromPixels } from "../images.js";
import { PART_BYTES } from "./elements.js";

/** @typedef {import("./elements.js").Model} Model */

const KEPT_SESSIONS = 4;

/** Tells the views, by an event `shown` with `{ run, before, after }`, what a run in this browser gave. */
export const runs = new EventTarget();

/**
 * What the kernel asks for.
 * @typedef {object} Task
 * @property {number} run  number of the run
 * @property {string} engine
 * @property {string} model  key of the model
 * @property {string} input  name of its input
 * @property {number[]} dims  shape of its input
 */

/** The engines and models that have arrived, and the latest task. One task runs at a time; of later ones, the last. */
class LocalEngines {
  /** @param {Model} model */
  constructor(model) {
    this.widget = model;
    /** @type {Map<string, EngineClient>} */
    this.clients = new Map();
    /** @type {Map<string, { client: EngineClient, id: number, ms: number }>} */
    this.sessions = new Map();
    /** @type {Map<string, { run?: number, resolve: (arrived: [DataView<ArrayBuffer>[], any]) => void, reject: (error: Error) => void }>} */
    this.waiting = new Map();
    /** @type {{ task: Task, pixels: DataView<ArrayBuffer> } | null} */
    this.next = null;
    /** @type {Task | null} */
    this.current = null;
  }

  /** @param {any} message @param {DataView<ArrayBuffer>[]} buffers */
  receive(message, buffers) {
    if (message.kind === "task") {
      this.next = { task: message, pixels: buffers[0] };
      if (!this.current) this.runAll();
      else if (this.current.engine !== message.engine) this.forget(this.current.engine);
    } else if (message.kind === "stop") {
      this.stop();
    } else {
      const asked = this.waiting.get(message.name);
      const isOutOfDate = message.kind === "out of date";
      if (!asked || (isOutOfDate && message.run !== asked.run)) return; // the answer to an earlier question
      this.waiting.delete(message.name);
      if (isOutOfDate) asked.reject(new Error("out of date"));
      else asked.resolve([buffers, message]);
    }
  }

  /** Ends what runs, and the engines with it. */
  stop() {
    this.next = null;
    for (const client of this.clients.values()) client.stop();
    for (const { reject } of this.waiting.values()) reject(new Error("stopped"));
    this.clients.clear();
    this.waiting.clear();
    this.sessions.clear();
  }

  /** @param {string} engine */
  forget(engine) {
    const client = this.clients.get(engine);
    client?.stop();
    this.clients.delete(engine);
    for (const [key, session] of this.sessions) if (session.client === client) this.sessions.delete(key);
  }

  async runAll() {
    while (this.next) {
      const { task, pixels } = this.next;
      this.current = task;
      this.next = null;
      await this.run(task, pixels).catch((error) => {
        this.forget(task.engine); // it may have crashed
        this.widget.send({ kind: "fault", run: task.run, text: String(error.message || error) });
      });
    }
    this.current = null;
  }

  /** @param {Task} task @param {DataView<ArrayBuffer>} pixels */
  async run(task, pixels) {
    const { client, id, ms: createMs } = await this.session(task);
    const [height, width] = task.dims.slice(2);
    const before = pixelsFromRgb({ width, height, data: pixels });
    const { outputs: [output], ms } = await client.run(id, [tensorFromPixels(before, task.input)]);
    const { dims, data } = output;
    show(task.run, before, output);
    const parts = Math.ceil(data.byteLength / PART_BYTES);
    for (let part = 0; part < parts; part++) {
      const bytes = data.buffer.slice(part * PART_BYTES, (part + 1) * PART_BYTES);
      const message = { kind: "output", run: task.run, dims, ms, create_ms: createMs, part, parts };
      this.widget.send(message, undefined, [bytes]);
    }
  }

  /** @param {Task} task */
  async session({ engine, model, run }) {
    const kept = this.sessions.get(model);
    if (kept) return kept;
    const client = this.client(engine);
    await client.start();
    const [[bytes]] = await this.ask("model", model, run);
    const session = { client, ...(await client.create(bytesIn(bytes))) };
    this.sessions.set(model, session);
    for (const [key, old] of [...this.sessions].slice(0, -KEPT_SESSIONS)) {
      this.sessions.delete(key);
      old.client.close(old.id);
    }
    return session;
  }

  /** @param {string} engine */
  client(engine) {
    const kept = this.clients.get(engine);
    if (kept) return kept;
    /** @type {Promise<[DataView<ArrayBuffer>[], any]> | null} */
    let arrived = null;
    const files = () => (arrived ??= this.ask("engine", engine));
    const made = new EngineClient(
      async () => engineFiles(...(await files())),
      async () => new Worker(URL.createObjectURL(new Blob([(await files())[0][0]], { type: "text/javascript" }))),
    );
    this.clients.set(engine, made);
    return made;
  }

  /**
   * Asks the kernel for an engine or a model, and returns what arrives.
   * @param {string} what
   * @param {string} name
   * @param {number} [run]
   * @returns {Promise<[DataView<ArrayBuffer>[], any]>}
   */
  ask(what, name, run) {
    return new Promise((resolve, reject) => {
      this.waiting.set(name, { run, resolve, reject });
      this.widget.send({ kind: "need", what, name, run });
    });
  }
}

/** @param {DataView<ArrayBuffer>} view */
function bytesIn(view) {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/**
 * Returns an engine's files as Blobs. The buffers are the worker's script, the engine's, and its files.
 * @param {DataView<ArrayBuffer>[]} buffers
 * @param {any} message
 */
function engineFiles([, script, ...files], { options, names, wasm }) {
  const blobs = names.map((/** @type {string} */ name, /** @type {number} */ i) => {
    const type = name.endsWith("js") ? "text/javascript" : "application/wasm";
    return [name, new Blob([files[i]], { type })];
  });
  return { options, script: new Blob([script], { type: "text/javascript" }), files: Object.fromEntries(blobs), wasm };
}

/**
 * Shows what a run gave, cut to the size of the image before. What is no image is left to the kernel, which says why.
 * @param {number} run
 * @param {ImageData} before
 * @param {import("../tensors.js").Tensor} output
 */
function show(run, before, output) {
  try {
    const [height, width] = output.dims.slice(2);
    const after = new ImageData(pixelsFromTensor(output), width, height);
    runs.dispatchEvent(new CustomEvent("shown", { detail: { run, before, after } }));
  } catch {
    // the kernel finds the same fault
  }
}

/**
 * Answers the kernel until `signal` ends the widget.
 * @param {Model} model
 * @param {AbortSignal} [signal]
 */
export function answerKernel(model, signal) {
  const engines = new LocalEngines(model);
  model.on("msg:custom", (message, buffers) => engines.receive(message, buffers));
  signal?.addEventListener("abort", () => engines.stop());
  model.send({ kind: "hello" });
}
