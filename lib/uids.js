'use strict';

// Reads a long array of uids for the addon (src/binding/values/args.rs). The addon itself needs up to three Node-API
// calls for each element, which for 100,000 elements would block the event loop.

const { textOf } = require('./ids');

const DIVIDER = '\0';

/** In UTF-16 units: a string cannot have more than about 2^29. */
const LONGEST = 1 << 24;

/**
 * Joins an array of plain uids. Returns `[text, NULs, copy]` for the addon (src/binding/values/joined.rs): the text, or undefined
 * for any other array, how many NULs it has if there is none in a uid, and a function that returns a copy. Each element is read
 * once, and objects with a text are replaced by it.
 */
function uids(array) {
  const { length } = array;
  const items = [];
  let left = LONGEST;
  for (let i = 0; i < length; i += 1) {
    const item = plain(array[i]);
    items.push(item);
    left -= room(item);
    // A hole is no uid. There may be billions of them, and the error is about the first.
    if (item === undefined) break;
  }
  const text = left >= 0 ? items.join(DIVIDER) : undefined;
  return [text, items.length - 1, () => items];
}

/** Returns the text of an object that has one, unless its bytes are the uid; any other value unchanged. */
function plain(item) {
  const isObject = typeof item === 'object' && item !== null && !ArrayBuffer.isView(item);
  return isObject ? (textOf(item) ?? item) : item;
}

/** Returns what a uid takes of that string at least; for anything but a plain uid, more than a string can have. */
function room(item) {
  switch (typeof item) {
    case 'string':
      return item.length + 1;
    case 'number':
      return Number.isNaN(item) ? Infinity : 1;
    case 'boolean':
    case 'bigint':
      return 1;
    default:
      return Infinity;
  }
}

module.exports = { uids, plain, DIVIDER, LONGEST };
