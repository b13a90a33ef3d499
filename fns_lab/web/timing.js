// Times: of one run, of several in turns, and what sums them up.

/**
 * Runs `work` and returns its value and the milliseconds that it took.
 * @template T
 * @param {() => T | Promise<T>} work
 * @returns {Promise<[T, number]>}
 */
export async function timed(work) {
  const start = performance.now();
  const value = await work();
  return [value, performance.now() - start];
}

/**
 * Returns milliseconds as text: two decimals below ten, else whole ones; empty where nothing was measured.
 * @param {number | undefined} ms
 */
export const msText = (ms) => (ms === undefined ? "" : ms.toFixed(ms < 10 ? 2 : 0));

/** @param {number[]} values */
export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * Returns the quantile `q` (0..1) of some numbers, interpolated as numpy does.
 * @param {number[]} values
 * @param {number} q
 */
export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  const place = q * (sorted.length - 1);
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

/**
 * @typedef {object} Summary
 * @property {number} runs
 * @property {number} median  milliseconds, as the next two
 * @property {number} p10
 * @property {number} p90
 */

/**
 * Returns median, tenth and ninetieth percentile of times in milliseconds.
 * @param {number[]} times
 * @returns {Summary}
 */
export function summary(times) {
  return {
    runs: times.length, median: quantile(times, 0.5), p10: quantile(times, 0.1), p90: quantile(times, 0.9),
  };
}

/**
 * Calls `visit(i)` for each of `count` participants in turn, `rounds` times, so that whatever slows the machine down
 * meets them all alike. Every second round goes backwards. Stops when `isStopped()` says so.
 * @param {number} count
 * @param {number} rounds
 * @param {(index: number, round: number) => Promise<void>} visit
 * @param {() => boolean} [isStopped]
 */
export async function interleaved(count, rounds, visit, isStopped = () => false) {
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < count; i++) {
      if (isStopped()) return;
      await visit(round % 2 ? count - 1 - i : i, round);
    }
  }
}
