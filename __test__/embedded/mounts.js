'use strict';

/** File systems for a test: small ones in memory, which can be filled completely. Needs root. */

const { execFileSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { later } = require('./place');

/** A tmpfs of so many KB, unmounted after the test. */
function small(kilobytes) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'embedded-mount-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', folder]);
  later(() => {
    execFileSync('umount', ['-l', folder]);
    fs.rmdirSync(folder);
  });
  return folder;
}

/** Until the test ends. */
function readOnly(folder) {
  execFileSync('mount', ['-o', 'remount,ro', folder]);
  later(() => execFileSync('mount', ['-o', 'remount,rw', folder]));
}

module.exports = { small, readOnly };
