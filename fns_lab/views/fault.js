// The script of a fault's page: runs the model in the engine that is inlined here, and holds its answer against the
// true one. Needs host.js and an adapter before it. Nothing is loaded: the page works from a disk, with no server.
"use strict";

const FIRST_ELEMENTS = 10;
const DECADES = 4;
const RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
const NOT_A_NUMBER = [86, 180, 233];

const element = (id) => document.getElementById(id);
const facts = JSON.parse(element("facts").textContent);

async function inlined(id) {
  const packed = Uint8Array.from(atob(element(id).textContent), (letter) => letter.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(plain).arrayBuffer();
}

// ONNX.js asks for its wasm by name, which no browser answers to a page from a disk.
const fetchOutside = window.fetch;
window.fetch = async (address, ...rest) => {
  const id = "file:" + String(address).split("/").pop();
  if (!element(id)) return fetchOutside.call(window, address, ...rest);
  return new Response(await inlined(id), { headers: { "Content-Type": "application/wasm" } });
};

async function started() {
  const { module, wasm } = facts;
  if (module) {
    const text = await inlined("file:" + module);
    facts.options.paths = { mjs: URL.createObjectURL(new Blob([text], { type: "text/javascript" })) };
  }
  await adapter.setup(facts.options, wasm ? await inlined("file:" + wasm) : undefined);
  return adapter.create(await inlined("model"));
}

async function answer(session) {
  const outputs = await adapter.run(session, adapter.tensors(unpacked(facts.feeds, await inlined("feeds"))));
  if (isContextLost()) throw new Error("the WebGL context was lost");
  const found = adapter.arrays(outputs).find(({ name }) => name === facts.value);
  if (!found) throw new Error(`the engine did not return output '${facts.value}'`);
  return numbers(found.type, found.data);
}

function numbers(type, data) {
  return type === "float16" && data instanceof Uint16Array ? new Float16Array(data.buffer, data.byteOffset, data.length)
    : data;
}

function compared(expected, got) {
  const error = Float64Array.from(expected, (x, i) => Math.abs(Number(got[i]) - Number(x)));
  const beyond = [];
  let worst = 0;
  error.forEach((e, i) => {
    if (!(e <= facts.limit)) beyond.push(i);
    if (!(e <= error[worst]) && !Number.isNaN(error[worst])) worst = i;
  });
  return { error, beyond, worst };
}

function indices(i) {
  const found = [];
  for (const side of [...facts.shape].reverse()) {
    found.unshift(i % side);
    i = Math.floor(i / side);
  }
  return `(${found.join(", ")})`;
}

const short = (x) => Number(Number(x).toPrecision(6)).toString();

function show({ error, beyond, worst }, expected, got) {
  element("largest").textContent = `${short(error[worst])} at ${indices(worst)}`;
  element("beyond").textContent = `${beyond.length} of ${error.length}`;
  const rows = beyond.slice(0, FIRST_ELEMENTS);
  element("elements").hidden = !rows.length;
  element("rows").replaceChildren(...rows.map((i) => {
    const row = document.createElement("tr");
    for (const text of [indices(i), short(expected[i]), short(got[i]), short(error[i])]) {
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

function colour(part) {
  if (Number.isNaN(part)) return NOT_A_NUMBER;
  const place = Math.min(1, Math.max(0, 1 + Math.log10(part) / DECADES)) * (RAMP.length - 1);
  const below = Math.min(RAMP.length - 2, Math.floor(place));
  return RAMP[below].map((c, k) => c + (place - below) * (RAMP[below + 1][k] - c));
}

function say(state, text) {
  document.body.dataset.state = state;
  element("verdict").textContent = text;
  element("again").disabled = state === "running";
}

async function run() {
  say("running", "Running…");
  try {
    const session = await started();
    const got = await answer(session);
    await adapter.close(session);
    const expected = numbers(facts.type, new ARRAYS[facts.type](await inlined("expected")));
    if (got.length !== expected.length) {
      return say("fault", `FAULT SHOWN: ${got.length} values, where ${expected.length} are due`);
    }
    const found = compared(expected, got);
    show(found, expected, got);
    const size = `largest error ${short(found.error[found.worst])}, allowed ${short(facts.limit)}`;
    if (found.beyond.length) say("fault", `FAULT SHOWN: ${size}`);
    else say("good", `No fault in this browser: ${size}`);
  } catch (error) {
    say("stopped", `The engine stopped: ${(error && error.message) || error}`);
  }
}

element("browser").textContent = navigator.userAgent;
element("again").onclick = run;
inlined("model").then((bytes) => { element("save").href = URL.createObjectURL(new Blob([bytes])); });
run();
