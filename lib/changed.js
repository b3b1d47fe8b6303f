'use strict';

// How many members a write changed: which callbacks are told, and calls of several parts, whose counts are added up.

const callBack = require('./callBack');

const COUNTED = Symbol('counted');

/** Makes `callback` one that gets the count, `(null, count)`. */
function counted(callback) {
  callback[COUNTED] = COUNTED;
  return callback;
}

function isCounted(callback) {
  try {
    return callback[COUNTED] === COUNTED;
  } catch {
    // A Proxy of the app's.
    return false;
  }
}

/** Makes `{parts, isPart, settlePart}` for calls of several parts, each of which is answered by itself. */
function createParts() {
  const known = new WeakSet();

  /** Makes a call of `count` parts, whose callback gets the first error, or the sum of the counts. */
  function parts(callback, count) {
    const call = { callback, left: count, err: null, sum: 0 };
    known.add(call);
    return call;
  }

  function isPart(call) {
    return typeof call === 'object' && call !== null && known.has(call);
  }

  function settlePart(call, err, count) {
    call.left -= 1;
    call.err = call.err || err;
    call.sum += count;
    if (call.left === 0) {
      callBack(call.callback, call.err, call.err ? undefined : call.sum);
    }
  }

  return { parts, isPart, settlePart };
}

module.exports = { counted, isCounted, createParts };
