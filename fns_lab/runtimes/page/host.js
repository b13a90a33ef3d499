// The part of a runner that runs in the page. Sessions have numbers; tensors are passed as one block of bytes.
// A small block is passed as base64; a large one arrives through the file input and leaves as a download.
// A call that fails returns { error } with the engine's own message instead of throwing.
"use strict";

const SMALL_BYTES = 1 << 18;
const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
  int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
  int64: BigInt64Array, uint64: BigUint64Array, float16: Uint16Array,
};

const sessions = new Map();

// On a lost WebGL context an engine goes on computing, and every number is zero. So keep every context, to check it.
const contexts = new Set();
for (const { prototype } of [HTMLCanvasElement, OffscreenCanvas]) {
  const original = prototype.getContext;
  prototype.getContext = function (...request) {
    const context = original.apply(this, request);
    if (context && context.isContextLost) contexts.add(context);
    return context;
  };
}

function isContextLost() {
  return [...contexts].some((context) => context.isContextLost());
}

async function receive(base64) {
  if (base64 == null) return document.getElementById("inbox").files[0].arrayBuffer();
  return (await fetch("data:application/octet-stream;base64," + base64)).arrayBuffer();
}

function base64FromBytes(bytes) {
  if (bytes.toBase64) return bytes.toBase64();
  let text = "";
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

// Chromium silently drops the eleventh download that one frame starts within a second, so each gets its own frame.
function download(parts) {
  const frame = document.body.appendChild(document.createElement("iframe"));
  const link = frame.contentDocument.body.appendChild(frame.contentDocument.createElement("a"));
  link.href = URL.createObjectURL(new Blob(parts));
  link.download = "outputs.bin";
  link.click();
  setTimeout(() => {
    URL.revokeObjectURL(link.href);
    frame.remove();
  }, 10000);
}

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

function unpacked(described, block) {
  return described.map(({ name, type, dims, offset, length }) =>
    ({ name, type, dims, data: new ARRAYS[type](block.slice(offset, offset + length)) }));
}

async function timed(work) {
  const start = performance.now();
  const value = await work();
  return [value, performance.now() - start];
}

const calls = {
  async setup({ options, bytes }) {
    await adapter.setup(options, options.binary ? await receive(bytes) : undefined);
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

// An engine in WebAssembly that aborts, or throws the address of a C++ exception, fails at every later call too.
function failure(error) {
  const fatal = error instanceof WebAssembly.RuntimeError || typeof error === "number";
  return { error: String((error && error.message) || error), fatal };
}

async function host([call, request]) {
  const reply = await calls[call](request).catch(failure);
  if (isContextLost()) {
    return { error: "the WebGL context was lost: out of graphics memory, or the GPU process died", fatal: true };
  }
  return reply;
}
