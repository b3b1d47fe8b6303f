// Shows texts of the store: names, uids, server ids. They may hold anything, so what would be invisible, or would change
// the order or the place of other text, is shown as an escape such as \u202e, as on the command line.

import { el } from './dom.js';

/**
 * Controls, format characters (bidi overrides, zero-width), line separators, private and unassigned characters, spaces
 * that are not U+0020, what a font leaves out, and combining marks from the fifth of a row on.
 */
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}|(?<=\p{M}{4})\p{M}/gu;

/** Characters of a name that a table shows. */
const SHORT = 120;

function escaped(character) {
  const code = character.codePointAt(0);
  const hex = (digits) => code.toString(16).padStart(digits, '0');
  if (code < 0x100) return `\\x${hex(2)}`;
  return code < 0x10000 ? `\\u${hex(4)}` : `\\u{${hex(0)}}`;
}

/** Whether a text has characters that are shown as escapes. */
export const hasHidden = (text) => text.search(HIDDEN) >= 0;

/** Returns a name as one text, for titles and labels. */
export const plain = (text) => cut(text).replace(HIDDEN, escaped);

const cut = (text) => {
  const characters = [...text];
  return characters.length > SHORT ? `${characters.slice(0, SHORT).join('')}…` : text;
};

/** Returns a name as an element; `whole`: however long it is. */
export function nameOf(text, { whole = false } = {}) {
  const name = el('bdi', { class: 'name' }, whole ? parts(text) : parts(cut(text)));
  if (text === '') name.append(el('span', { class: 'escape' }, 'empty'));
  const { length } = [...text];
  if (!whole && length > SHORT) {
    name.append(el('span', { class: 'hint' }, ` ${count(length)} characters`));
  }
  return name;
}

/** Splits a text into its visible parts and an element for each escape. */
function parts(text) {
  const found = [];
  let end = 0;
  for (const { 0: character, index } of text.matchAll(HIDDEN)) {
    found.push(text.slice(end, index), el('span', { class: 'escape' }, escaped(character)));
    end = index + character.length;
  }
  return [...found, text.slice(end)].filter((part) => part !== '');
}

export const count = (number) => number.toLocaleString('en-US');

export const plural = (number, word) => `${count(number)} ${word}${number === 1 ? '' : 's'}`;

/** Returns a time in ms as words: `850 ms`, `12 s`, `3 min`, `5 h`, `2 d`. */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const units = [
    [86400000, 'd'],
    [3600000, 'h'],
    [60000, 'min'],
    [1000, 's'],
  ];
  const [size, unit] = units.find(([size]) => ms >= 2 * size) ?? [1000, 's'];
  return `${Math.round(ms / size)} ${unit}`;
}
