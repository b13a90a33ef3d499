// Images of the reader's own: from a file, dropped or pasted, or from the webcam. They go to the kernel as they are.
import { PART_BYTES, element } from "./elements.js";

/** @typedef {import("./elements.js").Model} Model */

/** The most bytes of one file: what a browser and the kernel hold without notice. */
const MOST_BYTES = 64 << 20;

/**
 * Sends an image file to the kernel, in parts that Jupyter's server lets through.
 * @param {Model} model
 * @param {Blob} file
 * @param {string} name
 */
async function upload(model, file, name) {
  if (file.size > MOST_BYTES) {
    model.send({ kind: "refused", text: `${name}: ${Math.round(file.size / 1e6)} MB; the most is ${MOST_BYTES >> 20} MB` });
    return;
  }
  const bytes = await file.arrayBuffer();
  const parts = Math.max(1, Math.ceil(bytes.byteLength / PART_BYTES));
  for (let i = 0; i < parts; i++) {
    const buffers = [bytes.slice(i * PART_BYTES, (i + 1) * PART_BYTES)];
    model.send({ kind: "upload", name, part: i, parts }, undefined, buffers);
  }
}

/**
 * Returns the button that opens a file.
 * @param {Model} model
 */
function fileButton(model) {
  const input = element("input", { type: "file", accept: "image/*", hidden: true });
  const button = element("button", { type: "button", textContent: "Open an image …" });
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => {
    if (input.files?.[0]) upload(model, input.files[0], input.files[0].name);
    input.value = ""; // so that the same file can be opened again
  });
  return [button, input];
}

/**
 * Returns the button that starts the webcam, and then takes a photograph with it.
 * @param {Model} model
 * @param {AbortSignal} signal
 */
function webcamButton(model, signal) {
  const video = element("video", { muted: true, playsInline: true, hidden: true });
  const button = element("button", { type: "button", textContent: "Webcam" });
  /** @type {MediaStream | null} */
  let stream = null;
  const stop = () => {
    for (const track of stream?.getTracks() || []) track.stop();
    stream = null;
    video.hidden = true;
    button.textContent = "Webcam";
  };
  const start = async () => {
    button.disabled = true; // until there is a picture to take
    stream = await navigator.mediaDevices.getUserMedia({ video: true });
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
    button.textContent = "Take the photograph";
  };
  const take = async () => {
    const canvas = element("canvas", { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    stop();
    const photograph = await new Promise((resolve) => canvas.toBlob(resolve));
    await upload(model, photograph, "webcam");
  };
  button.addEventListener("click", () => {
    (stream ? take() : start()).catch((error) => {
      stop();
      model.send({ kind: "refused", text: `webcam: ${error.message || error}` });
    }).finally(() => { button.disabled = false; });
  });
  signal.addEventListener("abort", stop);
  return [button, video];
}

/**
 * Returns the buttons, and lets `target` take dropped and pasted images.
 * @param {Model} model
 * @param {AbortSignal} signal
 * @param {HTMLElement} target
 */
export function imageSources(model, signal, target) {
  const take = (/** @type {DataTransfer | null} */ data, /** @type {Event} */ event) => {
    const file = data?.files[0];
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    upload(model, file, file.name);
  };
  target.addEventListener("dragover", (event) => event.preventDefault(), { signal });
  target.addEventListener("drop", (event) => take(event.dataTransfer, event), { signal });
  target.addEventListener("paste", (event) => take(event.clipboardData, event), { signal });
  return [...fileButton(model), ...webcamButton(model, signal)];
}
