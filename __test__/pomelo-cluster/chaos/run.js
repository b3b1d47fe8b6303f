'use strict';

/** One run of chaos.test.js: the cluster, its users and faults, and what has to be true during it and in the end. */

const assert = require('node:assert');
const path = require('node:path');
const createFaults = require('./faults');
const createGaps = require('./gaps');
const createRandom = require('./random');
const STORES = require('./stores');
const createUsers = require('./users');
const { until, pause } = require('../../support/until');
const { startCluster } = require('../../../demo/cluster');

const LEASE = 4000;
const DELAY = 1000;
const QUIET = LEASE + DELAY + 10000;
/** From the end of a fault: the pause before the next attempt to connect, then the next renewal; a busy machine is late. */
const RENEWED = 2000 + LEASE / 3 + 5000;
/** How long an open session may be without a membership, and a closed one may have one, in ms. */
const PROMISED = { missing: RENEWED, extra: RENEWED + DELAY };
const CHANNELS = ['world', 'guild', 'room'];
const SERVERS = ['master', 'connector-1', 'connector-2', 'chat-1'];
const APPS = { pomelo: {}, pinus: { app: path.join(__dirname, '../pinus-app') } };
const PREFIX = 'chaos';

module.exports = async function run({ store: name, framework, seconds, seed }) {
  const store = await STORES[name](SERVERS);
  let cluster;
  try {
    cluster = await start(store, framework);
    await chaos(cluster, store, seconds, seed);
  } catch (err) {
    err.message += ` (CHAOS_STORE=${name} CHAOS_FRAMEWORK=${framework} CHAOS_SEED=${seed})`;
    throw err;
  } finally {
    await cluster?.stop();
    await store.close();
  }
};

function start(store, framework) {
  const { title, options } = store;
  const ways = Object.fromEntries(SERVERS.map((id) => [id, options(id)]));
  return startCluster({
    ...APPS[framework],
    connectors: 2,
    chats: 1,
    globalChannel: { membership: 'session', leaseTtl: LEASE, leaveDelay: DELAY, prefix: PREFIX },
    store: () => ({ title, options: {} }),
    env: { SERVER_OPTIONS: JSON.stringify(ways) },
    extension: path.join(__dirname, 'extension.js'),
  });
}

async function chaos(cluster, store, seconds, seed) {
  const sids = cluster.connectors.map(({ id }) => id);
  const places = sids.flatMap((sid) => CHANNELS.map((channel) => [channel, sid]));
  // Faults and users draw by themselves, so that the one does not change the other.
  const faults = createFaults({ cluster, store, random: createRandom(seed), leaseTtl: LEASE });
  const random = createRandom(seed + 1);
  const users = createUsers({ cluster, channels: CHANNELS, faults, random });
  const inAll = (sessions) =>
    sessions.flatMap((place) => CHANNELS.map((channel) => `${place} ${channel}`));
  const expected = () => inAll(users.open());
  const possible = () => inAll(users.all());
  const gaps = createGaps({ sids, expected, possible, present, faults });

  console.log(`CHAOS_SEED=${seed}`);
  gaps.begin();
  const failed = faults.begin();
  const coming = users.run();
  try {
    await Promise.race([pause(seconds * 1000), failed]);
    await faults.end();
    await users.stop();
    await coming;
    const isSo = () =>
      difference().then(
        (found) => found.length === 0,
        () => false,
      );
    await until(isSo, 'the sessions', QUIET).catch(() => {});
    await gaps.end();
    // It stays so.
    await pause(LEASE);
    assert.deepStrictEqual(await difference(), []);
    assert.deepStrictEqual(cluster.deaths(), [], 'no server died by itself');
    assert.ok(users.open().length > 0);
    for (const what of ['missing', 'extra']) {
      const { ms, place } = gaps.longest[what];
      assert.ok(ms <= PROMISED[what], `${what}: ${place} for ${ms} ms`);
    }
  } catch (err) {
    faults.end().catch(() => {});
    gaps.end();
    console.log(faults.lines.join('\n'));
    for (const [id, server] of cluster.servers) console.log(`${id}\n${logOf(server)}`);
    throw err;
  } finally {
    users.close();
    const { missing, extra, samples, looks } = gaps.longest;
    const total = Object.values(faults.counts).reduce((sum, count) => sum + count, 0);
    console.log(`${total} faults ${JSON.stringify(faults.counts)}`);
    console.log(`sessions ${JSON.stringify(users.counts)}`);
    console.log(`refused ${JSON.stringify(users.refused)}`);
    console.log(`${samples} samples of ${looks} memberships`);
    console.log(`longest missing ${JSON.stringify(missing)} of ${PROMISED.missing} ms`);
    console.log(`longest of closed sessions ${JSON.stringify(extra)} of ${PROMISED.extra} ms`);
  }

  /** The memberships in the store, as `uid sid channel`. */
  async function present() {
    // What is under way when the store is killed is not answered.
    const late = pause(1000).then(() => Promise.reject(new Error('no answer')));
    const read = Promise.all(
      places.map(([channel, sid]) => store.members(`${PREFIX}:${channel}:${sid}`)),
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
    }
    const { uids } = await cluster.call('chat-1', 'getOnline', { limit: 1000 });
    const bySid = await cluster.call('chat-1', 'getSidsByUid', [...new Set(uids)]);
    for (const [uid, on] of Object.entries(bySid))
      on.forEach((sid) => online.push(`${uid} ${sid}`));
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
