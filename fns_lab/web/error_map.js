// An image of where the error is: each pixel shows the largest error over batch and channels, on a log scale.

const DECADES = 4;
const RAMP = [[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]];
const NOT_A_NUMBER = [86, 180, 233];

/**
 * Paints the errors of a tensor of four dimensions on a canvas, one pixel per position.
 * @param {HTMLCanvasElement} canvas
 * @param {Float64Array} error
 * @param {readonly number[]} dims
 */
export function paintErrors(canvas, error, dims) {
  const largest = error.reduce((most, e) => (e > most && e < Infinity ? e : most), 0);
  const [height, width] = dims.slice(-2);
  Object.assign(canvas, { width, height });
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    let e = 0;
    for (let j = i; j < error.length; j += width * height) e = Number.isNaN(e) || error[j] <= e ? e : error[j];
    pixels.data.set([...colourOf(e && e / largest), 255], 4 * i);
  }
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
  canvas.style.width = `${Math.min(512, width * Math.max(1, Math.floor(256 / width)))}px`;
}

/**
 * Returns the colour of an error, given as a fraction of the largest: red, green, blue, 0..255.
 * @param {number} fraction
 */
export function colourOf(fraction) {
  if (Number.isNaN(fraction)) return NOT_A_NUMBER;
  const place = Math.min(1, Math.max(0, 1 + Math.log10(fraction) / DECADES)) * (RAMP.length - 1);
  const below = Math.min(RAMP.length - 2, Math.floor(place));
  return RAMP[below].map((c, k) => c + (place - below) * (RAMP[below + 1][k] - c));
}
