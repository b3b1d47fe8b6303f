'use strict';

// Calls an app's callback. What it throws does not stop other callbacks: it becomes an uncaughtException, unchanged, in a
// later turn of the event loop.

/** Calls `callback` if it is a function; any other value counts as "no callback". */
module.exports = function callBack(callback, ...args) {
  if (typeof callback === 'function') {
    try {
      callback(...args);
    } catch (thrown) {
      rethrow(thrown);
    }
  }
};

/** Throws `thrown` again in a later turn of the event loop. */
module.exports.rethrow = rethrow;

function rethrow(thrown) {
  setImmediate(() => {
    throw thrown;
  });
}
