'use strict';

// Runs what looks at objects of an app or framework that may be of an unknown kind, and is optional.

/** Calls `fn` and ignores what it throws: a getter of the app or framework. The caller goes on without the result. */
module.exports = function harmless(fn) {
  try {
    fn();
  } catch {
    // As described above.
  }
};
