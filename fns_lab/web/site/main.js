// The site's page: reads the catalogue, shows one of its sections at a time, and says what the device has.
import { device } from "../device.js";
import { openBenchmark } from "./benchmark.js";
import { readCatalog, SINGLE_FILE } from "./catalog.js";
import { byId, ignoreOtherDrops, reason, say } from "./dom.js";
import { openStyle } from "./style.js";
import { openWhyWrong } from "./why_wrong.js";
import { openYourModel } from "./your_model.js";

const PAGES = ["style", "benchmark", "your-model", "why-wrong"];

/** Shows the section that the address names. */
function showPage() {
  const [name] = location.hash.slice(1).split(/[=?]/);
  const page = PAGES.includes(name) ? name : PAGES[0];
  for (const other of PAGES) byId(`page-${other}`).hidden = other !== page;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#${page}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

/** @param {import("../device.js").Device} facts */
function describe({ browser, system, cores, isolated, webgl, webgpu }) {
  const threads = isolated ? "wasm on several threads" : "wasm on one thread (the page is not cross-origin isolated)";
  return [`${browser}, ${system}, ${cores} cores`, threads, `WebGL: ${webgl || "none"}`, `WebGPU: ${webgpu || "none"}`].join("; ");
}

async function open() {
  window.addEventListener("hashchange", showPage);
  showPage();
  ignoreOtherDrops();
  const [catalog, facts] = await Promise.all([readCatalog(), device()]);
  say("device", `${describe(facts)}. fns_lab ${catalog.version}`);
  for (const openPage of [openStyle, openBenchmark, openYourModel, openWhyWrong]) openPage(catalog, facts);
  if (!SINGLE_FILE) navigator.serviceWorker?.register("sw.js").catch(() => undefined);
}

open().catch((error) => {
  say("fault", `The page did not start: ${reason(error)}`, true);
  byId("fault").hidden = false;
});
