// Sessions of the page: one at a time per engine, kept until another model is asked for.
import { clientOf, modelBytes } from "./catalog.js";

/** @typedef {import("./catalog.js").Engine} Engine */
/** @typedef {import("../tensors.js").Tensor} Tensor */

/** @type {Map<string, { key: string, id: number, loadMs: number, isNew: boolean, started: Promise<void> | null }>} */
const kept = new Map();

/**
 * Runs one file of a model in an engine. `isNew` says whether it had to be loaded, which took `loadMs`; the first run
 * of a session is slower than the next ones.
 * @param {Engine} engine
 * @param {import("./catalog.js").Model} model
 * @param {import("./catalog.js").Variant} variant
 * @param {Tensor} input
 * @returns {Promise<{ output: Tensor, ms: number, loadMs: number, isNew: boolean }>}
 */
export async function runVariant(engine, model, variant, input) {
  const client = clientOf(engine);
  await client.start();
  const key = `${variant.head} ${engine.freeSizes ? "" : input.dims}`;
  let session = kept.get(engine.target);
  if (session?.key !== key || session.started !== client.started) {
    if (session && session.started === client.started) await client.close(session.id);
    kept.delete(engine.target);
    const { id, ms } = await client.create(await modelBytes(model, variant));
    session = { key, id, loadMs: ms, isNew: true, started: client.started };
    kept.set(engine.target, session);
  }
  const { outputs, ms } = await client.run(session.id, [input]);
  const { loadMs, isNew } = session;
  session.isNew = false;
  return { output: outputs[0], ms, loadMs, isNew };
}
