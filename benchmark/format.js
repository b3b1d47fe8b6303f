'use strict';
/** Figures and Markdown tables as text, for the terminal and for docs/benchmark.md. */

const NONE = '–';

const significant = (value, digits) => Number(value.toPrecision(digits));

const ratio = (value) =>
  value === null || value === undefined ? NONE : `${significant(value, value < 10 ? 2 : 3)}×`;

function rate(value) {
  if (value === null || value === undefined) return NONE;
  if (value >= 1e6) return `${significant(value / 1e6, 3)}M`;
  if (value >= 1e3) return `${significant(value / 1e3, 3)}k`;
  return String(significant(value, 3));
}

const plain = (value) =>
  value === null || value === undefined ? NONE : String(significant(value, value < 1 ? 2 : 3));

const row = (columns) => `| ${columns.join(' | ')} |`;

/** Makes a Markdown table whose first column is text and whose others are figures. */
const table = (head, rows) =>
  [row(head), row(head.map((_, i) => (i ? '---:' : '---'))), ...rows.map(row)].join('\n');

module.exports = { NONE, ratio, rate, plain, row, table };
