// WebGL contexts. On a lost one an engine goes on computing, and every number is zero. So all are kept, to check them.

/** @type {Set<WebGLRenderingContext>} the contexts made since watchContexts */
export const contexts = new Set();

let isWatching = false;

/** Keeps every WebGL context that is made from now on. */
export function watchContexts() {
  if (isWatching) return;
  isWatching = true;
  for (const canvas of ["HTMLCanvasElement", "OffscreenCanvas"]) {
    const prototype = /** @type {any} */ (globalThis)[canvas]?.prototype;
    if (!prototype) continue;
    const original = prototype.getContext;
    prototype.getContext = function (/** @type {any[]} */ ...request) {
      const context = original.apply(this, request);
      if (context && context.isContextLost) contexts.add(context);
      return context;
    };
  }
}

/** Returns whether the browser took any of the contexts away: out of graphics memory, or its GPU process died. */
export function isContextLost() {
  return [...contexts].some((context) => context.isContextLost());
}
