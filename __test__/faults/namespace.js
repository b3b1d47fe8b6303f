'use strict';

/**
 * A network namespace with a cable to it, to lose packets for real: on Linux, as root, with iproute2. In it a process forwards
 * TCP connections to the Unix socket of a Redis outside. Faults of a working connection are in wire.js.
 */

const { execFileSync, spawn, spawnSync } = require('child_process');
const { once } = require('events');

const PORT = 6379;

/** Runs in the namespace: forwards each connection to the Unix socket. Ends with its input. */
const FORWARDER = `
  const net = require('net');
  net.createServer((client) => {
    const server = net.connect(process.argv[1]);
    client.pipe(server).pipe(client);
    for (const each of [client, server]) each.on('error', () => {});
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
  }).listen(${PORT}, process.argv[2], () => console.log('ready'));
  process.stdin.resume().on('end', () => process.exit());
`;

// Takes the namespace away when its input ends, which is when the test's process does; its cable, and
// the routes on it, go with it.
const GUARD = 'read _; ip netns del "$0"';

const ip = (...args) => execFileSync('ip', args, { stdio: 'pipe' });

/** Why there can be none here; false if there can. */
function lacks() {
  if (process.platform !== 'linux') return 'needs Linux';
  const name = `pome-try-${process.pid}`;
  const made = spawnSync('ip', ['netns', 'add', name]);
  if (made.status !== 0) return 'ip netns add is not permitted, or there is no iproute2';
  const link = `link add pt${process.pid} type veth peer name inside netns ${name}`;
  const cable = spawnSync('ip', link.split(' '));
  spawnSync('ip', ['netns', 'del', name]);
  return cable.status === 0 ? false : 'there is no veth';
}

async function open(socketPath) {
  const name = `pome-${process.pid}`;
  const outside = `pv${process.pid}`;
  // A network of 4 addresses of 198.18.0.0/15, which is kept for tests of this kind.
  const base = 4 * (process.pid % 16000);
  const at = (n) => `198.18.${(base + n) >> 8}.${(base + n) & 255}`;
  ip('netns', 'add', name);
  const guard = spawn('sh', ['-c', GUARD, name], { stdio: ['pipe', 'ignore', 'ignore'] });
  const close = async () => {
    const ended = once(guard, 'exit');
    guard.stdin.end('\n');
    await ended;
  };
  try {
    ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', 'inside', 'netns', name);
    ip('addr', 'add', `${at(1)}/30`, 'dev', outside);
    ip('link', 'set', outside, 'up');
    ip('-n', name, 'addr', 'add', `${at(2)}/30`, 'dev', 'inside');
    ip('-n', name, 'link', 'set', 'inside', 'up');
    const node = [process.execPath, '-e', FORWARDER, socketPath, at(2)];
    const forwarder = spawn('ip', ['netns', 'exec', name, ...node]);
    await once(forwarder.stdout, 'data');
    return {
      address: at(2),
      port: PORT,
      /** Drops packets that leave the namespace, silently. */
      drop: () => ip('-n', name, 'route', 'add', 'blackhole', `${at(1)}/32`),
      pass: () => ip('-n', name, 'route', 'del', 'blackhole', `${at(1)}/32`),
      close: async () => {
        const ended = once(forwarder, 'exit');
        forwarder.stdin.end();
        await ended;
        await close();
      },
    };
  } catch (err) {
    await close();
    throw err;
  }
}

module.exports = { namespace: { lacks, open } };
