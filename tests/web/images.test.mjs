import assert from "node:assert/strict";
import { test } from "node:test";

import { browserOf, missing } from "../../fns_lab/web/device.js";
import { centreCut, ownSize, pixelsFromTensor, psnr, tensorFromPixels } from "../../fns_lab/web/images.js";

test("an image is cut at the centre so that it covers the size", () => {
  assert.deepEqual(centreCut({ width: 400, height: 200 }, 100, 100), { x: 100, y: 0, width: 200, height: 200 });
  assert.deepEqual(centreCut({ width: 90, height: 300 }, 60, 100), { x: 0, y: 75, width: 90, height: 150 });
});

test("an image's own size has sides that are multiples of four, none longer than the longest", () => {
  assert.deepEqual(ownSize({ width: 401, height: 303 }), { width: 400, height: 304 });
  assert.deepEqual(ownSize({ width: 4000, height: 2000 }, 1024), { width: 1024, height: 512 });
  assert.deepEqual(ownSize({ width: 3, height: 900 }, 1024), { width: 16, height: 900 });
});

test("pixels go to a tensor and back", () => {
  const data = [1, 2, 3, 255, 40, 50, 60, 255];
  const tensor = tensorFromPixels({ width: 2, height: 1, data }, "x");
  assert.deepEqual(tensor.dims, [1, 3, 1, 2]);
  assert.deepEqual([...tensor.data], [1, 40, 2, 50, 3, 60]);
  assert.deepEqual([...pixelsFromTensor(tensor)], data);
});

test("values of a tensor are clipped and rounded to pixels", () => {
  const tensor = { name: "y", type: "float32", dims: [1, 3, 1, 1], data: new Float32Array([-7, 99.6, 300]) };
  assert.deepEqual([...pixelsFromTensor(tensor)], [0, 100, 255, 255]);
});

test("what is no image is refused", () => {
  assert.throws(() => pixelsFromTensor({ name: "y", type: "float32", dims: [1, 2, 1, 1], data: [0, 0] }), /no image/);
  assert.throws(() => pixelsFromTensor({ name: "y", type: "float32", dims: [1, 3, 1, 1], data: [0, NaN, 0] }), /NaN/);
});

test("decibels are those of 8-bit images", () => {
  assert.equal(psnr([1, 2], [1, 2]), Infinity);
  assert.ok(Math.abs(psnr([0, 0], [255, 255])) < 1e-9);
});

test("a browser is named with its version", () => {
  const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36";
  const firefox = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:153.0) Gecko/20100101 Firefox/153.0";
  const safari = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15";
  assert.deepEqual(browserOf(chrome), { browser: "Chromium 156.0.0.0", system: "Linux" });
  assert.deepEqual(browserOf(firefox), { browser: "Firefox 153.0", system: "Windows" });
  assert.deepEqual(browserOf(safari), { browser: "Safari 26.0", system: "Mac OS X" });
  assert.deepEqual(browserOf(`${chrome} Edg/156.0.1`).browser, "Edge 156.0.1");
});

test("what a device lacks is said", () => {
  assert.match(missing("webgl", { webgl: "", webgpu: "x" }), /no WebGL/);
  assert.match(missing("webgpu", { webgl: "x", webgpu: "" }), /no WebGPU/);
  assert.equal(missing("wasm", { webgl: "", webgpu: "" }), "");
});
