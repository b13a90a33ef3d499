import assert from "node:assert/strict";
import { test } from "node:test";

import { EngineClient, Stopped } from "../../fns_lab/web/engines/client.js";

/** A worker that answers each request at once, until it is ended. */
class AnsweringWorker {
  ended = false;
  asked = [];

  postMessage({ number, call }) {
    this.asked.push(call);
    queueMicrotask(() => this.ended || this.onmessage({ data: { number, reply: { value: { ms: 1, outputs: [] } } } }));
  }

  terminate() {
    this.ended = true;
  }
}

/** A client whose workers and files arrive when the test says so. */
function clientInSteps() {
  const steps = { workers: [], files: [] };
  const later = (list, make) => () => new Promise((resolve) => list.push(() => resolve(make())));
  const made = [];
  const newWorker = later(steps.workers, () => made[made.push(new AnsweringWorker()) - 1]);
  return { client: new EngineClient(later(steps.files, () => ({})), newWorker), steps, made };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

test("a start that was stopped while its worker started neither runs nor ends the next one", async () => {
  const { client, steps, made } = clientInSteps();
  const first = client.start();
  client.stop();
  const second = client.start();
  steps.workers[1]();
  await turn();
  steps.workers[0]();
  await assert.rejects(first, Stopped);
  steps.files[0]();
  await second;
  assert.deepEqual(made.map(({ ended }) => ended), [false, true]);
  assert.equal((await client.create(new Uint8Array(1))).ms, 1);
  assert.deepEqual(made[0].asked, ["start", "create"]);
});

test("a start that was stopped while its files arrived runs nothing, in no worker and not in the page", async () => {
  const { client, steps, made } = clientInSteps();
  const start = client.start();
  steps.workers[0]();
  await turn();
  client.stop();
  steps.files[0]();
  await assert.rejects(start, Stopped);
  assert.deepEqual([made[0].ended, made[0].asked, client.host], [true, [], null]);
});

test("what is asked of a stopped engine is refused", async () => {
  const { client, steps } = clientInSteps();
  const start = client.start();
  steps.workers[0]();
  await turn();
  steps.files[0]();
  await start;
  client.stop();
  await assert.rejects(client.run(1, []), Stopped);
});
