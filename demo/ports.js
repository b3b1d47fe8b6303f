'use strict';

/**
 * Free ports for servers on loopback. Where the tests have made a folder for it (`__test__/support/ports.js`), a port stays with
 * the process that has got it until that ends: several of them look for ports at a time, and a server that was killed can come
 * back on its own.
 */

const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');

/** Below the ephemeral range, from which outgoing connections take theirs: a run opens hundreds. */
const FIRST = 20000;
const COUNT = 12000;

/** One file for each port that is taken. */
const TAKEN = path.join(os.tmpdir(), 'globalchannel-test-ports');
/** A process that was killed has left its files. */
const OLD_MS = 3600000;

const own = [];
process.on('exit', () => own.forEach((file) => fs.rmSync(file, { force: true })));

async function freePort() {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (take(port) && (await isFree(port))) return port;
  }
}

/** Takes a port, unless another process has it. */
function take(port) {
  const file = path.join(TAKEN, String(port));
  try {
    fs.closeSync(fs.openSync(file, 'wx'));
  } catch (err) {
    if (err.code !== 'EEXIST') return true; // There is no folder, or it is another user's.
    removeOld(file);
    return false;
  }
  own.push(file);
  return true;
}

function removeOld(file) {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat && Date.now() - stat.mtimeMs > OLD_MS) fs.rmSync(file, { force: true });
}

const isFree = (port) =>
  new Promise((resolve) => {
    const probe = net.createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });

/** Returns so many different ones. */
async function freePorts(count) {
  const ports = new Set();
  while (ports.size < count) ports.add(await freePort());
  return [...ports];
}

module.exports = { TAKEN, freePort, freePorts };
