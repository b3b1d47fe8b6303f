'use strict';
/**
 * What `membership: 'session'` costs with many sessions: a frontend with `--sessions` (10,000) sessions of users in `--channels`
 * (20) channels each, a backend that adds them, and a private Redis.
 *
 *   node benchmark/sessions.js [--sessions N] [--channels N] [--lease MS] [--renewals N]
 *
 * 1. Idle: CPU of the frontend, and bytes between it and the store, for `--renewals` (5) renewals of the lease.
 * 2. Death: the frontend is killed. How long until the last member is gone, and the longest commands of the store meanwhile.
 */

const { fork } = require('node:child_process');
const { once } = require('node:events');
const redisServer = require('../__test__/support/redis');
const { started } = require('../__test__/support/service');
const { until, pause } = require('../__test__/support/until');
const { frontendApp, startFrontend } = require('../__test__/sessions/frontend');

const SID = 'connector-1';
const PATIENCE = 600000;
/** What is slower is noted, in microseconds. */
const SLOW = 200;

const option = (name, otherwise) => {
  const at = process.argv.indexOf(`--${name}`);
  return at > 0 ? Number(process.argv[at + 1]) : otherwise;
};

const SESSIONS = option('sessions', 10000);
const CHANNELS = option('channels', 20);
const LEASE = option('lease', 6000);
const RENEWALS = option('renewals', 5);

const OPTIONS = { prefix: 'P', membership: 'session', leaseTtl: LEASE, commandTimeout: 60000 };

/** The process of the frontend. */
async function frontend(store) {
  const made = await startFrontend(store, SID, OPTIONS);
  const { service } = made;
  for (let i = 0; i < SESSIONS; i += 1) made.login(`user:${i}`);
  await until(async () => service.stats().sessions.users === SESSIONS, 'the sessions', PATIENCE);
  process.send('ready');
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send({ cpu: (user + system) / 1e6, stats: service.stats() });
  });
}

async function main() {
  const server = await redisServer.start();
  const child = fork(__filename, ['--child', String(server.port)].concat(process.argv.slice(2)));
  try {
    await once(child, 'message');
    const backend = await started(server, OPTIONS, frontendApp());
    await fill(backend);
    await idle(server, child);
    await death(server, child, backend);
    await backend.promises.stop();
  } finally {
    child.kill('SIGKILL');
    await server.stop();
  }
}

/** Adds each user to his channels. */
async function fill(backend) {
  for (let c = 0; c < CHANNELS; c += 1) {
    const began = performance.now();
    const adds = Array.from({ length: SESSIONS }, (_, i) =>
      backend.promises.add(`room:${c}:${i % 100}`, `user:${i}`, SID),
    );
    await Promise.all(adds);
    if (c === CHANNELS - 1) {
      console.log(`${SESSIONS} calls of add at once: ${Math.round(performance.now() - began)} ms`);
    }
  }
}

async function idle(server, child) {
  const ask = async () => {
    child.send('figures');
    const [{ cpu, stats }] = await once(child, 'message');
    const info = (await server.run(0, 'info', 'all')).toString();
    const field = (name) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)[1]);
    return {
      cpu,
      renewals: stats.sessions.renewals,
      comparisons: stats.membership.comparisons,
      output: field('total_net_output_bytes'),
      input: field('total_net_input_bytes'),
      store: field('used_cpu_user') + field('used_cpu_sys'),
    };
  };
  // The second comparison has the server report changes, the later ones are as all that follow.
  const first = (await ask()).comparisons;
  await until(async () => (await ask()).comparisons >= first + 3, 'comparisons', PATIENCE);
  await server.run(0, 'config', 'resetstat');
  const from = await ask();
  await pause((RENEWALS * LEASE) / 3);
  const to = await ask();
  const renewals = to.renewals - from.renewals;
  const each = (name) => (to[name] - from[name]) / renewals;
  console.log(
    `idle, for each of ${renewals} renewals (every ${LEASE / 3} ms here, 20 s by default):`,
  );
  console.log(
    `  CPU of the frontend ${(1000 * each('cpu')).toFixed(1)} ms, of the store ${(1000 * each('store')).toFixed(1)} ms`,
  );
  console.log(
    `  from the store ${Math.round(each('output') / 1000)} kB, to it ${Math.round(each('input') / 1000)} kB`,
  );
  const stats = (await server.run(0, 'info', 'commandstats')).toString();
  console.log(stats.replace(/^#.*\n/, '').replace(/,usec=.*/g, ''));
}

async function death(server, child, backend) {
  await server.run(0, 'config', 'set', 'slowlog-log-slower-than', SLOW);
  await server.run(0, 'config', 'set', 'slowlog-max-len', 100000);
  await server.run(0, 'slowlog', 'reset');
  const purged = new Promise((resolve) => backend.on('purged', resolve));
  child.kill('SIGKILL');
  const died = performance.now();
  const lease = await server.run(0, 'pttl', `P@lease:{${SID}}`);
  const { users, members } = await purged;
  const took = performance.now() - died;
  console.log(
    `death: ${members} memberships of ${users} users gone after ${(took / 1000).toFixed(1)} s`,
  );
  console.log(
    `  the lease expired after ${(lease / 1000).toFixed(1)} s (leaseTtl ${LEASE / 1000} s)`,
  );
  const log = await server.run(0, 'slowlog', 'get', 100000);
  const longest = log
    .map(([, , micros, [name]]) => [micros, String(name)])
    .sort(([a], [b]) => b - a);
  console.log(`  ${log.length} commands took the store more than ${SLOW} µs; the longest, in µs:`);
  console.log(
    `  ${longest
      .slice(0, 12)
      .map(([micros, name]) => `${name} ${micros}`)
      .join(', ')}`,
  );
}

if (process.argv[2] === '--child') frontend({ port: Number(process.argv[3]) });
else main();
