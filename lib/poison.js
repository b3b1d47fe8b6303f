'use strict';

// Uids that pomelo and pinus take for something else. They look sessions up by uid in a plain object, in which the names
// of Object.prototype are found too: for `constructor` there is a function in the place of a list of sessions, and the
// push to the whole frontend fails. No session can be bound to such a uid. So these are left out of the lists that are
// sent to frontends, and are reported as failed. (Lists of 0.0.7 have them: see sessionMap.js.)

const { textOf } = require('./ids');

const NAMES = new Set(Object.getOwnPropertyNames(Object.prototype));

/** Whether a character code begins one of the names: most uids need no other look. */
const BEGINS = new Uint8Array(128);
for (const name of NAMES) {
  BEGINS[name.charCodeAt(0) & 127] = 1;
}

/**
 * Splits a list of uids: `{uids, poison}`. Without poison, which is nearly always, `uids` is the list itself and
 * `poison` undefined.
 */
module.exports = function withoutPoison(list) {
  return hasPoison(list)
    ? { uids: list.filter((uid) => !isPoison(uid)), poison: list.filter(isPoison) }
    : { uids: list, poison: undefined };
};

/** A custom manager may give something that is no array, or throws when it is read: this fails when it is sent. */
function hasPoison(list) {
  try {
    return Array.isArray(list) && list.some(isPoison);
  } catch {
    return false;
  }
}

function isPoison(uid) {
  const text = typeof uid === 'object' ? textOf(uid) : uid;
  return typeof text === 'string' && BEGINS[text.charCodeAt(0)] === 1 && NAMES.has(text);
}
