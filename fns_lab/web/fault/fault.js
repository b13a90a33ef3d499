// The script of a fault page: runs the model in the engine that the page embeds and compares its output with the true
// values. It loads no file, so the page works from a disk, with no server.
import { compare, short } from "../compare.js";
import { isContextLost, watchContexts } from "../contexts.js";
import { answerFetches, embedded, scriptAddress } from "../embedded.js";
import { adapterOf } from "../engines/adapter.js";
import { loadScript } from "../engines/script.js";
import { paintErrors } from "../error_map.js";
import { ARRAYS, indexText, numbers, unpacked } from "../tensors.js";

const FIRST_ELEMENTS = 10;

/** @param {string} id */
const element = (id) => /** @type {any} */ (document.getElementById(id));
const facts = JSON.parse(element("facts").textContent);
/** @type {import("../engines/adapter.js").Adapter | undefined} */
let started;

async function startedEngine() {
  const { options, module, wasm } = facts;
  await loadScript(scriptAddress(await embedded("engine")));
  const adapter = adapterOf(options.runtime);
  if (module) options.paths = { mjs: scriptAddress(await embedded("file:" + module)) };
  adapter.setup(options, wasm ? await embedded("file:" + wasm) : undefined);
  return adapter;
}

/** @param {import("../engines/adapter.js").Adapter} adapter @param {any} session */
async function computeValue(adapter, session) {
  const feeds = unpacked(facts.feeds, await embedded("feeds"));
  const outputs = adapter.arrays(await adapter.run(session, adapter.tensors(feeds)));
  if (isContextLost()) throw new Error("the WebGL context was lost");
  const output = outputs.find(({ name }) => name === facts.value);
  if (!output) throw new Error(`the engine did not return output '${facts.value}'`);
  return numbers(output.type, output.data);
}

/**
 * @param {import("../compare.js").Comparison} comparison
 * @param {any} expected
 * @param {any} actual
 */
function show({ error, aboveLimit, worst }, expected, actual) {
  element("largest").textContent = `${short(error[worst])} at ${indexText(worst, facts.shape)}`;
  element("above-limit").textContent = `${aboveLimit.length} of ${error.length}`;
  const rows = aboveLimit.slice(0, FIRST_ELEMENTS);
  element("elements").hidden = !rows.length;
  element("rows").replaceChildren(...rows.map((i) => {
    const row = document.createElement("tr");
    for (const text of [indexText(i, facts.shape), short(expected[i]), short(actual[i]), short(error[i])]) {
      row.appendChild(document.createElement("td")).textContent = text;
    }
    return row;
  }));
  if (facts.shape.length !== 4) return;
  paintErrors(element("map"), error, facts.shape);
  element("image").hidden = false;
}

/**
 * @param {"running" | "good" | "error" | "stopped"} state
 * @param {string} text
 */
function report(state, text) {
  document.body.dataset.state = state;
  element("result").textContent = text;
  element("again").disabled = state === "running";
}

async function run() {
  report("running", "Running…");
  try {
    const adapter = started ||= await startedEngine();
    const session = await adapter.create(await embedded("model"));
    const actual = await computeValue(adapter, session);
    await adapter.close(session);
    const expected = numbers(facts.type, new ARRAYS[facts.type](await embedded("expected")));
    if (actual.length !== expected.length) {
      return report("error", `Wrong in this browser: ${actual.length} elements instead of ${expected.length}`);
    }
    const comparison = compare(expected, actual, facts.limit);
    show(comparison, expected, actual);
    const size = `largest error ${short(comparison.largest)}, allowed ${short(facts.limit)}`;
    if (comparison.aboveLimit.length) report("error", `Wrong in this browser: ${size}`);
    else report("good", `Correct in this browser: ${size}`);
  } catch (error) {
    report("stopped", `The engine stopped: ${(error instanceof Error && error.message) || error}`);
  }
}

watchContexts();
answerFetches((name) => (element("file:" + name) ? embedded("file:" + name) : undefined));
element("browser").textContent = navigator.userAgent;
element("again").onclick = run;
embedded("model").then((bytes) => { element("save").href = URL.createObjectURL(new Blob([bytes])); });
run();
