// Runs in this browser: the kernel sends the image, and once the engine's files and the model; the output goes back.
import { EngineClient } from "../engines/client.js";
import { PART_BYTES } from "./elements.js";

/** @typedef {import("./elements.js").Model} Model */

const KEPT_SESSIONS = 4;

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
    /** @type {Map<string, { resolve: (arrived: [DataView<ArrayBuffer>[], any]) => void, reject: (error: Error) => void }>} */
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
      this.waiting.delete(message.name);
      if (message.kind === "out of date") asked?.reject(new Error("out of date"));
      else asked?.resolve([buffers, message]);
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
    const feed = { name: task.input, type: "float32", dims: task.dims, data: planes(pixels) };
    const { outputs: [{ dims, data }], ms } = await client.run(id, [feed]);
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
      this.waiting.set(name, { resolve, reject });
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
 * Returns pixels, one byte per channel and red, green, blue in turn, as floats, one plane after the other.
 * @param {DataView<ArrayBuffer>} pixels
 */
function planes(pixels) {
  const bytes = bytesIn(pixels);
  const area = bytes.length / 3;
  const floats = new Float32Array(bytes.length);
  for (let i = 0; i < area; i++) {
    for (let channel = 0; channel < 3; channel++) floats[channel * area + i] = bytes[3 * i + channel];
  }
  return floats;
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
