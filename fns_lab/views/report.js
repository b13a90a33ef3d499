// A click on a column's head sorts its table by that column: numbers by value, text by letters; another reverses it.
"use strict";

const NUMBERS = { inf: Infinity, "-inf": -Infinity };
const NOTHING = ["", "NaN", "nan", "None", "<NA>"];

function key(row, column) {
  const text = row.cells[column].textContent.trim();
  if (NOTHING.includes(text)) return null;
  const number = text in NUMBERS ? NUMBERS[text] : Number(text.replaceAll(",", ""));
  return Number.isNaN(number) ? text : number;
}

function order(a, b) {
  if (typeof a === typeof b) return typeof a === "number" ? a - b || 0 : a.localeCompare(b);
  return typeof a === "number" ? -1 : 1;
}

document.addEventListener("click", ({ target }) => {
  const head = target.closest("thead th");
  const table = head && head.closest("table");
  if (!table || table.querySelector("[rowspan], [colspan]")) return;
  const up = head.getAttribute("aria-sort") !== "ascending";
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows].map((row) => [key(row, head.cellIndex), row]);
  const full = rows.filter(([value]) => value !== null).sort(([a], [b]) => (up ? order(a, b) : order(b, a)));
  const empty = rows.filter(([value]) => value === null);
  table.tBodies[0].append(...[...full, ...empty].map(([, row]) => row));
});
