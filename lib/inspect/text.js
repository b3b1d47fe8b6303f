'use strict';

// Texts from a store, as a terminal and a shell can take them: names may have any bytes.

/**
 * Characters that are not shown as they are: those of control, of format (also those that change the direction of writing), of
 * private use, surrogates, separators of lines, and white space other than the space.
 */
const EACH = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

/** Returns a text for a terminal: what would not be shown, or would change what is shown, as an escape as in JavaScript. */
function shown(text) {
  return text.replace(/\\/g, '\\\\').replace(EACH, escaped);
}

function escaped(character) {
  const code = character.codePointAt(0);
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}

/** Returns a text as one word for a shell; if it has hidden characters, in the form of bash, zsh and ksh. */
function shellQuoted(text) {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text;
  if (text.search(EACH) < 0) return `'${text.replace(/'/g, `'\\''`)}'`;
  const bytes = (part) =>
    [...Buffer.from(part)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  return `$'${text.replace(/[\\']/g, '\\$&').replace(EACH, bytes)}'`;
}

module.exports = { shown, shellQuoted };
