// Images to tensors of shape (1, 3, H, W) with values 0..255, and back.

/** @typedef {import("./tensors.js").Tensor} Tensor */

/** Longest side of an image that is styled at its own size, pixels: what most machines have the memory for. */
export const LONGEST_SIDE_PX = 1024;

/**
 * Decodes an image file: upright (EXIF), colours unchanged. Throws an error that says what to do instead.
 * @param {Blob} file
 * @returns {Promise<ImageBitmap>}
 */
export async function decoded(file) {
  try {
    return await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    const name = "name" in file ? `'${file.name}'` : "this";
    throw new Error(`${name} is no image that this browser can read, or a broken one; give a JPEG or PNG file`);
  }
}

/**
 * Returns the part of an image that is kept so that it covers width x height: a rectangle cut at the centre.
 * @param {{ width: number, height: number }} image
 * @param {number} width
 * @param {number} height
 */
export function centreCut(image, width, height) {
  const scale = Math.min(image.width / width, image.height / height);
  const [w, h] = [width * scale, height * scale];
  return { x: (image.width - w) / 2, y: (image.height - h) / 2, width: w, height: h };
}

/**
 * Returns the size at which an image is run whole: its own, no side longer than `longest`, both a multiple of 4.
 * @param {{ width: number, height: number }} image
 * @param {number} [longest]
 */
export function ownSize({ width, height }, longest = LONGEST_SIDE_PX) {
  const scale = Math.min(1, longest / Math.max(width, height));
  const [w, h] = [width, height].map((side) => Math.max(16, Math.round((side * scale) / 4) * 4));
  return { width: w, height: h };
}

/**
 * Draws an image, scaled to cover width x height and cut at the centre, and returns its pixels. Transparency is white.
 * @param {ImageBitmap | HTMLVideoElement} image
 * @param {number} width
 * @param {number} height
 * @returns {ImageData}
 */
export function fitted(image, width, height) {
  const size = image instanceof HTMLVideoElement ? { width: image.videoWidth, height: image.videoHeight } : image;
  const cut = centreCut(size, width, height);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.imageSmoothingQuality = "high";
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(image, cut.x, cut.y, cut.width, cut.height, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/**
 * Returns pixels as a float32 tensor (1, 3, H, W), red, green, blue, 0..255.
 * @param {{ width: number, height: number, data: ArrayLike<number> }} pixels
 * @param {string} name
 * @returns {Tensor}
 */
export function tensorFromPixels({ width, height, data }, name) {
  const area = width * height;
  const floats = new Float32Array(3 * area);
  for (let i = 0; i < area; i++) {
    for (let channel = 0; channel < 3; channel++) floats[channel * area + i] = data[4 * i + channel];
  }
  return { name, type: "float32", dims: [1, 3, height, width], data: floats };
}

/**
 * Returns pixels of three bytes, red, green and blue in turn, as those of a canvas.
 * @param {{ width: number, height: number, data: DataView | Uint8Array }} rgb
 */
export function pixelsFromRgb({ width, height, data }) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const pixels = new ImageData(width, height);
  for (let i = 0, j = 0; j < bytes.length; i += 4, j += 3) {
    pixels.data[i] = bytes[j];
    pixels.data[i + 1] = bytes[j + 1];
    pixels.data[i + 2] = bytes[j + 2];
    pixels.data[i + 3] = 255;
  }
  return pixels;
}

/**
 * Returns the bytes of RGBA pixels of a tensor (1, 3, H, W), values clipped to 0..255 and rounded.
 * Throws for another shape, and for NaN or infinity.
 * @param {Tensor} tensor
 */
export function pixelsFromTensor({ dims, data }) {
  if (dims.length !== 4 || dims[0] !== 1 || dims[1] !== 3) throw new Error(`a tensor of shape ${dims} is no image`);
  const area = dims[2] * dims[3];
  const bytes = new Uint8ClampedArray(4 * area).fill(255);
  for (let i = 0; i < area; i++) {
    for (let channel = 0; channel < 3; channel++) {
      const value = data[channel * area + i];
      if (!Number.isFinite(value)) throw new Error("the engine computed NaN or infinity");
      bytes[4 * i + channel] = value; // a clamped array rounds
    }
  }
  return bytes;
}

/**
 * Shows a tensor on a canvas.
 * @param {Tensor} tensor
 * @param {HTMLCanvasElement} canvas
 */
export function paintTensor(tensor, canvas) {
  const [height, width] = tensor.dims.slice(2);
  paintPixels(new ImageData(pixelsFromTensor(tensor), width, height), canvas);
}

/**
 * Shows pixels on a canvas, which takes their size.
 * @param {ImageData} pixels
 * @param {HTMLCanvasElement} canvas
 */
export function paintPixels(pixels, canvas) {
  Object.assign(canvas, { width: pixels.width, height: pixels.height });
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}

/**
 * Returns the peak signal-to-noise ratio, in decibels, of images with values 0..255; Infinity for equal ones.
 * @param {ArrayLike<number>} expected
 * @param {ArrayLike<number>} actual
 */
export function psnr(expected, actual) {
  let sum = 0;
  for (let i = 0; i < expected.length; i++) sum += (actual[i] - expected[i]) ** 2;
  return 10 * Math.log10(255 ** 2 / (sum / expected.length));
}
