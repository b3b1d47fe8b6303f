'use strict';

/**
 * An /etc/hosts or an /etc/resolv.conf for a child process, in a mount namespace: on Linux as root. The machine's own
 * files are not changed.
 */

const { spawnSync } = require('child_process');

/** A command that gives what comes after it other files, as `{place: file}`. */
const withFiles = (files) => {
  const binds = Object.entries(files).map(([place, file]) => `mount --bind "${file}" ${place} && `);
  const script = `${binds.join('')}exec "$@"`;
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
};

/** A command that gives what comes after it `file` as /etc/hosts. */
const withHosts = (file) => withFiles({ '/etc/hosts': file });

/** Why that cannot be had here; false if it can. */
function lacksMounts() {
  if (process.platform !== 'linux') return 'needs Linux';
  const tried = spawnSync('unshare', [...withHosts('/etc/hosts').slice(1), 'true']);
  return tried.status === 0 ? false : 'there are no mount namespaces for us here';
}

module.exports = { withFiles, withHosts, lacksMounts };
