// The part of a runner that runs in the page. Sessions have numbers; tensors are passed as one block of bytes.
// A small block is passed as base64; a large one arrives through the file input and leaves as a download.
// A call that fails returns { error } with the engine's own message instead of throwing.
import { isContextLost, watchContexts } from "../contexts.js";
import { adapterOf } from "../engines/adapter.js";
import { unpacked } from "../tensors.js";
import { timed } from "../timing.js";

const SMALL_BYTES = 1 << 18;

/** @type {Map<number, any>} */
const sessions = new Map();

/** @type {import("../engines/adapter.js").Adapter} */
let adapter;

/**
 * @param {string | null} base64
 * @returns {Promise<ArrayBuffer>}
 */
async function receive(base64) {
  if (base64 == null) {
    const inbox = /** @type {any} */ (document.getElementById("inbox"));
    return inbox.files[0].arrayBuffer();
  }
  return (await fetch("data:application/octet-stream;base64," + base64)).arrayBuffer();
}

/** @param {Uint8Array} bytes */
function base64FromBytes(bytes) {
  if ("toBase64" in bytes) return /** @type {any} */ (bytes).toBase64();
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

/**
 * Chromium silently drops the eleventh download that one frame starts within a second, so each gets its own frame.
 * @param {Uint8Array<ArrayBuffer>[]} parts
 */
function download(parts) {
  const frame = document.body.appendChild(document.createElement("iframe"));
  const inside = /** @type {Document} */ (frame.contentDocument);
  const link = inside.body.appendChild(inside.createElement("a"));
  link.href = URL.createObjectURL(new Blob(parts));
  link.download = "outputs.bin";
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
    frame.remove();
  }, 10000);
}

/**
 * @param {Uint8Array<ArrayBuffer>[]} parts
 * @param {number} size  bytes of all parts
 */
function send(parts, size) {
  if (size > SMALL_BYTES) {
    download(parts);
    return null;
  }
  const bytes = new Uint8Array(size);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.byteLength;
  }
  return base64FromBytes(bytes);
}

/** @type {Record<string, (request: any) => Promise<object>>} */
const calls = {
  async setup({ options, bytes }) {
    adapter = adapterOf(options.runtime);
    adapter.setup(options, options.binary ? await receive(bytes) : undefined);
    return {};
  },

  async create({ id, bytes }) {
    const model = await receive(bytes);
    const [session, ms] = await timed(() => adapter.create(model));
    sessions.set(id, session);
    return { ms };
  },

  async run({ id, feeds, bytes }) {
    const block = await receive(bytes);
    const native = adapter.tensors(unpacked(feeds, block));
    const [outputs, ms] = await timed(() => adapter.run(sessions.get(id), native));
    /** @type {Uint8Array<ArrayBuffer>[]} */
    const parts = [];
    const described = adapter.arrays(outputs).map(({ name, type, dims, data }) => {
      parts.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
      return { name, type, dims: [...dims], length: data.byteLength };
    });
    const size = parts.reduce((sum, part) => sum + part.byteLength, 0);
    return { ms, outputs: described, bytes: send(parts, size) };
  },

  async close({ id }) {
    const session = sessions.get(id);
    sessions.delete(id);
    if (session) await adapter.close(session);
    return {};
  },
};

/**
 * An engine in WebAssembly that aborts, or throws the address of a C++ exception, fails at every later call too.
 * @param {any} error
 */
function failure(error) {
  const fatal = error instanceof WebAssembly.RuntimeError || typeof error === "number";
  return { error: String((error && error.message) || error), fatal };
}

/** @param {[string, any]} message */
async function host([call, request]) {
  const reply = await calls[call](request).catch(failure);
  if (isContextLost()) {
    return { error: "the WebGL context was lost: out of graphics memory, or the GPU process died", fatal: true };
  }
  return reply;
}

watchContexts();
Object.assign(globalThis, { host });
