'use strict';

// What the commands print: columns, counts and notes. Texts from a store are escaped (lib/inspect/text.js).

const { once } = require('events');
const { shown } = require('../inspect/text');
const { clearLine } = require('./progress');

/** The width to which a column grows. What is longer stands out. */
const WIDEST = 40;

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;

/** How many columns of a terminal a text takes. */
function widthOf(text) {
  let width = 0;
  for (const character of text) {
    if (/\p{M}/u.test(character)) continue;
    width += WIDE.test(character) ? 2 : 1;
  }
  return width;
}

/** Returns a name of the store as one word: an empty one is not invisible. */
const named = (text) => (text === '' ? '""' : shown(text));

/** Returns rows as lines with aligned columns; those of which all texts are numbers end at the same place. */
function columns(head, rows) {
  const lines = [head, ...rows.map((row) => row.map(String))];
  const areNumbers = head.map((_, i) => rows.every((row) => typeof row[i] === 'number'));
  const widest = (i) => lines.reduce((most, line) => Math.max(most, widthOf(line[i])), 0);
  const widths = head.map((_, i) => Math.min(WIDEST, widest(i)));
  const cell = (text, i) => {
    const space = ' '.repeat(Math.max(0, widths[i] - widthOf(text)));
    return areNumbers[i] ? space + text : text + space;
  };
  return lines.map((line) => `${line.map(cell).join('  ').trimEnd()}\n`).join('');
}

/** Writes to stdout, at the pace of its reader. */
async function write(text) {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** Writes a line for the user to stderr. */
function warn(note) {
  clearLine();
  console.error(`pome-globalchannel: ${visible(note)}`);
}

/** Returns a message as it can be shown: only what a terminal would not show is escaped. */
function visible(message) {
  return message.split('\n').map(escapedWithoutSlashes).join('\n');
}

const escapedWithoutSlashes = (line) =>
  line
    .split('\\')
    .map((part) => shown(part))
    .join('\\');

const plural = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;

module.exports = { columns, named, plural, shown, visible, warn, write };
