'use strict';
/** The machine, versions and date of a run, printed above its figures. */

const { execFileSync } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');

const root = path.resolve(__dirname, '..');

function output(program, args) {
  try {
    return execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim();
  } catch {
    return '';
  }
}

/** Returns the type of a file system, such as "ext4"; empty if df does not report it. */
const fileSystemOf = (folder) => output('df', ['--output=fstype', folder]).split('\n').pop();

const version = (folder) => require(path.join(folder, 'package.json')).version;

const installed = (name, from) => version(path.join(from, 'node_modules', name));

/** Describes the run; `folder` is the embedded store's. */
function describe(command, folder) {
  const [, redis = '?'] = /v=(\S+)/.exec(output('redis-server', ['--version'])) || [];
  const commit = output('git', ['rev-parse', '--short', 'HEAD']);
  const changed = output('git', ['status', '--porcelain', 'src', 'lib', 'index.js', 'Cargo.toml']);
  return {
    command,
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
    commit: commit && commit + (changed ? ', changed' : ''),
    machine: `${os.cpus().length} × ${os.cpus()[0].model.trim()}, ${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    fileSystem: folder && fileSystemOf(folder),
    versions: {
      Node: process.versions.node,
      Redis: redis,
      'this package': version(root),
      'pomelo-globalchannel-plugin': installed('pomelo-globalchannel-plugin', root),
      ioredis: installed('ioredis', __dirname),
      'node-redis': installed('redis', __dirname),
      'valkey-glide': installed('@valkey/valkey-glide', __dirname),
    },
  };
}

module.exports = { describe };
