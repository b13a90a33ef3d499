// The adapter of ONNX.js: the functions that host.js calls.
"use strict";

const adapter = {
  async setup({ backend, threads, contextId }) {
    this.backend = backend;
    if (threads != null) onnx.backend.wasm.worker = threads;
    if (contextId) onnx.backend.webgl.contextId = contextId;
  },

  async create(bytes) {
    const session = new onnx.InferenceSession({ backendHint: this.backend });
    await session.loadModel(bytes);
    return session;
  },

  // A Map: with a plain object, every version runs the model and returns nothing.
  tensors(arrays) {
    return new Map(arrays.map(({ name, type, dims, data }) => [name, new onnx.Tensor(data, type, dims)]));
  },

  run(session, feeds) {
    return session.run(feeds);
  },

  arrays(outputs) {
    return [...outputs].map(([name, { type, dims, data }]) => ({ name, type, dims, data }));
  },

  // The public API cannot free a session, but its handler can; otherwise WebGL textures accumulate.
  async close(session) {
    session.session.sessionHandler.dispose();
  },
};
