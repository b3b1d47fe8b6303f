'use strict';

/** An /etc/hosts for a child process, in a mount namespace: on Linux as root. The machine's own file is not changed. */

const { spawnSync } = require('child_process');

/** A command that gives what comes after it `file` as /etc/hosts. */
const withHosts = (file) => {
  const script = 'mount --bind "$0" /etc/hosts && exec "$@"';
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, file];
};

/** Why that cannot be had here; false if it can. */
function lacksMounts() {
  if (process.platform !== 'linux') return 'needs Linux';
  const tried = spawnSync('unshare', [...withHosts('/etc/hosts').slice(1), 'true']);
  return tried.status === 0 ? false : 'there are no mount namespaces for us here';
}

module.exports = { withHosts, lacksMounts };
