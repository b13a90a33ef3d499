// What the preview does or did, and the button that ends a run or starts another one.
import { element, follow } from "./elements.js";

/** @typedef {import("./elements.js").Model} Model */

/**
 * @param {Model} model
 * @param {AbortSignal} signal
 */
export function statusLine(model, signal) {
  const text = element("span", { className: "text" });
  text.setAttribute("role", "status");
  const bar = element("progress", { max: 1 });
  bar.setAttribute("aria-label", "progress");
  const button = element("button", { type: "button" });
  const isBusy = () => Boolean(model.get("step"));
  button.addEventListener("click", () => model.send({ kind: isBusy() ? "cancel" : "run" }));
  const line = element("div", { className: "status" }, button, bar, text);
  follow(model, signal, ["step", "progress", "status", "failed"], () => {
    const [step, progress] = [model.get("step"), model.get("progress")];
    text.textContent = step ? `${step} …` : model.get("status");
    line.classList.toggle("failed", !step && model.get("failed"));
    button.textContent = step ? "Cancel" : "Run again";
    bar.hidden = !step;
    if (progress > 0) bar.value = progress;
    else bar.removeAttribute("value"); // how long a run takes is not known
  });
  return line;
}
