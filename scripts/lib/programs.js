'use strict';
/**
 * Finds programs that the tests need on PATH, or installs them by `apt-get` (as root, where it exists). Uses no npm
 * package, because setup.js runs before any is installed.
 */
const os = require('node:os');
const path = require('node:path');
const { run, which } = require('./process');

/** Held while apt-get runs, which does not wait for another one; not by daemons that a package starts (`-o`). */
const LOCK = path.join(os.tmpdir(), 'pome-apt-get.lock');

/**
 * Returns the path of the first of these programs that is found, after installing the package if none is; or undefined.
 */
function programOf(names, aptPackage) {
  const find = () => names.map(which).find(Boolean);
  const mayInstall = process.getuid && process.getuid() === 0 && which('apt-get');
  if (!find() && mayInstall) {
    console.log(`Installing ${aptPackage} …`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    const script = 'apt-get update; apt-get install -y --no-install-recommends "$0"';
    run('flock', ['-o', LOCK, 'sh', '-c', script, aptPackage], { env });
  }
  return find();
}

module.exports = { programOf };
