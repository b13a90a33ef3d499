// The script of an engine, run in a worker or in a page.

export const IN_WORKER = typeof document === "undefined";

/**
 * Runs the script at an address. ONNX.js's protobuf library evals "require", to see whether it runs in node. Where the
 * page's policy forbids eval, Firefox reports that as a fault of the page; so meanwhile this answers in eval's place.
 * @param {string} address
 */
export async function loadScript(address) {
  const { eval: plainEval } = globalThis;
  globalThis.eval = (text) => {
    if (text === "require") throw new ReferenceError("require is not defined");
    return plainEval(text);
  };
  try {
    if (IN_WORKER) importScripts(address);
    else await inPage(address);
  } finally {
    globalThis.eval = plainEval;
  }
}

/** @param {string} address @returns {Promise<unknown>} */
function inPage(address) {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement("script"), { src: address });
    script.onload = resolve;
    script.onerror = () => reject(new Error("the engine's script did not load"));
    document.head.append(script);
  });
}
