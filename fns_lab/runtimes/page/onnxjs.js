// ONNX.js behind the four calls that host.js makes.
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

  // A Map: fed with a plain object, every version runs the model and returns nothing.
  tensors(arrays) {
    return new Map(arrays.map(({ name, type, dims, data }) => [name, new onnx.Tensor(data, type, dims)]));
  },

  run(session, feeds) {
    return session.run(feeds);
  },

  arrays(outputs) {
    return [...outputs].map(([name, { type, dims, data }]) => ({ name, type, dims, data }));
  },

  // The public API has no way to free a session; its handler does, and without it WebGL textures pile up.
  async close(session) {
    session.session.sessionHandler.dispose();
  },
};
