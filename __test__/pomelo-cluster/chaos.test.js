'use strict';
/**
 * Option `membership: 'session'` under chaos: in a real pomelo or pinus cluster sessions come, go, reconnect, are kicked, and log in twice on one
 * and on two frontends, while servers and Redis are killed, stopped and started again, and links are cut. During it the store is
 * sampled for memberships that are missing; in the end members and registry are exactly the open sessions.
 *
 * CHAOS_SECONDS=n runs for longer (`npm run test:chaos`: ten minutes), CHAOS_SEED=n repeats a run as far as timing allows,
 * CHAOS_APP=pinus runs it on pinus.
 */

const assert = require('node:assert');
const path = require('node:path');
const { it } = require('node:test');
const { IMPL } = require('./support');
const createFaults = require('./chaos/faults');
const createGaps = require('./chaos/gaps');
const createRandom = require('./chaos/random');
const createUsers = require('./chaos/users');
const { proxy } = require('../faults/wire');
const redisServers = require('../support/redis');
const { until, pause } = require('../support/until');
const { startCluster } = require('../../demo/cluster');

const SECONDS = Number(process.env.CHAOS_SECONDS) || 45;
const SEED = Number(process.env.CHAOS_SEED) || Date.now() % 1000000;
const FRAMEWORK = process.env.CHAOS_APP || 'pomelo';
const LEASE = 4000;
const DELAY = 1000;
const QUIET = LEASE + DELAY + 10000;
/** From the end of a fault: the pause before the next attempt to connect, then the next renewal; a busy machine is late. */
const PROMISED = 2000 + LEASE / 3 + 5000;
const CHANNELS = ['world', 'guild', 'room'];
const SERVERS = ['master', 'connector-1', 'connector-2', 'chat-1'];
const AOF = ['--appendonly', 'yes', '--appendfsync', 'always'];
const PREFIX = 'chaos';

it(
  `members are the open sessions after ${SECONDS} s of faults in a ${FRAMEWORK} cluster`,
  { timeout: (SECONDS + 240) * 1000, skip: IMPL === 'old' && 'not in 0.0.7' },
  async () => {
    const redis = await redisServers.start({ args: AOF });
    const links = new Map();
    let cluster;
    let users;
    try {
      for (const id of SERVERS) links.set(id, await proxy(redis.port));
      cluster = await start(redis, links);
      users = await chaos(cluster, redis, links);
    } catch (err) {
      err.message += ` (CHAOS_SEED=${SEED})`;
      throw err;
    } finally {
      users?.close();
      await cluster?.stop();
      for (const link of links.values()) await link.close();
      await redis.stop();
    }
  },
);

function start(redis, links) {
  const ports = Object.fromEntries([...links].map(([id, { port }]) => [id, port]));
  return startCluster({
    ...(FRAMEWORK === 'pinus' && { app: path.join(__dirname, 'pinus-app') }),
    connectors: 2,
    chats: 1,
    globalChannel: { membership: 'session', leaseTtl: LEASE, leaveDelay: DELAY, prefix: PREFIX },
    store: () => ({ title: 'Redis', options: { host: '127.0.0.1', port: redis.port } }),
    env: { CHAOS_PORTS: JSON.stringify(ports) },
    extension: path.join(__dirname, 'chaos/extension.js'),
  });
}

async function chaos(cluster, redis, links) {
  const sids = cluster.connectors.map(({ id }) => id);
  const places = sids.flatMap((sid) => CHANNELS.map((channel) => [channel, sid]));
  // Faults and users draw by themselves, so that the one does not change the other.
  const faults = createFaults({
    cluster,
    redis,
    links,
    random: createRandom(SEED),
    leaseTtl: LEASE,
  });
  const random = createRandom(SEED + 1);
  const users = createUsers({ cluster, channels: CHANNELS, faults, random });
  const inAll = (sessions) =>
    sessions.flatMap((place) => CHANNELS.map((channel) => `${place} ${channel}`));
  const expected = () => inAll(users.open());
  const possible = () => inAll(users.all());
  const gaps = createGaps({ sids, expected, possible, present, faults });

  console.log(`CHAOS_SEED=${SEED}`);
  gaps.begin();
  faults.begin();
  const coming = users.run();
  const wait = until(() => cluster.deaths().length > 0, 'a death', SECONDS * 1000).catch(() => {});
  await wait;
  await faults.end();
  await users.stop();
  await coming;
  try {
    const calm = until(async () => (await difference()).length === 0, 'the sessions', QUIET);
    await calm.catch(() => {});
    await gaps.end();
    // It stays so.
    await pause(LEASE);
    assert.deepStrictEqual(await difference(), []);
    assert.deepStrictEqual(cluster.deaths(), [], 'no server died by itself');
    assert.ok(users.open().length > 0);
    assert.ok(gaps.longest.missing.ms <= PROMISED, `missing for ${gaps.longest.missing.ms} ms`);
  } catch (err) {
    console.log(faults.lines.join('\n'));
    for (const [id, server] of cluster.servers) console.log(`${id}\n${logOf(server)}`);
    throw err;
  } finally {
    const { missing, extra, samples, looks } = gaps.longest;
    console.log(`faults ${JSON.stringify(faults.counts)}`);
    console.log(`sessions ${JSON.stringify(users.counts)}`);
    console.log(`refused ${JSON.stringify(users.refused)}`);
    console.log(
      `${samples} samples of ${looks} memberships; longest missing ${JSON.stringify(missing)} of ${PROMISED} ms`,
    );
    console.log(`longest of closed sessions ${JSON.stringify(extra)}`);
  }
  return users;

  /** The memberships in the store, as `uid sid channel`. */
  async function present() {
    // What is under way when Redis is killed is not answered.
    const late = pause(1000).then(() => Promise.reject(new Error('no answer')));
    const read = Promise.all(
      places.map(([channel, sid]) => redis.members(`${PREFIX}:${channel}:${sid}`)),
    );
    const lists = await Promise.race([read, late]);
    return new Set(
      lists.flatMap((uids, i) => uids.map((uid) => `${uid} ${places[i][1]} ${places[i][0]}`)),
    );
  }

  /** What is in the store and is no session, and the other way round; also of sessions that the frontends have. */
  async function difference() {
    const wanted = [];
    const online = [];
    for (const sid of sids) {
      for (const uid of new Set(await cluster.ask(sid, 'uids'))) wanted.push(`${uid} ${sid}`);
      for (const uid of await redis.members(`${PREFIX}@online:{${sid}}`))
        online.push(`${uid} ${sid}`);
    }
    const members = [...(await present())];
    return [
      ...differ('clients and sessions', users.open(), wanted),
      ...differ('online and sessions', online, wanted),
      ...differ('members and sessions', members, expected()),
    ];
  }
}

function differ(what, found, wanted) {
  const extra = found.filter((each) => !wanted.includes(each)).map((each) => `${what}: + ${each}`);
  const less = wanted.filter((each) => !found.includes(each)).map((each) => `${what}: - ${each}`);
  return [...extra, ...less];
}

/** What the plugin has written to a server's log. */
function logOf(server) {
  return server
    .log()
    .split('\n')
    .filter((line) => /globalchannel/i.test(line) && !/cannot connect/.test(line))
    .slice(-40)
    .join('\n');
}
