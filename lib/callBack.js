'use strict';

// Calls an app's callback. What it throws does not stop other callbacks: it becomes an uncaughtException, unchanged, in a
// later turn of the event loop.

const { shapes } = require('./tables');

module.exports = callBack;

/** Calls `callback` if it is a function; any other value counts as "no callback". */
function callBack(callback, ...args) {
  if (typeof callback === 'function') {
    try {
      callback(...args);
    } catch (thrown) {
      rethrow(thrown);
    }
  }
}

/** Calls `callback` with an error, and with what a method gives beside it: its `shape` in the table of methods. */
module.exports.failed = function failed(callback, err, shape) {
  if (shape === shapes.PLAIN) {
    callBack(callback, err);
  } else {
    callBack(callback, err, shape === shapes.NULL ? null : undefined);
  }
};

/** Throws `thrown` again in a later turn of the event loop. */
module.exports.rethrow = rethrow;

function rethrow(thrown) {
  setImmediate(() => {
    throw thrown;
  });
}
