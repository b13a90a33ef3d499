// What a page holds in itself: bytes in its elements, and answers to what an engine fetches by name.

/**
 * Returns the bytes that the page embeds, gzipped and as base64, in the element `id`.
 * @param {string} id
 * @returns {Promise<ArrayBuffer>}
 */
export function embedded(id) {
  const text = document.getElementById(id)?.textContent;
  if (text == null) throw new Error(`the page holds no '${id}'`);
  return ungzipped(text);
}

/**
 * Returns the bytes of a text that holds them gzipped, as base64.
 * @param {string} text
 * @returns {Promise<ArrayBuffer>}
 */
export function ungzipped(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).arrayBuffer();
}

/**
 * Answers each fetch whose file name `find` knows. ONNX.js fetches its wasm by name from where the page is, which a
 * browser refuses to a page from a disk.
 * @param {(name: string) => Promise<ArrayBuffer> | undefined} find
 */
export function answerFetches(find) {
  const browserFetch = globalThis.fetch;
  globalThis.fetch = async (address, ...rest) => {
    const bytes = await find(String(address).split("/").pop() || "");
    if (!bytes) return browserFetch.call(globalThis, address, ...rest);
    return new Response(bytes, { headers: { "Content-Type": "application/wasm" } });
  };
}

/**
 * Returns an address for a script that is held as text or bytes.
 * @param {BlobPart} text
 */
export function scriptAddress(text) {
  return URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
}
