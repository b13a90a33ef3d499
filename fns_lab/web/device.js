// What a benchmark must say about the machine and the browser that it ran in.

/**
 * @typedef {object} Device
 * @property {string} browser  name and version
 * @property {string} system
 * @property {number} cores
 * @property {boolean} isolated  whether the page is cross-origin isolated, without which wasm has one thread
 * @property {string} webgl  the renderer's name; empty where there is no WebGL
 * @property {string} webgpu  the adapter's name; empty where there is no WebGPU
 */

/**
 * Returns facts about this device. Asks no other address and reads no identifier.
 * @returns {Promise<Device>}
 */
export async function device() {
  const { browser, system } = browserOf(navigator.userAgent);
  return {
    browser, system, cores: navigator.hardwareConcurrency || 1, isolated: globalThis.crossOriginIsolated === true,
    webgl: webglRenderer(), webgpu: await webgpuAdapter(),
  };
}

/**
 * Returns browser and system that a user agent names.
 * @param {string} agent
 */
export function browserOf(agent) {
  const known = /** @type {[string, RegExp][]} */ ([
    ["Edge", /Edg\/([\d.]+)/], ["Opera", /OPR\/([\d.]+)/], ["Chromium", /Chrom(?:e|ium)\/([\d.]+)/],
    ["Chromium", /HeadlessChrome\/([\d.]+)/], ["Firefox", /Firefox\/([\d.]+)/], ["Safari", /Version\/([\d.]+).* Safari/],
  ]);
  const [name, version] = known.map(([title, pattern]) => [title, pattern.exec(agent)?.[1]]).find(([, v]) => v) || [];
  const system = /Android|iPhone|iPad|Windows|Mac OS X|CrOS|Linux/.exec(agent)?.[0] || "unknown system";
  return { browser: name ? `${name} ${version}` : agent, system };
}

function webglRenderer() {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return "";
  const names = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return name || "WebGL 2";
}

async function webgpuAdapter() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  if (!adapter) return "";
  const { vendor, architecture, description } = adapter.info || {};
  return [vendor, architecture, description].filter(Boolean).join(", ") || "WebGPU";
}

/**
 * Returns why a backend cannot run on a device, empty if it can.
 * @param {string} backend
 * @param {Device} facts
 */
export function missing(backend, facts) {
  if (backend === "webgl" && !facts.webgl) return "this browser has no WebGL 2";
  if (backend === "webgpu" && !facts.webgpu) return "this browser has no WebGPU, or no adapter for it";
  return "";
}
