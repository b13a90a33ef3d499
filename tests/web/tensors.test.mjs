import assert from "node:assert/strict";
import { test } from "node:test";

import { elementCount, float16Bits, indexText, noise, unpacked } from "../../fns_lab/web/tensors.js";

test("a block holds several tensors of several types", () => {
  const floats = new Float32Array([1.5, -2, 3]);
  const longs = new BigInt64Array([2n ** 40n]);
  const block = new Uint8Array(20);
  block.set(new Uint8Array(floats.buffer), 0);
  block.set(new Uint8Array(longs.buffer), 12);
  const [x, i] = unpacked(
    [{ name: "x", type: "float32", dims: [3], offset: 0, length: 12 },
      { name: "i", type: "int64", dims: [1], offset: 12, length: 8 }], block.buffer);
  assert.deepEqual([...x.data], [1.5, -2, 3]);
  assert.deepEqual([...i.data], [2n ** 40n]);
});

test("an index is written in C order", () => {
  assert.equal(indexText(1 * 35 + 2 * 7 + 5, [2, 5, 7]), "(1, 2, 5)");
  assert.equal(indexText(0, []), "()");
});

test("a scalar has one element, an empty tensor none", () => {
  assert.equal(elementCount([]), 1);
  assert.equal(elementCount([3, 0, 2]), 0);
});

test("noise stays in its range, is the same again and fills the range", () => {
  const { data } = noise("x", [1, 3, 40, 50], { low: -1, high: 2, seed: 7 });
  assert.deepEqual(data, noise("x", [1, 3, 40, 50], { low: -1, high: 2, seed: 7 }).data);
  assert.notDeepEqual(data, noise("x", [1, 3, 40, 50], { low: -1, high: 2, seed: 8 }).data);
  assert.ok(Math.min(...data) >= -1 && Math.max(...data) < 2);
  assert.ok(Math.abs(data.reduce((sum, x) => sum + x, 0) / data.length - 0.5) < 0.05);
});

test("numbers become the bits of float16", { skip: typeof Float16Array === "undefined" }, () => {
  assert.deepEqual([...float16Bits([1, -2, 0.5, 0, 1 + 2 ** -12])], [0x3c00, 0xc000, 0x3800, 0, 0x3c00]);
});
