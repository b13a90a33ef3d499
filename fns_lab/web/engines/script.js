// The script of an engine, run in a worker or in a page.

export const IN_WORKER = typeof document === "undefined";

/**
 * Runs the script at an address. Meanwhile eval throws: ONNX.js's protobuf library asks it for node's require and expects
 * an error, but where the page's policy forbids eval, Firefox reports the question as a fault of the page.
 * @param {string} address
 */
export async function loadScript(address) {
  const { eval: plainEval } = globalThis;
  globalThis.eval = () => { throw new Error("eval is not used here"); };
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
