// Two arrays compared element by element.

/**
 * @typedef {object} Comparison
 * @property {Float64Array} error  absolute error of each element
 * @property {number} worst  index of the largest error, or of the first NaN
 * @property {number} largest  that error
 * @property {number} mean  mean absolute error
 * @property {number[]} aboveLimit  indices of the elements whose error exceeds the limit or is NaN
 */

/**
 * Compares what an engine computed with what is expected. NaN for NaN counts as an error.
 * @param {ArrayLike<number | bigint>} expected
 * @param {ArrayLike<number | bigint>} actual  of the same length
 * @param {number} [limit]  the largest error allowed
 * @returns {Comparison}
 */
export function compare(expected, actual, limit = Infinity) {
  const error = new Float64Array(expected.length);
  const aboveLimit = [];
  let worst = 0;
  let sum = 0;
  for (let i = 0; i < error.length; i++) {
    const e = error[i] = Math.abs(Number(actual[i]) - Number(expected[i]));
    sum += e;
    if (!(e <= limit)) aboveLimit.push(i);
    if (!(e <= error[worst]) && !Number.isNaN(error[worst])) worst = i;
  }
  return { error, worst, largest: error.length ? error[worst] : 0, mean: sum / Math.max(1, error.length), aboveLimit };
}

/**
 * Returns the largest absolute value of an array, NaN where it holds one.
 * @param {ArrayLike<number | bigint>} values
 */
export function largestMagnitude(values) {
  let largest = 0;
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(Number(values[i]));
    if (!(magnitude <= largest)) largest = magnitude;
    if (Number.isNaN(largest)) break;
  }
  return largest;
}

/**
 * Returns a number at six significant digits.
 * @param {number | bigint} x
 */
export function short(x) {
  return Number(Number(x).toPrecision(6)).toString();
}
