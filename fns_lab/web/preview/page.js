// The preview in a page without a kernel: the images of its latest run, with the line, the zoom and the error map.
import { ungzipped } from "../embedded.js";
import { element } from "./elements.js";
import { stage } from "./stage.js";

/** @typedef {import("./elements.js").Model} Model */
/** @typedef {{ width: number, height: number, data: string }} Packed  of which `data` is gzipped, as base64 */

/** @param {Packed | null} packed */
async function pixels(packed) {
  return packed ? { ...packed, data: new Uint8Array(await ungzipped(packed.data)) } : {};
}

/**
 * Returns what stands in for the widget's model: `show_error` decides whether the error is there.
 * @param {Record<string, any>} values
 * @returns {Model}
 */
function modelOf(values) {
  const events = new EventTarget();
  return {
    get: (name) => (name === "error_image" && !values.show_error ? {} : values[name]),
    set(name, value) {
      values[name] = value;
      for (const changed of [name, "error_image"]) events.dispatchEvent(new Event(`change:${changed}`));
    },
    save_changes() {},
    send() {},
    on: (name, callback) => events.addEventListener(name, callback),
    off: (name, callback) => events.removeEventListener(name, callback),
  };
}

/**
 * Shows a preview in an element.
 * @param {HTMLElement} place
 * @param {{ before: Packed | null, after: Packed | null, error: Packed | null, caption: string, status: string }} state
 */
export async function show(place, { before, after, error, caption, status }) {
  const [one, other, errors] = await Promise.all([before, after, error].map(pixels));
  const model = modelOf({ before: one, after: other, error_image: errors, show_error: false, step: "", task: 0 });
  place.append(
    ...stage(model, new AbortController().signal),
    element("p", {}, caption, element("br"), element("span", { textContent: status })),
  );
}

/**
 * Shows a preview in an element that keeps its state, once.
 * @param {HTMLElement} place
 */
export function showKept(place) {
  const state = JSON.parse(place.dataset.state ?? "");
  delete place.dataset.state;
  return show(place, state);
}
