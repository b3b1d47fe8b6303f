'use strict';
/**
 * Programs of the system that the tests need: found on PATH, or installed by `apt-get` if that may
 * be done (as root, where there is one). No npm package is used, because setup.js uses this before
 * any is installed.
 */
const { run, which } = require('./process');

/** The path of the first of these programs, if need be after installing a package; or undefined. */
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
