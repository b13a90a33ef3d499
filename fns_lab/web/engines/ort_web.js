// The adapter of ONNX Runtime Web, any version and bundle.

/** @returns {import("./adapter.js").Adapter} */
export function ortWeb() {
  const ort = /** @type {any} */ (globalThis).ort;
  /** @type {Record<string, unknown>} */
  let sessionOptions = {};
  const printed = collectedLines();
  return {
    setup({ backend, threads, paths, cpuFallback }, wasm) {
      sessionOptions = { executionProviders: [backend], logSeverityLevel: 3 }; // errors: its warnings ask for no action
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

    async profile(model, feeds, runs) {
      const session = await ort.InferenceSession.create(new Uint8Array(model), { ...sessionOptions, enableProfiling: true });
      for (let i = 0; i < runs; i++) await session.run(feeds);
      const lines = printed(() => session.endProfiling());
      await session.release();
      return nodeTimes(JSON.parse(lines.join("")));
    },
  };
}

// The engine prints its profile, and keeps the console's function that it finds when it starts.
/** @returns {(work: () => void) => string[]} what returns the lines that are printed during some work */
function collectedLines() {
  const { log } = console;
  /** @type {string[] | null} */
  let lines = null;
  console.log = (...values) => { lines ? lines.push(values.join(" ")) : log(...values); };
  return (work) => {
    const found = lines = /** @type {string[]} */ ([]);
    try {
      work();
    } finally {
      lines = null;
    }
    return found;
  };
}

/**
 * Returns the nodes of a profile in Chrome's trace format, which gives microseconds.
 * @param {{ cat: string, name: string, dur: number, args: { op_name: string, node_index: string } }[]} events
 * @returns {import("./adapter.js").NodeTimes[]}
 */
function nodeTimes(events) {
  /** @type {Map<string, import("./adapter.js").NodeTimes>} */
  const nodes = new Map();
  for (const { cat, name, dur, args } of events) {
    if (cat !== "Node" || !name.endsWith("_kernel_time")) continue;
    const key = `${args.node_index} ${name}`;
    const node = nodes.get(key) || { name: name.replace(/_kernel_time$/, ""), op: args.op_name, times: [] };
    node.times.push(dur / 1000);
    nodes.set(key, node);
  }
  return [...nodes.values()];
}
