'use strict';
/**
 * Prepares a fresh clone: installs the npm packages, builds the addon (not with `--no-addon`: `npm test` has a stage for it),
 * and installs the programs named as arguments (`redis-server`, `openssl`, and `prometheus`, without which the tests that need
 * it are skipped). What is up to date is skipped, so `npm test` and `npm run demo` begin with this. Node and Rust are
 * required. If something is missing that cannot be installed from here, it prints what to install and exits with code 1. Uses
 * no npm package, since none may be installed yet.
 */
const fs = require('node:fs');
const path = require('node:path');
const { addonFile } = require('./build');
const { ensurePackages } = require('./lib/packages');
const { programOf } = require('./lib/programs');
const { root, which, fail, run } = require('./lib/process');

const inRoot = (file) => path.join(root, file);

function requireNode(major) {
  if (parseInt(process.versions.node, 10) >= major) return;
  fail(`Developing this package takes Node ${major} or newer; this is ${process.version}.`);
}

function ensureAddon() {
  if (addonIsCurrent()) return;
  if (!which('cargo')) {
    fail(
      'Rust is missing. Install Rust with rustup (https://rustup.rs), see that cargo ' +
        'is on PATH, and run this again.',
    );
  }
  console.log('Building the addon (release) …');
  if (!run(process.execPath, [inRoot('scripts/build.js')])) process.exit(1);
  // The build copies its output, and some systems copy its modification time too.
  const now = new Date();
  for (const file of builtFiles()) fs.utimesSync(file, now, now);
}

const builtFiles = () => [addonFile(), 'binding.js', 'binding.d.ts'].map(inRoot);

function addonIsCurrent() {
  if (!builtFiles().every((file) => fs.existsSync(file))) return false;
  const built = Math.min(...builtFiles().map((file) => fs.statSync(file).mtimeMs));
  const sources = ['src', 'Cargo.toml', 'Cargo.lock', 'build.rs'].map(inRoot);
  return newest(sources.filter((file) => fs.existsSync(file))) <= built;
}

/** Returns the latest modification time below these paths, folders included: removing a file changes its folder. */
function newest(files) {
  return Math.max(
    ...files.map((file) => {
      const stat = fs.statSync(file);
      if (!stat.isDirectory()) return stat.mtimeMs;
      const inside = fs.readdirSync(file).map((name) => path.join(file, name));
      return Math.max(stat.mtimeMs, inside.length ? newest(inside) : 0);
    }),
  );
}

function ensureRedis() {
  if (programOf(['redis-server'], 'redis-server')) return;
  fail(
    'redis-server is missing: tests and benchmarks start their own. Install Redis 6 or newer ' +
      '(Debian, Ubuntu: apt-get install redis-server; Fedora: dnf install redis; Alpine: apk add ' +
      'redis; macOS: brew install redis), see that redis-server is on PATH, and run this again.',
  );
}

function ensureOpenssl() {
  if (programOf(['openssl'], 'openssl')) return;
  fail(
    'openssl is missing: the tests of TLS make their certificates with it. Install the command line ' +
      'tool of OpenSSL 1.1.1 or newer (packages are called openssl), see that it is on PATH, and run ' +
      'this again.',
  );
}

requireNode(20);
ensurePackages(root);
if (!process.argv.includes('--no-addon')) ensureAddon();
if (process.argv.includes('redis-server')) ensureRedis();
if (process.argv.includes('openssl')) ensureOpenssl();
if (process.argv.includes('prometheus') && !programOf(['prometheus'], 'prometheus')) {
  console.log('prometheus is not on PATH: the test of the metrics in a cluster is skipped.');
}
