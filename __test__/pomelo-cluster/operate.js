'use strict';
/** README's section "Operate": its commands, and a folder of an app in which they are run with the packed package. */

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { name } = require('../../package.json');

const ROOT = path.join(__dirname, '../..');

/** The five commands by what they do. */
function operateCommands() {
  const readme = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const [, commands] = /^## Operate$[^]*?^```sh\n([^]*?)^```$/m.exec(readme);
  const lines = commands.trimEnd().split('\n');
  assert.strictEqual(lines.length, 5, commands);
  const [install, copy, start, prometheus, grafana] = lines;
  return { install, copy, start, prometheus, grafana };
}

/** A folder as `npm init` leaves it, beside the tarball of `npm pack`. `start` is what demo/cluster.js does. */
function inApp() {
  const parent = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-operate-'));
  const folder = path.join(parent, 'app');
  fs.mkdirSync(folder);
  const shell = (command, cwd) =>
    execFileSync('sh', ['-c', command], { cwd, encoding: 'utf8', stdio: 'pipe' });
  const [{ filename }] = JSON.parse(shell(`npm pack --json --pack-destination ${parent}`, ROOT));
  shell('npm init -y', folder);
  return {
    folder,
    packageName: name,
    tarball: `../${filename}`,
    installed: path.join(folder, 'node_modules', name),
    run: (command) => shell(command, folder),
    remove: () => fs.rmSync(parent, { recursive: true, force: true }),
  };
}

module.exports = { operateCommands, inApp };
