import assert from "node:assert/strict";
import { test } from "node:test";

import { interleaved, quantile, summary, timed } from "../../fns_lab/web/timing.js";

test("quantiles are those of numpy", () => {
  const values = [9, 1, 4, 16, 25];
  assert.equal(quantile(values, 0.5), 9);
  assert.ok(Math.abs(quantile(values, 0.1) - 2.2) < 1e-12);
  assert.ok(Math.abs(quantile(values, 0.9) - 21.4) < 1e-12);
  assert.equal(quantile([3], 0.9), 3);
});

test("a summary counts its runs", () => {
  assert.deepEqual(summary([2, 2, 2]), { runs: 3, median: 2, p10: 2, p90: 2 });
});

test("participants take turns, and every second round goes backwards", async () => {
  const visited = [];
  await interleaved(3, 2, async (i, round) => { visited.push([i, round]); });
  assert.deepEqual(visited, [[0, 0], [1, 0], [2, 0], [2, 1], [1, 1], [0, 1]]);
});

test("a stop is heeded before the next run", async () => {
  let runs = 0;
  await interleaved(3, 5, async () => { runs++; }, () => runs === 4);
  assert.equal(runs, 4);
});

test("the time of an asynchronous run is that until its end", async () => {
  const [value, ms] = await timed(() => new Promise((done) => setTimeout(done, 20, "done")));
  assert.equal(value, "done");
  assert.ok(ms >= 19);
});
