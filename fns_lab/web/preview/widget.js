// The preview in a notebook: controls, two images one over the other, and what runs. The state is in the kernel.
import { controls } from "./controls.js";
import { element } from "./elements.js";
import { answerKernel } from "./local.js";
import { imageSources } from "./sources.js";
import { stage } from "./stage.js";
import { statusLine } from "./status.js";

/** @typedef {import("./elements.js").Model} Model */

/** @param {{ model: Model, signal?: AbortSignal }} widget */
function initialize({ model, signal }) {
  answerKernel(model, signal);
}

/** @param {{ model: Model, el: HTMLElement, signal: AbortSignal }} view */
function render({ model, el, signal }) {
  el.classList.add("fns-preview");
  el.append(
    element("div", { className: "controls" }, ...controls(model, signal), ...imageSources(model, signal, el)),
    ...stage(model, signal),
    statusLine(model, signal),
  );
}

export const widget = { initialize, render };
