// SPDX-License-Identifier: MIT
// Tables that sort by a column: a button in each heading, so that keys work as a pointer does.
// Figures are compared as numbers; a row without one stays at the end. The first press brings the
// lowest figures up, the second the highest, the third the order the page came with.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], headings = [...table.tHead.rows[0].cells];
  const original = [...body.rows];
  const key = (row, column) => {
    const cell = row.cells[column];
    return column ? parseFloat(cell.dataset.value) : cell.textContent;
  };
  const order = (column, sign) => (one, other) => {
    const [a, b] = [key(one, column), key(other, column)];
    if (Number.isNaN(a) || Number.isNaN(b)) {
      return Number.isNaN(a) - Number.isNaN(b);
    }
    return sign * (a < b ? -1 : a > b ? 1 : 0);
  };
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" };
      const now = next[heading.getAttribute("aria-sort")];
      headings.forEach((other) => other.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", now);
      body.append(...(now === "none" ? original : [...original].sort(
        order(column, now === "ascending" ? 1 : -1))));
    });
  });
}
