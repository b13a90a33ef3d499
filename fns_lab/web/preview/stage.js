// The two images, one over the other with a line between them that can be moved, and the error over both.
import { paintPixels, pixelsFromRgb } from "../images.js";
import { choose, element, follow, labelled } from "./elements.js";
import { runs } from "./local.js";

/** @typedef {import("./elements.js").Model} Model */

/**
 * Returns a canvas that shows the pixels of a trait.
 * @param {Model} model
 * @param {AbortSignal} signal
 * @param {string} trait
 * @param {string} label
 */
function traitImage(model, signal, trait, label) {
  const canvas = element("canvas", { className: trait });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label);
  follow(model, signal, [trait], () => {
    const pixels = model.get(trait);
    canvas.hidden = !pixels?.width;
    if (!canvas.hidden) paintPixels(pixelsFromRgb(pixels), canvas);
  });
  return canvas;
}

/**
 * Shows what runs in this browser give as soon as they give it, before the kernel knows of it.
 * @param {Model} model
 * @param {AbortSignal} signal
 * @param {HTMLCanvasElement[]} canvases  of the images before and after, and of the error
 */
function followRuns(model, signal, [before, after, error]) {
  runs.addEventListener("shown", (event) => {
    const { detail } = /** @type {CustomEvent} */ (event);
    if (detail.run !== model.get("task")) return;
    paintPixels(detail.before, before);
    paintPixels(detail.after, after);
    before.hidden = after.hidden = false;
    error.hidden = true;
  }, { signal });
}

/**
 * Returns the images and the controls of how they are shown.
 * @param {Model} model
 * @param {AbortSignal} signal
 */
export function stage(model, signal) {
  const images = [
    traitImage(model, signal, "before", "the image before"),
    traitImage(model, signal, "after", "the image after"),
    traitImage(model, signal, "error_image", "the error against the regular model, on a log scale: bright is large"),
  ];
  const frame = element("div", { className: "frame" }, ...images, element("div", { className: "line" }));
  const view = element("div", { className: "view", tabIndex: 0 }, frame);
  const split = element("input", { type: "range", min: "0", max: "100", value: "50", step: "1" });
  const zoom = element("input", { type: "range", min: "1", max: "8", value: "1", step: "0.5" });
  const error = element("input", { type: "checkbox" });

  const arrange = () => {
    frame.style.setProperty("--split", `${split.value}%`);
    frame.style.setProperty("--zoom", zoom.value);
    view.classList.toggle("large", Number(zoom.value) > 1);
  };
  for (const control of [split, zoom]) control.addEventListener("input", arrange);
  arrange();
  error.addEventListener("change", () => choose(model, { show_error: error.checked }));
  follow(model, signal, ["show_error"], () => (error.checked = model.get("show_error")));
  follow(model, signal, ["step"], () => view.classList.toggle("busy", Boolean(model.get("step"))));
  followRuns(model, signal, images);
  followPointer(frame, split, arrange);

  const tools = [labelled("before | after", split), labelled("zoom", zoom), labelled("error map", error)];
  return [view, element("div", { className: "tools" }, ...tools)];
}

/**
 * Moves the line to where the pointer is pressed and drawn.
 * @param {HTMLElement} frame
 * @param {HTMLInputElement} split
 * @param {() => void} arrange
 */
function followPointer(frame, split, arrange) {
  const move = (/** @type {PointerEvent} */ event) => {
    if (!event.buttons) return;
    const { left, width } = frame.getBoundingClientRect();
    split.value = String((100 * (event.clientX - left)) / width);
    arrange();
  };
  frame.addEventListener("pointerdown", (event) => {
    frame.setPointerCapture(event.pointerId);
    move(event);
  });
  frame.addEventListener("pointermove", move);
}
