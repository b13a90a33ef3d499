// Tensors as plain objects, and blocks of bytes that hold several of them.

/**
 * A tensor outside any engine. `data` has one element per value; float16 is held as its bits unless the browser has
 * Float16Array.
 * @typedef {object} Tensor
 * @property {string} name
 * @property {string} type  numpy's name of the element type, such as "float32"
 * @property {readonly number[]} dims
 * @property {any} data  a typed array
 */

/**
 * Where a tensor lies in a block of bytes.
 * @typedef {object} TensorInfo
 * @property {string} name
 * @property {string} type
 * @property {number[]} dims
 * @property {number} offset
 * @property {number} length
 */

/** @type {Record<string, any>} */
export const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int8: Int8Array, uint8: Uint8Array, bool: Uint8Array,
  int16: Int16Array, uint16: Uint16Array, int32: Int32Array, uint32: Uint32Array,
  int64: BigInt64Array, uint64: BigUint64Array, float16: Uint16Array,
};

/**
 * Returns the tensors that a block of bytes holds.
 * @param {TensorInfo[]} described
 * @param {ArrayBuffer} block
 * @returns {Tensor[]}
 */
export function unpacked(described, block) {
  return described.map(({ name, type, dims, offset, length }) =>
    ({ name, type, dims, data: new ARRAYS[type](block.slice(offset, offset + length)) }));
}

/**
 * Returns the number of elements of a shape.
 * @param {readonly number[]} dims
 */
export function elementCount(dims) {
  return dims.reduce((product, dimension) => product * dimension, 1);
}

/**
 * Returns data whose elements are numbers: float16 bits become a Float16Array.
 * @param {string} type
 * @param {any} data
 */
export function numbers(type, data) {
  return type === "float16" && data instanceof Uint16Array
    ? new Float16Array(/** @type {ArrayBuffer} */ (data.buffer), data.byteOffset, data.length) : data;
}

/**
 * Returns the bits of numbers rounded to float16. Throws in a browser that has no Float16Array.
 * @param {ArrayLike<number>} values
 */
export function float16Bits(values) {
  if (typeof Float16Array === "undefined") throw new Error("this browser has no float16");
  return new Uint16Array(Float16Array.from(values).buffer);
}

/**
 * Returns the index tuple of element `i`, as "(0, 2, 5)".
 * @param {number} i
 * @param {readonly number[]} dims
 */
export function indexText(i, dims) {
  const index = [];
  for (const dimension of [...dims].reverse()) {
    index.unshift(i % dimension);
    i = Math.floor(i / dimension);
  }
  return `(${index.join(", ")})`;
}

/**
 * Returns a float32 tensor of noise in [low, high), the same for the same seed in every browser.
 * @param {string} name
 * @param {number[]} dims
 * @param {{ low?: number, high?: number, seed?: number }} [range]
 * @returns {Tensor}
 */
export function noise(name, dims, { low = 0, high = 255, seed = 1 } = {}) {
  let state = seed >>> 0;
  const data = Float32Array.from({ length: elementCount(dims) }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + ((high - low) * state) / 2 ** 32;
  });
  return { name, type: "float32", dims, data };
}
