// The two images, one over the other with a line between them that can be moved, and the error over both.
import { choose, element, follow, labelled } from "./elements.js";

/** @typedef {import("./elements.js").Model} Model */

/**
 * Returns an image that shows the PNG file of a trait.
 * @param {Model} model
 * @param {AbortSignal} signal
 * @param {string} trait
 * @param {string} alt
 */
function traitImage(model, signal, trait, alt) {
  const image = element("img", { alt, className: trait, draggable: false });
  let address = "";
  const release = () => URL.revokeObjectURL(address);
  follow(model, signal, [trait], () => {
    const bytes = /** @type {DataView<ArrayBuffer>} */ (model.get(trait));
    release();
    address = bytes?.byteLength ? URL.createObjectURL(new Blob([bytes], { type: "image/png" })) : "";
    image.hidden = !address;
    if (address) image.src = address;
    else image.removeAttribute("src");
  });
  signal.addEventListener("abort", release);
  return image;
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
  images[0].addEventListener("load", () => frame.style.setProperty("--pixels", String(images[0].naturalWidth)));
  for (const control of [split, zoom]) control.addEventListener("input", arrange);
  arrange();
  error.addEventListener("change", () => choose(model, { show_error: error.checked }));
  follow(model, signal, ["show_error"], () => (error.checked = model.get("show_error")));
  follow(model, signal, ["step"], () => view.classList.toggle("busy", Boolean(model.get("step"))));
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
