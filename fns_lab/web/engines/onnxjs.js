// The adapter of ONNX.js, any version.

/** @returns {import("./adapter.js").Adapter} */
export function onnxjs() {
  const onnx = /** @type {any} */ (globalThis).onnx;
  let backendHint = "";
  return {
    setup({ backend, threads, contextId }) {
      backendHint = backend;
      if (threads != null) onnx.backend.wasm.worker = threads;
      if (contextId) onnx.backend.webgl.contextId = contextId;
    },

    async create(model) {
      const session = new onnx.InferenceSession({ backendHint });
      await session.loadModel(model);
      return session;
    },

    // A Map: with a plain object, every version runs the model and returns nothing.
    tensors(tensors) {
      return new Map(tensors.map(({ name, type, dims, data }) => [name, new onnx.Tensor(data, type, dims)]));
    },

    run(session, feeds) {
      return session.run(feeds);
    },

    arrays(outputs) {
      return [...outputs].map(([name, { type, dims, data }]) => ({ name, type, dims, data }));
    },

    // The public API cannot free a session, but its handler can; otherwise WebGL textures accumulate.
    close(session) {
      session.session.sessionHandler.dispose();
    },
  };
}
