// The script of a fault page: runs the model in the engine that the page embeds and compares its output with the true
// values. Needs host.js and an adapter before it. It loads no file, so the page works from a disk, with no server.
"use strict";

const FIRST_ELEMENTS = 10;
const DECADES = 4;
const RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
const NOT_A_NUMBER = [86, 180, 233];

const element = (id) => document.getElementById(id);
const facts = JSON.parse(element("facts").textContent);

// The bytes that the page embeds, gzipped and as base64, in the element `id`.
async function embedded(id) {
  const packed = Uint8Array.from(atob(element(id).textContent), (letter) => letter.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).arrayBuffer();
}

// ONNX.js fetches its wasm by name, which a browser refuses to a page from a disk.
const browserFetch = window.fetch;
window.fetch = async (address, ...rest) => {
  const id = "file:" + String(address).split("/").pop();
  if (!element(id)) return browserFetch.call(window, address, ...rest);
  return new Response(await embedded(id), { headers: { "Content-Type": "application/wasm" } });
};

async function createSession() {
  const { module, wasm } = facts;
  if (module) {
    const text = await embedded("file:" + module);
    facts.options.paths = { mjs: URL.createObjectURL(new Blob([text], { type: "text/javascript" })) };
  }
  await adapter.setup(facts.options, wasm ? await embedded("file:" + wasm) : undefined);
  return adapter.create(await embedded("model"));
}

async function computeValue(session) {
  const outputs = await adapter.run(session, adapter.tensors(unpacked(facts.feeds, await embedded("feeds"))));
  if (isContextLost()) throw new Error("the WebGL context was lost");
  const output = adapter.arrays(outputs).find(({ name }) => name === facts.value);
  if (!output) throw new Error(`the engine did not return output '${facts.value}'`);
  return numbers(output.type, output.data);
}

function numbers(type, data) {
  return type === "float16" && data instanceof Uint16Array ? new Float16Array(data.buffer, data.byteOffset, data.length)
    : data;
}

function compare(expected, actual) {
  const error = Float64Array.from(expected, (x, i) => Math.abs(Number(actual[i]) - Number(x)));
  const aboveLimit = [];
  let worst = 0;
  error.forEach((e, i) => {
    if (!(e <= facts.limit)) aboveLimit.push(i);
    if (!(e <= error[worst]) && !Number.isNaN(error[worst])) worst = i;
  });
  return { error, aboveLimit, worst };
}

function indices(i) {
  const index = [];
  for (const dimension of [...facts.shape].reverse()) {
    index.unshift(i % dimension);
    i = Math.floor(i / dimension);
  }
  return `(${index.join(", ")})`;
}

const short = (x) => Number(Number(x).toPrecision(6)).toString();

function show({ error, aboveLimit, worst }, expected, actual) {
  element("largest").textContent = `${short(error[worst])} at ${indices(worst)}`;
  element("above-limit").textContent = `${aboveLimit.length} of ${error.length}`;
  const rows = aboveLimit.slice(0, FIRST_ELEMENTS);
  element("elements").hidden = !rows.length;
  element("rows").replaceChildren(...rows.map((i) => {
    const row = document.createElement("tr");
    for (const text of [indices(i), short(expected[i]), short(actual[i]), short(error[i])]) {
      row.appendChild(document.createElement("td")).textContent = text;
    }
    return row;
  }));
  if (facts.shape.length === 4) paint(error);
}

function paint(error) {
  const largest = error.reduce((most, e) => (e > most && e < Infinity ? e : most), 0);
  const [height, width] = facts.shape.slice(-2);
  const canvas = element("map");
  Object.assign(canvas, { width, height });
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    let e = 0;
    for (let j = i; j < error.length; j += width * height) e = Number.isNaN(e) || error[j] <= e ? e : error[j];
    pixels.data.set([...colour(e && e / largest), 255], 4 * i);
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  canvas.style.width = `${Math.min(512, width * Math.max(1, Math.floor(256 / width)))}px`;
  element("image").hidden = false;
}

// The colour of an error, given as a fraction of the largest, on a log scale.
function colour(fraction) {
  if (Number.isNaN(fraction)) return NOT_A_NUMBER;
  const place = Math.min(1, Math.max(0, 1 + Math.log10(fraction) / DECADES)) * (RAMP.length - 1);
  const below = Math.min(RAMP.length - 2, Math.floor(place));
  return RAMP[below].map((c, k) => c + (place - below) * (RAMP[below + 1][k] - c));
}

function report(state, text) {
  document.body.dataset.state = state;
  element("result").textContent = text;
  element("again").disabled = state === "running";
}

async function run() {
  report("running", "Running…");
  try {
    const session = await createSession();
    const actual = await computeValue(session);
    await adapter.close(session);
    const expected = numbers(facts.type, new ARRAYS[facts.type](await embedded("expected")));
    if (actual.length !== expected.length) {
      return report("error", `Wrong in this browser: ${actual.length} elements instead of ${expected.length}`);
    }
    const comparison = compare(expected, actual);
    show(comparison, expected, actual);
    const size = `largest error ${short(comparison.error[comparison.worst])}, allowed ${short(facts.limit)}`;
    if (comparison.aboveLimit.length) report("error", `Wrong in this browser: ${size}`);
    else report("good", `Correct in this browser: ${size}`);
  } catch (error) {
    report("stopped", `The engine stopped: ${(error && error.message) || error}`);
  }
}

element("browser").textContent = navigator.userAgent;
element("again").onclick = run;
embedded("model").then((bytes) => { element("save").href = URL.createObjectURL(new Blob([bytes])); });
run();
