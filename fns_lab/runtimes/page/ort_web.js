// The adapter of ONNX Runtime Web: the functions that host.js calls.
"use strict";

const adapter = {
  async setup({ backend, threads, paths, cpuFallback }, wasm) {
    this.options = { executionProviders: [backend] };
    if (cpuFallback === false) this.options.extra = { session: { disable_cpu_ep_fallback: "1" } };
    ort.env.wasm.wasmPaths = paths || location.origin + "/";
    ort.env.wasm.wasmBinary = wasm;
    if (threads != null) ort.env.wasm.numThreads = threads;
  },

  create(bytes) {
    return ort.InferenceSession.create(new Uint8Array(bytes), this.options);
  },

  tensors(arrays) {
    const feeds = {};
    for (const { name, type, dims, data } of arrays) feeds[name] = new ort.Tensor(type, data, dims);
    return feeds;
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
