import assert from "node:assert/strict";
import { test } from "node:test";

import { compare, largestMagnitude, short } from "../../fns_lab/web/compare.js";
import { colourOf } from "../../fns_lab/web/error_map.js";

test("the largest error is found where it is", () => {
  const { worst, largest, mean, aboveLimit } = compare([1, 2, 3, 4], [1, 2.5, 1, 4], 0.4);
  assert.deepEqual([worst, largest, mean, aboveLimit], [2, 2, 0.625, [1, 2]]);
});

test("NaN is the worst error, and the first of them is named", () => {
  const { worst, largest, aboveLimit } = compare([1, NaN, 3], [9, NaN, NaN], 10);
  assert.equal(worst, 1);
  assert.ok(Number.isNaN(largest));
  assert.deepEqual(aboveLimit, [1, 2]);
});

test("64-bit integers compare with numbers", () => {
  assert.equal(compare(new BigInt64Array([5n, -7n]), [5, -8]).largest, 1);
});

test("nothing compared has no error", () => {
  assert.deepEqual([compare([], []).largest, compare([], []).mean], [0, 0]);
});

test("the largest magnitude is NaN where one is", () => {
  assert.equal(largestMagnitude([1, -3, 2]), 3);
  assert.ok(Number.isNaN(largestMagnitude([1, NaN, 2])));
});

test("numbers are short", () => {
  assert.equal(short(1.23456789e-7), "1.23457e-7");
  assert.equal(short(250n), "250");
});

test("the largest error is bright, none is dark, NaN is blue", () => {
  assert.deepEqual(colourOf(1), [252, 255, 164]);
  assert.deepEqual(colourOf(0), [0, 0, 4]);
  assert.deepEqual(colourOf(NaN), [86, 180, 233]);
});
