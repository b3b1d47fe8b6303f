'use strict';
/**
 * npm packages of one folder of this repository, installed from its lock file when they are missing
 * or outdated. No npm package is used, because setup.js uses this before any is installed.
 */
const fs = require('node:fs');
const path = require('node:path');
const { fail, run, npmCommand } = require('./process');

/** `folder` has a package.json and a package-lock.json. */
function ensurePackages(folder) {
  if (packagesAreCurrent(folder)) return;
  console.log('Installing npm packages …');
  // Dev packages by name: NODE_ENV=production would leave them out.
  const [program, args] = npmCommand(['ci', '--include=dev', '--no-audit', '--no-fund']);
  if (!run(program, args, { cwd: folder })) fail('npm ci failed (above).');
}

/**
 * Compares what npm noted down when it installed with package-lock.json. Versions and not times,
 * which say "outdated" after each switch of branches.
 */
function packagesAreCurrent(folder) {
  const installed = path.join(folder, 'node_modules/.package-lock.json');
  if (!fs.existsSync(installed)) return false;
  const packagesIn = (file) => JSON.parse(fs.readFileSync(file, 'utf8')).packages;
  const have = packagesIn(installed);
  return Object.entries(packagesIn(path.join(folder, 'package-lock.json'))).every(
    ([name, { version, optional }]) =>
      name === '' || optional || (have[name] && have[name].version === version),
  );
}

module.exports = { ensurePackages };
