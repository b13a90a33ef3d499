// What the parts of the preview share: the widget's model, and short forms to make elements.

/**
 * The part of anywidget's model that is used here.
 * @typedef {object} Model
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, callback: (...values: any[]) => void) => void} on
 * @property {(event: string, callback: (...values: any[]) => void) => void} off
 * @property {(message: object, callbacks?: any, buffers?: (ArrayBuffer | ArrayBufferView)[]) => void} send
 */

/** The most bytes of one message: Jupyter's server refuses 10 MB and more. */
export const PART_BYTES = 4 << 20;

/**
 * Returns an element with these properties and children.
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {object} [properties]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/**
 * Returns a control with its label before it.
 * @param {string} text
 * @param {HTMLElement} control
 */
export function labelled(text, control) {
  control.setAttribute("aria-label", text);
  return element("label", {}, element("span", { textContent: text }), control);
}

/**
 * Calls `update` now and whenever one of these traits changes, until `signal` ends the view.
 * @param {Model} model
 * @param {AbortSignal} signal
 * @param {string[]} traits
 * @param {() => void} update
 */
export function follow(model, signal, traits, update) {
  for (const trait of traits) {
    model.on(`change:${trait}`, update);
    signal.addEventListener("abort", () => model.off(`change:${trait}`, update));
  }
  update();
}

/**
 * Sets traits and sends them to the kernel in one message.
 * @param {Model} model
 * @param {Record<string, any>} values
 */
export function choose(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}
