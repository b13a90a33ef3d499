import assert from "node:assert/strict";
import { test } from "node:test";

import { fragmentOf, markdownOf, resultsIn } from "../../fns_lab/web/site/results.js";

const RESULTS = {
  format: "fns-lab benchmark", version: "1", date: "2026-01-02T03:04:05Z", rounds: 3,
  device: { browser: "Firefox 153.0", system: "Linux", cores: 8, isolated: true, webgl: "", webgpu: "" },
  rows: [
    { model: "m", file: "regular", nodes: 64, size: "128x128", target: "ort-web/wasm", engine: "e", ms_load: 10,
      ms_first: 123.456, ms_median: 40.04, ms_p10: 39, ms_p90: 44, runs: 3, max_abs: 0.00146 },
    { model: "m", file: "base ops", nodes: 131, size: "128x128", target: "onnxjs-0.1.8/cpu", engine: "e", fault: "a | b" },
  ],
};

test("results come back from a link, whose letters an address may hold", async () => {
  const fragment = await fragmentOf(RESULTS);
  assert.match(fragment, /^[\w-]+$/);
  assert.deepEqual(await resultsIn(fragment), RESULTS);
});

test("a link that was cut or holds something else is refused", async () => {
  const fragment = await fragmentOf(RESULTS);
  await assert.rejects(resultsIn(fragment.slice(0, -9)), /cut short/);
  await assert.rejects(resultsIn(await fragmentOf({ ...RESULTS, format: "other" })), /no results/);
});

test("a table in Markdown has a row per file", () => {
  const lines = markdownOf(RESULTS).trim().split("\n");
  assert.equal(lines.length, 6);
  assert.equal(lines[4], "| m | regular | 128x128 | ort-web/wasm | 10 | 123 | 40 | 39 | 44 | 0.00146 |");
  assert.match(lines[5], /a \\\| b/);
});
