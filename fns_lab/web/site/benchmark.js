// The page that times every file of a network in every engine, in turns, with the error beside each time.
import { compare, short } from "../compare.js";
import { missing } from "../device.js";
import { Stopped } from "../engines/client.js";
import { decoded, fitted, tensorFromPixels } from "../images.js";
import { interleaved, msText, summary, timed } from "../timing.js";
import { clientOf, modelBytes, readFile } from "./catalog.js";
import { byId, chosenIn, fillSelect, fillTable, reason, save, say } from "./dom.js";
import { dateText, fragmentOf, markdownOf, resultsIn } from "./results.js";

/** @typedef {import("./results.js").Row} Row */
/** @typedef {import("../tensors.js").Tensor} Tensor */

/**
 * One row while it is measured.
 * @typedef {object} Participant
 * @property {Row} row
 * @property {import("./catalog.js").Engine} engine
 * @property {import("./catalog.js").Model} model
 * @property {import("./catalog.js").Variant} variant
 * @property {[number, number]} size
 * @property {number} session
 * @property {Tensor} input
 * @property {number[]} times
 */

const MEGABYTES_AT_ONCE = 600; // of inputs and sessions; above, files are measured one network and size at a time
const CHOICES = { networks: "benchmark-models", engines: "benchmark-engines", sizes: "benchmark-sizes" };
const COLUMNS = ["network", "file", "engine", "median ms", "p10", "p90", "first ms", "load ms", "nodes", "size", "error"];

/** @type {import("./catalog.js").Catalog} */
let catalog;
/** @type {import("../device.js").Device} */
let facts;
/** @type {import("./results.js").Results} */
let results;
let isStopped = false;

/**
 * @param {import("./catalog.js").Catalog} siteCatalog
 * @param {import("../device.js").Device} deviceFacts
 */
export function openBenchmark(siteCatalog, deviceFacts) {
  catalog = siteCatalog;
  facts = deviceFacts;
  const models = catalog.models.map(({ name }) => ({ value: name, text: name }));
  fillSelect("benchmark-models", models, [models[0]?.value]);
  const engines = catalog.engines.map(({ target, options }) => ({ value: target, text: target, fault: missing(options.backend, facts) }));
  fillSelect("benchmark-engines", engines, engines.filter(({ fault }) => !fault).map(({ value }) => value));
  const sizes = [...new Set(catalog.models.flatMap(({ expected }) => Object.keys(expected)))];
  fillSelect("benchmark-sizes", sizes.map((size) => ({ value: size, text: size.replace("x", " × ") })), sizes.slice(0, 1));
  byId("benchmark-form").onsubmit = (/** @type {Event} */ event) => { event.preventDefault(); measure(); };
  byId("benchmark-stop").onclick = stop;
  byId("benchmark-json").onclick = () =>
    save(new Blob([JSON.stringify(results, null, 1)], { type: "application/json" }), "benchmark.json");
  byId("benchmark-markdown").onclick = () => copy(markdownOf(results), "The table");
  byId("benchmark-link").onclick = async () =>
    copy(`${location.href.split("#")[0]}#benchmark=${await fragmentOf(results)}`, "The link");
  byId("benchmark-form").onchange = () => history.replaceState(null, "", `#benchmark?${settings()}`);
  openLink();
  window.addEventListener("hashchange", openLink);
}

// The address holds settings, and `run` to start at once, or results, from "Copy link" on this or another device.
function openLink() {
  const [, sign, text] = /^#benchmark([?=])(.+)/.exec(location.hash) || [];
  if (sign === "?") applySettings(new URLSearchParams(text));
  if (sign === "=") showLinked(text);
}

function settings() {
  const chosen = Object.entries(CHOICES).map(([name, id]) => [name, chosenIn(id).join(",")]);
  const found = new URLSearchParams([...chosen, ["rounds", byId("benchmark-rounds").value]]);
  return decodeURIComponent(found.toString());
}

/** @param {URLSearchParams} given */
function applySettings(given) {
  for (const [name, id] of Object.entries(CHOICES)) {
    const wanted = given.get(name)?.split(",");
    if (wanted) for (const option of byId(id).options) option.selected = !option.disabled && wanted.includes(option.value);
  }
  if (given.has("rounds")) byId("benchmark-rounds").value = given.get("rounds");
  if (given.has("run") && !byId("benchmark-run").disabled) measure();
}

/** @param {string} text */
async function showLinked(text) {
  try {
    results = await resultsIn(text);
    show();
    say("benchmark-status", `Results of ${dateText(results)}, from the link.`);
  } catch (error) {
    say("benchmark-status", reason(error), true);
  }
}

/** @param {string} text @param {string} what */
async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    say("benchmark-status", `${what} is in the clipboard.`);
  } catch {
    say("benchmark-status", text);
  }
}

/** @returns {Participant[]} */
function participants() {
  const targets = chosenIn("benchmark-engines");
  const sizes = chosenIn("benchmark-sizes");
  /** @type {Participant[]} */
  const found = [];
  for (const model of catalog.models.filter(({ name }) => chosenIn("benchmark-models").includes(name))) {
    for (const size of sizes.filter((text) => model.expected[text])) {
      const [height, width] = size.split("x").map(Number);
      for (const variant of model.variants.filter((v) => !v.size || `${v.size[0]}x${v.size[1]}` === size)) {
        for (const engine of catalog.engines.filter(({ target }) => targets.includes(target) && variant.targets.includes(target))) {
          /** @type {Row} */
          const row = { model: model.name, file: variant.kind, nodes: variant.nodes, size, target: engine.target, engine: engine.title };
          found.push({ row, engine, model, variant, size: [height, width], session: 0, input: /** @type {any} */ (null), times: [] });
        }
      }
    }
  }
  return found;
}

async function measure() {
  const all = participants();
  if (!all.length) return say("benchmark-status", "Choose a network, an engine and a size.", true);
  const rounds = Math.max(1, Math.round(Number(byId("benchmark-rounds").value) || 1));
  results = { format: "fns-lab benchmark", version: catalog.version, date: new Date().toISOString(), device: facts, rounds, rows: all.map(({ row }) => row) };
  isStopped = false;
  setRunning(true);
  const groups = grouped(all);
  const steps = all.reduce((sum, { engine }) => sum + 1 + engine.warmup + rounds, 0);
  let done = 0;
  const advance = (/** @type {Participant} */ { row }) => {
    done++;
    byId("benchmark-progress").value = done / steps;
    say("benchmark-status", `${row.model}, ${row.file}, ${row.size}, ${row.target}: ${done} of ${steps} runs`);
  };
  for (const group of groups) if (!isStopped) await measureGroup(group, rounds, advance);
  const faults = results.rows.filter(({ fault }) => fault).length;
  setRunning(false);
  show();
  say("benchmark-status", isStopped ? "Stopped. What was measured until then is below."
    : `Done: ${all.length} files timed${faults ? `, ${faults} of which did not run` : ""}.`, !isStopped && faults === all.length);
}

/** @param {boolean} running */
function setRunning(running) {
  byId("benchmark-run").disabled = running;
  byId("benchmark-stop").disabled = !running;
  byId("benchmark-progress").hidden = !running;
  byId("benchmark-exports").hidden = running;
}

function stop() {
  isStopped = true;
  for (const engine of catalog.engines) clientOf(engine).stop();
}

// What is compared takes turns: all files of a network at a size. All at once only where they are few.
/** @param {Participant[]} all @returns {Participant[][]} */
function grouped(all) {
  const megabytes = all.reduce((sum, { size }) => sum + (size[0] * size[1] * 4 * 200) / 1e6, 0);
  if (megabytes < MEGABYTES_AT_ONCE) return [all];
  return Object.values(Object.groupBy(all, ({ row }) => `${row.model} ${row.size}`)).map((group) => group || []);
}

/** @param {Participant[]} group @param {number} rounds @param {(participant: Participant) => void} advance */
async function measureGroup(group, rounds, advance) {
  for (const participant of group) {
    if (isStopped) return;
    await attempt(participant, () => firstRun(participant));
    advance(participant);
  }
  const running = group.filter(({ row }) => !row.fault);
  for (const participant of running) {
    for (let i = 0; i < participant.engine.warmup && !isStopped; i++) {
      await attempt(participant, () => oneRun(participant));
      advance(participant);
    }
  }
  await interleaved(running.length, rounds, async (i) => {
    const participant = running[i];
    await attempt(participant, async () => { participant.times.push((await oneRun(participant)).ms); });
    advance(participant);
  }, () => isStopped);
  for (const { row, times, engine, session } of running) {
    const { median, p10, p90, runs } = summary(times);
    if (runs) Object.assign(row, { ms_median: median, ms_p10: p10, ms_p90: p90, runs });
    if (!isStopped) await clientOf(engine).close(session).catch(() => undefined);
  }
  show();
}

/** @param {Participant} participant @param {() => Promise<void | object>} work */
async function attempt({ row }, work) {
  if (row.fault) return;
  try {
    await work();
  } catch (error) {
    row.fault = error instanceof Stopped ? "stopped" : reason(error);
  }
}

/** @param {Participant} participant */
const oneRun = ({ engine, session, input }) => clientOf(engine).run(session, [input]);

// Cold: the engine's start is not counted, loading the model and its first run are.
/** @param {Participant} participant */
async function firstRun(participant) {
  const { row, engine, model, variant, size } = participant;
  const client = clientOf(engine);
  const [, startMs] = await timed(() => client.start());
  const { id, ms } = await client.create(await modelBytes(model, variant));
  participant.session = id;
  participant.input = await sampleInput(model.input, size);
  const { outputs, ms: firstMs } = await oneRun(participant);
  const expected = new Float32Array(await readFile(model.expected[row.size]));
  const { largest } = compare(expected, outputs[0].data);
  Object.assign(row, { ms_start: startMs, ms_load: ms, ms_first: firstMs, max_abs: largest });
}

/** @param {string} name @param {[number, number]} size */
async function sampleInput(name, [height, width]) {
  const file = catalog.samples[`${height}x${width}`] || Object.values(catalog.samples)[0];
  const bitmap = await decoded(new Blob([await readFile(file)], { type: "image/png" }));
  return tensorFromPixels(fitted(bitmap, width, height), name);
}

function show() {
  fillTable("benchmark-table", COLUMNS, results.rows.map((row) => [
    row.model, row.file, row.target, msText(row.ms_median), msText(row.ms_p10), msText(row.ms_p90), msText(row.ms_first),
    msText(row.ms_load), String(row.nodes), row.size,
    row.fault || (row.max_abs === undefined ? "" : short(Number(row.max_abs.toPrecision(2)))),
  ]), ["network", "file", "engine"]);
  const { browser, system, cores, isolated } = results.device;
  say("benchmark-device", `${browser}, ${system}, ${cores} cores, ${isolated ? "wasm on several threads" : "wasm on one thread"}, `
    + `${results.rounds} timed rounds, ${dateText(results)}`);
  byId("benchmark-exports").hidden = false;
}
