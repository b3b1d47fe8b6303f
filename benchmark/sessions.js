'use strict';
/**
 * What `membership: 'session'` costs with many sessions: a frontend with `--sessions` (10,000) sessions of users in `--channels`
 * (20) channels each, a backend that adds them, and a private Redis.
 *
 *   node benchmark/sessions.js [--sessions N] [--channels N] [--lease MS] [--renewals N]
 *
 * 1. Idle: CPU of the frontend and of the store, and bytes between them, for `--renewals` (5) renewals of the lease, and what that is
 *    with the default `leaseTtl`. The bytes are counted by a proxy of the frontend alone.
 * 2. Death: the frontend is killed. How long until the last member is gone, and the longest commands of the store meanwhile.
 * 3. Scan: as many members, added with `membership: 'persistent'`, are on another frontend. How long its scan for them takes when it is
 *    started, and the longest commands of the store meanwhile.
 */

const { fork } = require('node:child_process');
const { once } = require('node:events');
const { proxy } = require('../__test__/faults/wire');
const redisServer = require('../__test__/support/redis');
const { started } = require('../__test__/support/service');
const { until, pause } = require('../__test__/support/until');
const { frontendApp, startFrontend } = require('../__test__/sessions/frontend');

const SID = 'connector-1';
const PATIENCE = 600000;
/** A third of the default `leaseTtl`, in seconds. */
const DEFAULT_RENEWAL = 20;
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
  const link = await proxy(server.port);
  const child = fork(__filename, ['--child', String(link.port)].concat(process.argv.slice(2)));
  try {
    await once(child, 'message');
    const backend = await started(server, OPTIONS, frontendApp());
    await fill(backend);
    await idle(server, link, child);
    await death(server, child, backend);
    await scan(server);
    await backend.promises.stop();
  } finally {
    child.kill('SIGKILL');
    await link.close();
    await server.stop();
  }
}

/** Adds each user to his channels. */
async function fill(backend, sid = SID) {
  for (let c = 0; c < CHANNELS; c += 1) {
    const began = performance.now();
    const adds = Array.from({ length: SESSIONS }, (_, i) =>
      backend.promises.add(`room:${c}:${i % 100}`, `user:${i}`, sid),
    );
    await Promise.all(adds);
    if (c === CHANNELS - 1) {
      console.log(`${SESSIONS} calls of add at once: ${Math.round(performance.now() - began)} ms`);
    }
  }
}

async function idle(server, link, child) {
  const bytes = { toServer: 0, toClient: 0 };
  for (const way of Object.keys(bytes)) {
    link[way] = (chunk) => {
      bytes[way] += chunk.length;
      return chunk;
    };
  }
  const ask = async () => {
    child.send('figures');
    const [{ cpu, stats }] = await once(child, 'message');
    const info = (await server.run(0, 'info', 'cpu')).toString();
    const field = (name) => Number(new RegExp(`${name}:([\\d.]+)`).exec(info)[1]);
    return {
      cpu,
      comparisons: stats.membership.comparisons,
      ...bytes,
      store: field('used_cpu_user') + field('used_cpu_sys'),
    };
  };
  /** The figures when a comparison has just ended, so that none is counted in part. Rare questions cost little CPU. */
  const after = async (count) => {
    for (;;) {
      const figures = await ask();
      if (figures.comparisons >= count) return figures;
      await pause(LEASE / 60);
    }
  };
  // The second comparison has the server report changes, the later ones are as all that follow.
  await after((await ask()).comparisons + 3);
  await server.run(0, 'config', 'resetstat');
  const from = await ask();
  const to = await after(from.comparisons + RENEWALS);
  const renewals = to.comparisons - from.comparisons;
  const each = (name) => (to[name] - from[name]) / renewals;
  const ms = (seconds) => (1000 * seconds).toFixed(1);
  const kB = (count) => (count / 1000).toFixed(1);
  console.log(
    `idle, for each of ${renewals} renewals and comparisons (every ${LEASE / 3} ms here):`,
  );
  console.log(`  CPU of the frontend ${ms(each('cpu'))} ms, of the store ${ms(each('store'))} ms`);
  console.log(`  from the store ${kB(each('toClient'))} kB, to it ${kB(each('toServer'))} kB`);
  const all = each('toClient') + each('toServer');
  console.log(
    `  at a renewal every ${DEFAULT_RENEWAL} s: ${((100 * each('cpu')) / DEFAULT_RENEWAL).toFixed(2)} % of a core, ${kB(all / DEFAULT_RENEWAL)} kB/s`,
  );
  const stats = (await server.run(0, 'info', 'commandstats')).toString();
  console.log(stats.replace(/^#.*\n/, '').replace(/,usec=.*/g, ''));
}

/** Begins to note slow commands. */
async function noteSlow(server) {
  await server.run(0, 'config', 'set', 'slowlog-log-slower-than', SLOW);
  await server.run(0, 'config', 'set', 'slowlog-max-len', 100000);
  await server.run(0, 'slowlog', 'reset');
}

async function death(server, child, backend) {
  await noteSlow(server);
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
  await tellSlow(server);
}

async function scan(server) {
  const peer = await started(server, { prefix: 'P', commandTimeout: 60000 }, frontendApp());
  await fill(peer, 'connector-2');
  await peer.promises.stop();
  await noteSlow(server);
  const { service } = await startFrontend(server, 'connector-2', OPTIONS);
  const done = () => service.stats().membership.scan.runs > 0;
  await until(done, 'the scan', PATIENCE);
  const { entered, steps, duration } = service.stats().membership.scan;
  console.log(
    `scan: ${entered} members found in ${steps} steps, ${(duration / 1000).toFixed(1)} s`,
  );
  await tellSlow(server);
  await service.promises.stop();
}

async function tellSlow(server) {
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
