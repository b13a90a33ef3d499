// The adapter of ONNX Runtime Web, any version and bundle.

/** @returns {import("./adapter.js").Adapter} */
export function ortWeb() {
  const ort = /** @type {any} */ (globalThis).ort;
  /** @type {Record<string, unknown>} */
  let sessionOptions = {};
  return {
    setup({ backend, threads, paths, cpuFallback }, wasm) {
      sessionOptions = { executionProviders: [backend] };
      if (cpuFallback === false) sessionOptions.extra = { session: { disable_cpu_ep_fallback: "1" } };
      ort.env.wasm.wasmPaths = paths || location.origin + "/";
      ort.env.wasm.wasmBinary = wasm;
      if (threads != null) ort.env.wasm.numThreads = threads;
    },

    create(model) {
      return ort.InferenceSession.create(new Uint8Array(model), sessionOptions);
    },

    tensors(tensors) {
      return Object.fromEntries(tensors.map(({ name, type, dims, data }) => [name, new ort.Tensor(type, data, dims)]));
    },

    run(session, feeds) {
      return session.run(feeds);
    },

    arrays(outputs) {
      return Object.entries(outputs).map(([name, { type, dims, data }]) => ({ name, type, dims, data }));
    },

    close(session) {
      return session.release();
    },
  };
}
