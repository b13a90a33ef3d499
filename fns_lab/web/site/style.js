// The page that styles an image: from a file, the clipboard, the sample or a webcam, in any engine of this browser.
import { compare, short } from "../compare.js";
import { missing } from "../device.js";
import { Stopped } from "../engines/client.js";
import { decoded, fitted, ownSize, paintPixels, paintTensor, psnr, tensorFromPixels } from "../images.js";
import { clientOf, readFile, variantFor } from "./catalog.js";
import { byId, fillSelect, onFile, reason, save, say } from "./dom.js";
import { runVariant } from "./sessions.js";

/** @typedef {import("../tensors.js").Tensor} Tensor */

const OWN_SIZE = "own";
const FIRST = { width: "8", size: "128x128", engine: "ort-web/wasm" };
const REFERENCE = "ort-web/wasm";

/** @type {import("./catalog.js").Catalog} */
let catalog;
/** @type {import("../device.js").Device} */
let facts;
/** @type {ImageBitmap | null} null while the sample is shown */
let image = null;
/** @type {MediaStream | null} */
let stream = null;
/** @type {{ model: import("./catalog.js").Model, input: Tensor, output: Tensor, size: string, isSample: boolean } | null} */
let shown = null;
let isRunning = false;
/** @type {import("./catalog.js").Engine | null} */
let running = null;
let isWanted = false;
let isStopped = false;
/** When the frame before was shown, to count frames per second. */
let shownAt = 0;

/**
 * @param {import("./catalog.js").Catalog} siteCatalog
 * @param {import("../device.js").Device} deviceFacts
 */
export function openStyle(siteCatalog, deviceFacts) {
  catalog = siteCatalog;
  facts = deviceFacts;
  const styles = [...new Set(catalog.models.map(({ style }) => style))];
  fillSelect("style-style", styles.map((style) => ({ value: style, text: style })), styles.slice(0, 1));
  offerWidths();
  offerSizes();
  offerEngines();
  byId("style-style").onchange = () => { offerWidths(); offerSizes(); offerEngines(); run(); };
  byId("style-width").onchange = () => { offerSizes(); offerEngines(); run(); };
  byId("style-size").onchange = () => { offerEngines(); run(); };
  byId("style-engine").onchange = run;
  byId("style-form").onsubmit = (/** @type {Event} */ event) => { event.preventDefault(); run(); };
  byId("style-stop").onclick = stop;
  byId("style-compare").onclick = compareShown;
  byId("style-save").onclick = () => byId("style-after").toBlob((/** @type {Blob} */ blob) => save(blob, "styled.png"));
  byId("style-slide").oninput = slide;
  byId("style-sample").onclick = () => { closeWebcam(); image = null; run(); };
  byId("style-webcam").onclick = () => (stream ? closeWebcam() : openWebcam());
  onFile("style-file", "style-drop", take);
  document.addEventListener("paste", ({ clipboardData }) => {
    const file = [...(clipboardData?.files || [])].find(({ type }) => type.startsWith("image/"));
    if (file && !byId("page-style").hidden) take(file);
  });
  run();
}

/** @returns {import("./catalog.js").Model} */
function chosenModel() {
  const style = byId("style-style").value;
  const width = byId("style-width").value;
  const models = catalog.models.filter((model) => model.style === style);
  return models.find((model) => String(model.width) === width) || models[0];
}

function offerWidths() {
  const models = catalog.models.filter(({ style }) => style === byId("style-style").value);
  const before = byId("style-width").value || FIRST.width;
  const widths = models.map(({ width }) => ({ value: String(width), text: width ? `${width} channels` : "its own" }));
  fillSelect("style-width", widths, [before]);
}

function offerSizes() {
  const before = byId("style-size").value || FIRST.size;
  const model = chosenModel();
  const fixed = model.variants.map(({ size }) => size).filter((size) => size !== null);
  const sizes = new Set([...fixed.map(([h, w]) => `${h}x${w}`), ...(isFree(model) ? Object.keys(catalog.samples) : [])]);
  const options = [...sizes].map((size) => ({ value: size, text: size.replace("x", " × ") }));
  if (isFree(model)) options.push({ value: OWN_SIZE, text: "the image's own" });
  fillSelect("style-size", options, [before]);
}

/** @param {import("./catalog.js").Model} model */
const isFree = (model) => model.variants.some(({ size }) => size === null);

/** @returns {[number, number]} height and width at which the image is run */
function chosenSize() {
  const size = byId("style-size").value;
  if (size !== OWN_SIZE) return /** @type {[number, number]} */ (size.split("x").map(Number));
  const { width, height } = stream ? ownSize({ width: byId("style-video").videoWidth, height: byId("style-video").videoHeight })
    : image ? ownSize(image) : { width: 512, height: 512 };
  return [height, width];
}

function offerEngines() {
  const before = byId("style-engine").value || FIRST.engine;
  const model = chosenModel();
  const size = chosenSize();
  const options = catalog.engines.map(({ target, title, options: { backend } }) => ({
    value: target, text: `${title.split(" (")[0]}, ${backend}`,
    fault: missing(backend, facts) || (variantFor(model, target, size) ? "" : "not at this size"),
  }));
  const usable = options.filter(({ fault }) => !fault).map(({ value }) => value);
  fillSelect("style-engine", options, [usable.includes(before) ? before : usable[0]]);
}

function slide() {
  byId("style-view").style.setProperty("--at", `${byId("style-slide").value}%`);
}

/** @param {File} file */
async function take(file) {
  try {
    const bitmap = await decoded(file);
    closeWebcam();
    image = bitmap;
    offerEngines();
    run();
  } catch (error) {
    clear();
    say("style-status", reason(error), true);
  }
}

function clear() {
  shown = null;
  for (const id of ["style-before", "style-after"]) byId(id).width = byId(id).height = 0;
  byId("style-difference").textContent = "";
  byId("style-save").disabled = byId("style-compare").disabled = true;
}

/** @param {[number, number]} size @returns {Promise<ImageData>} */
async function pixelsAt([height, width]) {
  if (stream) return fitted(byId("style-video"), width, height);
  if (image) return fitted(image, width, height);
  const name = catalog.samples[`${height}x${width}`] || Object.values(catalog.samples)[0];
  return fitted(await decoded(new Blob([await readFile(name)], { type: "image/png" })), width, height);
}

// One run at a time; whatever is changed meanwhile is run next, and what it makes out of date is not shown. Another
// engine does not wait for the one before.
async function run() {
  isWanted = true;
  if (isRunning) {
    if (running && running.target !== byId("style-engine").value) clientOf(running).stop();
    return;
  }
  isRunning = true;
  isStopped = false;
  byId("style-stop").disabled = false;
  while (isWanted && !isStopped) {
    isWanted = stream !== null;
    if (stream) await new Promise(requestAnimationFrame); // no faster than the screen, and not at all while it is hidden
    await runOnce();
  }
  isRunning = false;
  byId("style-stop").disabled = true;
}

async function runOnce() {
  const model = chosenModel();
  const size = chosenSize();
  const engine = catalog.engines.find(({ target }) => target === byId("style-engine").value);
  const variant = engine && variantFor(model, engine.target, size);
  if (!engine || !variant) return say("style-status", "No engine of this browser runs this network at this size.", true);
  if (!stream) say("style-status", "Running…");
  running = engine;
  try {
    const pixels = await pixelsAt(size);
    const isSample = !stream && !image;
    const input = tensorFromPixels(pixels, model.input);
    const { output, ms, loadMs, isNew } = await runVariant(engine, model, variant, input);
    if (isWanted && !stream) return;
    paintPixels(pixels, byId("style-before"));
    paintTensor(output, byId("style-after"));
    shown = { model, input, output, size: `${size[0]}x${size[1]}`, isSample };
    byId("style-difference").textContent = "";
    byId("style-save").disabled = byId("style-compare").disabled = false;
    const between = performance.now() - shownAt;
    shownAt += between;
    say("style-status", stream ? `${ms.toFixed(0)} ms, ${(1000 / between).toFixed(1)} frames per second`
      : `${ms.toFixed(0)} ms in ${engine.title} ${engine.options.backend}, ${variant.nodes} nodes`
        + (isNew ? `; first run, after ${loadMs.toFixed(0)} ms to load` : ""));
  } catch (error) {
    if (error instanceof Stopped && isWanted) return;
    clear();
    if (error instanceof Stopped) return say("style-status", "Stopped.");
    isStopped = true;
    say("style-status", `The engine stopped: ${reason(error)}`, true);
  }
}

function stop() {
  isStopped = true;
  isWanted = false;
  closeWebcam();
  for (const engine of catalog.engines) clientOf(engine).stop();
}

// The expected pixels of the sample come from PyTorch; of any other image from the unmodified model in one engine.
async function compareShown() {
  if (!shown) return;
  const { model, input, output, size, isSample } = shown;
  say("style-difference", "Comparing…");
  try {
    const stored = isSample && model.expected[size];
    const engine = catalog.engines.find(({ target }) => target === REFERENCE);
    const regular = model.variants.find(({ kind, targets }) => kind === "regular" && targets.includes(REFERENCE));
    if (!stored && !(engine && regular)) return say("style-difference", "No engine here has the unmodified model.", true);
    const expected = stored ? new Float32Array(await readFile(stored))
      : (await runVariant(/** @type {any} */ (engine), model, /** @type {any} */ (regular), input)).output.data;
    const { largest, mean } = compare(expected, output.data);
    const decibels = psnr(expected, output.data);
    say("style-difference", `Difference to ${stored ? model.truth : `the regular model in ${REFERENCE}`}: at most `
      + `${short(largest)} of 255, ${short(mean)} on average (${Number.isFinite(decibels) ? `${decibels.toFixed(0)} dB` : "equal"})`);
  } catch (error) {
    say("style-difference", reason(error), true);
  }
}

async function openWebcam() {
  try {
    if (!navigator.mediaDevices) throw new Error("a page has a webcam only over https or on this machine");
    stream = await navigator.mediaDevices.getUserMedia({ video: true });
    byId("style-video").srcObject = stream;
    await byId("style-video").play();
    byId("style-webcam").textContent = "Stop webcam";
    offerEngines();
    run();
  } catch (error) {
    closeWebcam();
    say("style-status", `No webcam: ${reason(error)}`, true);
  }
}

function closeWebcam() {
  for (const track of stream?.getTracks() || []) track.stop();
  stream = null;
  byId("style-video").srcObject = null;
  byId("style-webcam").textContent = "Webcam";
}
