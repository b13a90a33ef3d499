// Tables can be sorted and searched. The library is itables' copy of DataTables, in the page as text.
"use strict";

const SEARCHED_FROM = 8; // rows
const ROWS_A_PAGE = 25;

/** Puts the names of the index, which pandas writes in a second row, into the first. */
function joinHead(table) {
  const [first, second, ...more] = table.tHead.rows;
  if (!second || more.length || first.cells.length !== second.cells.length) return;
  for (const [i, cell] of [...second.cells].entries()) {
    if (cell.textContent.trim()) first.cells[i].textContent = `${cell.textContent} ${first.cells[i].textContent}`.trim();
  }
  second.remove();
}

function canSort(table) {
  return table.tHead && table.tBodies.length === 1 && table.tBodies[0].rows.length > 1 && !table.querySelector("[rowspan], [colspan]");
}

async function start() {
  const text = document.getElementById("datatables").textContent;
  const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
  const { default: DataTable } = await import(url);
  URL.revokeObjectURL(url);
  DataTable.ext.errMode = "throw";
  const tables = [...document.querySelectorAll("table.dataframe")].filter(canSort).map((table) => {
    joinHead(table);
    const rows = table.tBodies[0].rows.length;
    return new DataTable(table, {
      autoWidth: false,
      info: rows > ROWS_A_PAGE,
      lengthChange: false,
      order: [],
      pageLength: ROWS_A_PAGE,
      paging: rows > ROWS_A_PAGE,
      searching: rows >= SEARCHED_FROM,
    });
  });
  addEventListener("beforeprint", () => tables.forEach((table) => table.page.len(-1).draw()));
  addEventListener("afterprint", () => tables.forEach((table) => table.page.len(ROWS_A_PAGE).draw()));
  document.body.dataset.tables = String(tables.length);
}

start();
