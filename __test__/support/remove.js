'use strict';

/**
 * Removes a folder in which an embedded store may still be closing: a connection that was given up while it waited for
 * another process closes later, on a thread of its own, and writes `store.json` then. `fs.rmSync` lists a folder only
 * once, also when it retries.
 */

const fs = require('fs');

const ATTEMPTS = 100;
const PAUSE = 20;

function removeFolder(folder) {
  for (let attempt = 1; ; attempt += 1) {
    try {
      fs.rmSync(folder, { recursive: true, force: true });
      return;
    } catch (err) {
      if (err.code !== 'ENOTEMPTY' || attempt === ATTEMPTS) throw err;
      // Blocks: what is waited for is not JavaScript's.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
    }
  }
}

module.exports = { removeFolder };
