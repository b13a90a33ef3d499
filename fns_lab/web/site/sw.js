// Keeps the files of the site, those of the first image at once and others when they are first loaded, so that it opens
// without a network. Gives the page the two headers that wasm threads need, which a plain file server does not send.
const CACHE = "fns-lab-VERSION";
/** @type {string[]} */
const FIRST = [/* first */];
const worker = /** @type {any} */ (globalThis);

worker.addEventListener("install", (/** @type {any} */ event) => event.waitUntil((async () => {
  for (const name of FIRST) await keep(new Request(name));
  await worker.skipWaiting();
})()));

worker.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil((async () => {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
  await worker.clients.claim();
})()));

worker.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method === "GET" && request.url.startsWith(worker.registration.scope)) event.respondWith(answer(request));
});

// The page and the catalogue are asked for first, so that a new version arrives; what they name is taken from the cache.
/** @param {Request} request */
async function answer(request) {
  const kept = await caches.match(request, { ignoreSearch: true });
  const isIndex = request.mode === "navigate" || request.url.endsWith("/catalog.json");
  if (kept && !isIndex) return kept;
  return (await keep(request).catch(() => null)) || kept || Response.error();
}

/** @param {Request} request */
async function keep(request) {
  const response = await fetch(request);
  if (!response.ok) return response;
  const headers = new Headers(response.headers);
  headers.set("Cross-Origin-Opener-Policy", "same-origin");
  headers.set("Cross-Origin-Embedder-Policy", "require-corp");
  const isolated = new Response(response.body, { status: response.status, headers });
  const copy = isolated.clone();
  await caches.open(CACHE).then((cache) => cache.put(request, copy)).catch(() => {}); // the storage may be full
  return isolated;
}
