'use strict';

/**
 * The stores of events.test.js, by name: `open()` resolves to one, which has
 *
 * - `options`, `members(key)` (read without the plugin where that is possible) and `close()`;
 * - `outage`, if there is one: `fail()` has events be missed, `mend()` ends it;
 * - `limit()` before a follower is stopped, and `unlimit()`; `isLost()` then resolves to whether it has missed events, which is
 *   a gap with one of the reasons `lost`;
 * - `isSent()`, which resolves to whether a follower that runs has received all.
 */

const { still, takenOver } = require('../chaos/replicated');
const clusters = require('../../support/cluster');
const redisServers = require('../../support/redis');
const { STORES } = require('../../support/stores');

const LIMIT = 'client-output-buffer-limit';

/** What a server does with subscribers, on all servers of a store. */
function subscribers(servers) {
  const set = (text) =>
    Promise.all(servers().map((each) => each.run(0, 'config', 'set', LIMIT, text)));
  const subscribed = async () => {
    const lists = await Promise.all(servers().map((each) => each.clients()));
    return lists.flat().filter(({ sub, ssub }) => sub !== '0' || (ssub || '0') !== '0');
  };
  return {
    limit: () => set('pubsub 64kb 64kb 0'),
    unlimit: () => set('pubsub 32mb 8mb 60'),
    subscribed,
    isSent: async () => (await subscribed()).every(({ omem }) => omem === '0'),
    lost: ['reconnect'],
  };
}

/** One that loses nothing when it is killed. */
async function redis() {
  const server = await redisServers.start({
    args: ['--appendonly', 'yes', '--appendfsync', 'always'],
  });
  const own = subscribers(() => [server]);
  return {
    ...own,
    isLost: async () => (await own.subscribed()).length === 0,
    options: { host: '127.0.0.1', port: server.port },
    members: (key) => server.members(key),
    outage: { fail: () => server.kill(), mend: () => server.up() },
    close: () => server.stop(),
  };
}

/** Three primaries with a replica each. One of them is killed once its replica has all it has acknowledged. */
async function cluster() {
  const nodes = await clusters.start({ nodeTimeout: clusters.SOON });
  const own = subscribers(() => nodes.alive);
  let count;
  let dead;
  let replica;
  return {
    ...own,
    async limit() {
      count = (await own.subscribed()).length;
      await own.limit();
    },
    isLost: async () => (await own.subscribed()).length < count,
    // A subscription that is to end anyway, because a replica has taken over a moment ago, says so.
    lost: [...own.lost, 'moved'],
    options: nodes.options(),
    members: (key) => nodes.members(key),
    outage: {
      async fail(key) {
        dead = await nodes.owner(key);
        replica = await nodes.replicaOf(dead);
        await still(dead);
        await dead.kill();
      },
      async mend() {
        await takenOver(nodes, replica);
        await dead.up();
        await nodes.settled();
      },
    },
    close: () => nodes.close(),
  };
}

/** A folder keeps the newest 8 MB of changes, and a follower that was stopped reads on. */
async function embedded() {
  const store = STORES.embedded.open();
  return {
    options: store.options(),
    members: (key) => store.members(key),
    limit: async () => {},
    unlimit: async () => {},
    isLost: async () => true,
    isSent: async () => true,
    lost: ['overrun'],
    close: async () => store.close(),
  };
}

module.exports = { redis, cluster, embedded };
