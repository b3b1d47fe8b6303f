'use strict';
/**
 * Installs the npm packages of a folder from its lock file if they are missing or outdated. Uses no npm package, because
 * setup.js runs before any is installed.
 */
const fs = require('node:fs');
const path = require('node:path');
const { fail, run, npmCommand } = require('./process');

/** Installs the packages of `folder`, which has a package.json and a package-lock.json. */
function ensurePackages(folder) {
  if (packagesAreCurrent(folder)) return;
  console.log('Installing npm packages …');
  // `--include=dev`: NODE_ENV=production would omit them.
  const [program, args] = npmCommand(['ci', '--include=dev', '--no-audit', '--no-fund']);
  if (!run(program, args, { cwd: folder })) fail('npm ci failed (above).');
}

/**
 * Compares npm's record of what it installed with package-lock.json: by versions, because modification times change with
 * each switch of branches.
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
