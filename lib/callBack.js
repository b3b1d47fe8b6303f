'use strict';

// Calling an app's callback. What it throws must not harm others: it becomes an uncaughtException,
// as it is, in a later turn of the event loop.

/** Calls `callback` if it is a function; anything else means that there is none. */
module.exports = function callBack(callback, ...args) {
  if (typeof callback === 'function') {
    try {
      callback(...args);
    } catch (thrown) {
      rethrow(thrown);
    }
  }
};

/** Has `thrown` thrown again in a later turn. */
module.exports.rethrow = rethrow;

function rethrow(thrown) {
  setImmediate(() => {
    throw thrown;
  });
}
