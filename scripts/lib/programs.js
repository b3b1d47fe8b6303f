'use strict';
/**
 * Finds programs that the tests need on PATH, or installs them by `apt-get` (as root, where it exists). Uses no npm
 * package, because setup.js runs before any is installed.
 */
const { run, which } = require('./process');

/**
 * Returns the path of the first of these programs that is found, after installing the package if none is; or undefined.
 */
function programOf(names, aptPackage) {
  const find = () => names.map(which).find(Boolean);
  const mayInstall = process.getuid && process.getuid() === 0 && which('apt-get');
  if (!find() && mayInstall) {
    console.log(`Installing ${aptPackage} …`);
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    run('apt-get', ['update'], { env });
    run('apt-get', ['install', '-y', '--no-install-recommends', aptPackage], { env });
  }
  return find();
}

module.exports = { programOf };
