// Small helpers for pages: finding and making elements, choosing files, saving.

/** @param {string} id @returns {any} */
export const byId = (id) => document.getElementById(id);

/**
 * Returns a new element with children; strings become text.
 * @param {string} tag
 * @param {Record<string, any>} [properties]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/**
 * Says something in a status line, in place of what it said.
 * @param {string} id
 * @param {string} text
 * @param {boolean} [bad]
 */
export function say(id, text, bad = false) {
  byId(id).textContent = text;
  byId(id).classList.toggle("bad", bad);
}

/** @param {unknown} error */
export const reason = (error) => (error instanceof Error ? error.message : String(error));

/**
 * Fills a table: names of columns, then rows of cells (text, or an element). Columns in `texts` are aligned left.
 * @param {string} id
 * @param {string[]} columns
 * @param {(string | Node)[][]} rows
 * @param {string[]} texts
 */
export function fillTable(id, columns, rows, texts) {
  const kind = (/** @type {number} */ i) => ({ className: texts.includes(columns[i]) ? "text" : "" });
  const head = make("tr", {}, ...columns.map((name, i) => make("th", { scope: "col", ...kind(i) }, name)));
  const body = rows.map((cells) => make("tr", {}, ...cells.map((cell, i) => make("td", kind(i), cell))));
  byId(id).replaceChildren(make("thead", {}, head), make("tbody", {}, ...body));
}

/**
 * Fills a select. An option with a `fault` cannot be chosen, and says why.
 * @param {string} id
 * @param {{ value: string, text: string, fault?: string }[]} options
 * @param {string[]} [chosen]
 */
export function fillSelect(id, options, chosen = []) {
  byId(id).replaceChildren(...options.map(({ value, text, fault }) => make("option", {
    value, disabled: Boolean(fault), selected: chosen.includes(value), title: fault || "",
  }, fault ? `${text} (${fault})` : text)));
}

/** @param {string} id @returns {string[]} */
export const chosenIn = (id) => [...byId(id).selectedOptions].map((option) => option.value);

/** Keeps the page open where a file is dropped beside what takes it. */
export function ignoreOtherDrops() {
  for (const name of ["dragover", "drop"]) {
    document.addEventListener(name, (event) => {
      if (/** @type {HTMLInputElement} */ (event.target).type !== "file") event.preventDefault();
    });
  }
}

/**
 * Calls `take` with a file that is chosen in an input or dropped on its label, also where it is the same as before.
 * @param {string} input
 * @param {string} drop
 * @param {(file: File) => void} take
 */
export function onFile(input, drop, take) {
  byId(input).addEventListener("click", () => { byId(input).value = ""; }); // else the same file is no change
  const takeChosen = () => {
    const [file] = byId(input).files;
    if (file) take(file);
  };
  byId(input).addEventListener("change", takeChosen);
  takeChosen(); // it may have been chosen before the page was ready
  const zone = byId(drop);
  for (const name of ["dragover", "dragleave", "drop"]) {
    zone.addEventListener(name, (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      zone.classList.toggle("over", name === "dragover");
      const file = event.dataTransfer?.files[0];
      if (name === "drop" && file) take(file);
    });
  }
}

/** @param {Blob} content @param {string} name */
export function save(content, name) {
  const link = make("a", { href: URL.createObjectURL(content), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
