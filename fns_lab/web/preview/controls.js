// The lists of a preview: image, style, width, size, model, where it runs and in which engine.
import { choose, element, follow, labelled } from "./elements.js";

/** @typedef {import("./elements.js").Model} Model */

/** @typedef {{ label: string, style: string, width: number | null }} Network */

const OWN_SIZE = "the image's own";

/**
 * Returns a list that shows options and calls `onChoose` with the index of the one that a person chooses.
 * @param {(index: number) => void} onChoose
 */
function list(onChoose) {
  const select = element("select");
  select.addEventListener("change", () => onChoose(select.selectedIndex));
  return {
    select,
    /**
     * Shows these texts, and the one at `chosen`; none where that is -1.
     * @param {string[]} texts
     * @param {number} chosen
     */
    show(texts, chosen) {
      if (texts.join("\n") !== [...select.options].map((option) => option.text).join("\n")) {
        select.replaceChildren(...texts.map((text) => element("option", { textContent: text })));
      }
      select.selectedIndex = chosen;
      /** @type {HTMLElement} */ (select.parentElement).hidden = texts.length < 2 && chosen >= 0;
    },
  };
}

/**
 * Returns a list of a trait's values.
 * @param {Model} model
 * @param {AbortSignal} signal
 * @param {string} trait
 * @param {string} offered  the trait that holds the values
 * @param {(value: any) => string} [text]
 */
function traitList(model, signal, trait, offered, text = String) {
  const shown = list((i) => choose(model, { [trait]: model.get(offered)[i] }));
  const label = labelled(trait, shown.select);
  follow(model, signal, [trait, offered], () => {
    const texts = model.get(offered).map(text);
    shown.show(texts, texts.indexOf(text(model.get(trait))));
  });
  return label;
}

/**
 * Returns the lists of styles and widths, which are one trait: the network.
 * @param {Model} model
 * @param {AbortSignal} signal
 */
function networkLists(model, signal) {
  const networks = () => /** @type {Network[]} */ (model.get("networks"));
  const chosen = () => /** @type {Network} */ (networks().find(({ label }) => label === model.get("network")));
  const styles = () => [...new Set(networks().map(({ style }) => style))];
  const ofStyle = (/** @type {string} */ name) => networks().filter(({ style }) => style === name);
  const style = list((i) => {
    const candidates = ofStyle(styles()[i]);
    const same = candidates.find(({ width }) => width === chosen().width);
    choose(model, { network: (same || candidates[0]).label });
  });
  const width = list((i) => choose(model, { network: ofStyle(chosen().style)[i].label }));
  const labels = [labelled("style", style.select), labelled("width", width.select)];
  follow(model, signal, ["network", "networks"], () => {
    const siblings = ofStyle(chosen().style);
    style.show(styles(), styles().indexOf(chosen().style));
    width.show(siblings.map((network) => String(network.width ?? "-")), siblings.indexOf(chosen()));
  });
  return labels;
}

/** @param {number[] | null} size */
function sizeText(size) {
  return size ? `${size[0]} x ${size[1]}` : OWN_SIZE;
}

/**
 * Returns the list of engines, which is two traits: the engine, and whether it runs in the kernel or in this browser.
 * @param {Model} model
 * @param {AbortSignal} signal
 */
function engineList(model, signal) {
  const places = () => [
    ...model.get("engines").map((/** @type {string} */ engine) => ({ engine, where: "kernel" })),
    ...model.get("browser_engines").map((/** @type {string} */ engine) => ({ engine, where: "browser" })),
  ];
  const shown = list((i) => choose(model, places()[i]));
  const label = labelled("engine", shown.select);
  follow(model, signal, ["engine", "where", "engines", "browser_engines"], () => {
    const isChosen = (/** @type {{ engine: string, where: string }} */ { engine, where }) =>
      engine === model.get("engine") && where === model.get("where");
    shown.show(places().map(placeText), places().findIndex(isChosen));
  });
  return label;
}

/** @param {{ engine: string, where: string }} place */
function placeText({ engine, where }) {
  return where === "browser" ? `${engine}, in this browser` : engine;
}

/**
 * Returns all lists.
 * @param {Model} model
 * @param {AbortSignal} signal
 */
export function controls(model, signal) {
  return [
    traitList(model, signal, "image", "images"),
    ...networkLists(model, signal),
    traitList(model, signal, "size", "sizes", sizeText),
    traitList(model, signal, "model", "models"),
    engineList(model, signal),
  ];
}
