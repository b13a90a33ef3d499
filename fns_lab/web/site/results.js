// Results of a benchmark as Markdown, and as text that fits in a link. Nothing is sent anywhere: a link holds it all.

/**
 * One file in one engine. Times are in milliseconds; what was not measured is not there.
 * @typedef {object} Row
 * @property {string} model
 * @property {string} file  "regular", "base ops", "lowered" or "tuned"
 * @property {number} nodes
 * @property {string} size  "HxW"
 * @property {string} target
 * @property {string} engine
 * @property {number} [ms_start]  the engine's start
 * @property {number} [ms_load]  loading the model
 * @property {number} [ms_first]  the first run
 * @property {number} [ms_median]  the timed runs, after the warm-up, as the next two
 * @property {number} [ms_p10]
 * @property {number} [ms_p90]
 * @property {number} [runs]
 * @property {number} [max_abs]  largest difference to the expected pixels, 0..255
 * @property {string} [fault]  why it did not run
 */

/**
 * @typedef {object} Results
 * @property {string} format
 * @property {string} version
 * @property {string} date
 * @property {import("../device.js").Device} device
 * @property {number} rounds
 * @property {Row[]} rows
 */

const FORMAT = "fns-lab benchmark";

/** Returns when results were measured, to the minute. @param {Results} results */
export const dateText = ({ date }) => `${String(date).slice(0, 16).replace("T", " ")} UTC`;

/** @param {Results} results */
export function markdownOf({ device, date, rounds, rows }) {
  const number = (/** @type {number | undefined} */ x) => (x === undefined ? "" : String(Number(x.toPrecision(3))));
  const line = (/** @type {string[]} */ cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const columns = ["network", "file", "size", "engine", "load ms", "first ms", "median ms", "p10", "p90", "max error"];
  return [
    `${device.browser}, ${device.system}, ${device.cores} cores, ${date}, ${rounds} rounds`, "",
    line(columns), line(columns.map(() => "---")),
    ...rows.map((row) => line([row.model, row.file, row.size, row.target, number(row.ms_load), number(row.ms_first),
      number(row.ms_median), number(row.ms_p10), number(row.ms_p90), row.fault || number(row.max_abs)])),
  ].join("\n") + "\n";
}

/**
 * Returns results as text for a link: JSON, deflated, in the letters that an address may hold.
 * @param {Results} results
 */
export async function fragmentOf(results) {
  const bytes = await through(new CompressionStream("deflate-raw"), new TextEncoder().encode(JSON.stringify(results)));
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * Returns the results that a link holds. Throws for any other text.
 * @param {string} fragment
 * @returns {Promise<Results>}
 */
export async function resultsIn(fragment) {
  try {
    const text = atob(fragment.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = await through(new DecompressionStream("deflate-raw"), Uint8Array.from(text, (c) => c.charCodeAt(0)));
    const results = JSON.parse(new TextDecoder().decode(bytes));
    if (results.format !== FORMAT || !Array.isArray(results.rows)) throw new Error("another format");
    return results;
  } catch {
    throw new Error("the link holds no results of this page, or was cut short");
  }
}

/** @param {CompressionStream | DecompressionStream} stream @param {Uint8Array<ArrayBuffer>} bytes */
async function through(stream, bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(stream)).arrayBuffer());
}
