'use strict';
/**
 * Option `events` in real pomelo and pinus clusters: a chat server follows a channel by its events, while clients join by another
 * one and go, a connector is killed and started again, the channel is destroyed, the store fails, and the follower itself is
 * stopped, or its JavaScript is blocked, for so long that events are dropped. The tests build on one another, so their order matters.
 */

const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const { isDeepStrictEqual } = require('node:util');
const { IMPL, end, join, ours } = require('./support');
const STORES = require('./events/stores');
const { until } = require('../support/until');
const { startCluster } = require('../../demo/cluster');
const { Client } = require('../../demo/client');

const LEASE = 3000;
const DELAY = 500;
const PATIENCE = 20000;
const LOBBY = 'lobby';
const FOLLOWER = 'chat-2';
/**
 * 300 changes of 200 users with ids of 400 bytes: 24 MB. It is more than waits for JavaScript (8 MB) and what a folder (9 MB) or
 * sockets hold, together: however far a busy machine lets the follower read, some are dropped.
 */
const FLOOD = [300, 200, 400];

const APPS = {
  pomelo: {},
  pinus: { app: path.join(__dirname, 'pinus-app') },
};

const RUNS = [
  ['pomelo', 'redis'],
  ['pinus', 'embedded'],
  ['pomelo', 'cluster'],
];

for (const [framework, place] of RUNS) {
  describe(`events in a ${framework} cluster, ${place}`, () => {
    let store;
    let cluster;
    /** How many events the tests before have seen. */
    let seen = 0;
    const clients = new Set();

    before(async () => {
      if (IMPL === 'old') return;
      store = await STORES[place]();
      cluster = await startCluster({
        ...APPS[framework],
        connectors: 2,
        chats: 2,
        globalChannel: {
          membership: 'session',
          events: true,
          leaseTtl: LEASE,
          leaveDelay: DELAY,
          prefix: 'P',
        },
        store: () => ({ title: place, options: store.options }),
        extension: path.join(__dirname, 'events/extension.js'),
      });
      await cluster.ask(FOLLOWER, 'follow', LOBBY);
      await told((events) => events.length === 1, 'the first gap');
    });

    after(async () => {
      try {
        await end(cluster, [...clients]);
      } finally {
        await store?.close();
      }
    });

    /** Waits for events since those that the tests before have seen; these are seen then. */
    async function told(condition, what) {
      let events = [];
      const isSo = async () => {
        events = await cluster.ask(FOLLOWER, 'told', seen);
        return condition(events);
      };
      await until(isSo, what, PATIENCE).catch((err) => {
        throw new Error(`${err.message}; there were ${JSON.stringify(events).slice(-2000)}`);
      });
      seen += events.length;
      return events;
    }

    async function login(uid, n, channel = LOBBY) {
      const client = await Client.connect(cluster.connectors[n - 1], uid, 'chat-1');
      clients.add(client);
      await join([client], channel);
      return client;
    }

    function logout(client) {
      clients.delete(client);
      client.close();
    }

    const drop = (connector) =>
      [...clients].filter((client) => client.connector === connector).forEach(logout);

    const sessions = () =>
      [...new Set([...clients].map(({ uid, connector }) => `${connector} ${uid}`))].sort();

    /** The members in the store. */
    async function stored() {
      const lists = await Promise.all(
        cluster.connectors.map(async ({ id }) => {
          const uids = await store.members(`P:${LOBBY}:${id}`);
          return uids.map((uid) => `${id} ${uid}`);
        }),
      );
      return lists.flat().sort();
    }

    /** Until the follower and the store have the open sessions, and no event was a surprise. */
    async function become(expected = sessions()) {
      const state = async () => ({
        ...(await cluster.ask(FOLLOWER, 'followed')),
        stored: await stored(),
      });
      const wanted = { members: expected, isReading: false, surprises: [], stored: expected };
      let found;
      const isSo = async () => {
        found = await state().catch(({ message }) => message);
        return isDeepStrictEqual(found, wanted);
      };
      await until(isSo, 'the follower', PATIENCE).catch(async () => {
        const events = await cluster.ask(FOLLOWER, 'told', 0);
        console.log(events.slice(-40).map((each) => JSON.stringify(each).slice(0, 200)));
        assert.deepStrictEqual(found, wanted);
      });
    }

    const has = (event, fields) => (events) =>
      events.some(
        ([name, what]) =>
          name === event &&
          Object.entries(fields).every(([key, value]) => String(what[key]) === String(value)),
      );

    /** What is told of one user. */
    const changes = (events, uid) =>
      events
        .filter(([, { uids }]) => uids?.includes(uid))
        .map(([event, { sid, reason }]) => `${event} ${sid} ${reason}`);

    ours('who joins and goes is told once, with the reason', async () => {
      const alice = await login('alice', 1);
      await login('bob', 1);
      await login('carol', 2);
      await become();
      logout(alice);
      const events = await told(has('leave', { uids: 'alice' }), 'that alice has left');
      assert.deepStrictEqual(changes(events, 'alice'), [
        'join connector-1 call',
        'leave connector-1 close',
      ]);
      assert.deepStrictEqual(changes(events, 'bob'), ['join connector-1 call']);
      const occupied = events.filter(([event]) => event === 'occupied');
      assert.strictEqual(occupied.length, 1);
      await become();
    });

    ours('the members of a connector that is killed leave with reason purge', async () => {
      await login('dave', 2);
      await become();
      await cluster.stopServer('connector-2', 'SIGKILL');
      drop('connector-2');
      const isAll = (events) => ['carol', 'dave'].every((uid) => changes(events, uid).length > 0);
      const events = await told(
        (all) => isAll(all.filter(([event]) => event === 'leave')),
        'the purge',
      );
      for (const uid of ['carol', 'dave']) {
        assert.strictEqual(changes(events, uid).pop(), 'leave connector-2 purge');
      }
      await become();
    });

    ours('what a killed connector left goes with reason replaced when it is back', async () => {
      await cluster.startServer('connector-2');
      await cluster.allKnown();
      await login('erin', 2);
      await become();
      await cluster.stopServer('connector-2', 'SIGKILL');
      drop('connector-2');
      await cluster.startServer('connector-2');
      const events = await told(has('leave', { uids: 'erin' }), 'that erin has left');
      // On a busy machine the lease has expired before the new process claims it.
      const { leaves } = await cluster.ask('connector-2', 'membership');
      const reason = leaves.purge > 0 ? 'replaced' : 'purge';
      assert.deepStrictEqual(changes(events, 'erin'), [
        'join connector-2 call',
        `leave connector-2 ${reason}`,
      ]);
      await cluster.allKnown();
      await login('erin', 2);
      await become();
    });

    ours('a channel that is destroyed is told on each frontend, and is vacated', async () => {
      await cluster.call('chat-1', 'destroyChannel', LOBBY);
      const events = await told(has('vacated', {}), 'the end of the channel');
      const destroyed = events.filter(([event]) => event === 'destroy').map(([, what]) => what);
      assert.deepStrictEqual(
        destroyed.sort((a, b) => (a.sid < b.sid ? -1 : 1)),
        ['connector-1', 'connector-2'].map((sid) => ({
          name: LOBBY,
          sid,
          reason: 'destroy',
          count: 1,
        })),
      );
      await become([]);
      await join([...clients], LOBBY);
      await become();
    });

    ours('an outage of the store: a gap, and the follower has all of it', async (t) => {
      if (!store.outage) return t.skip('no server, no outage');
      await store.outage.fail(`P:${LOBBY}:connector-1`);
      const frank = login('frank', 1);
      frank.catch(() => {});
      await store.outage.mend();
      await frank;
      await told(has('gap', { reason: 'reconnect' }), 'a gap');
      await login('grace', 2);
      await told(has('join', { uids: 'grace' }), 'that grace has joined');
      await become();
      return undefined;
    });

    ours('a follower that is stopped for so long that it misses events has a gap', async () => {
      const { child } = cluster.servers.get(FOLLOWER);
      const before = (await cluster.ask(FOLLOWER, 'eventStats')).gaps;
      const leaver = await login('kate', 2);
      await become();
      await store.limit();
      child.kill('SIGSTOP');
      try {
        // What the system buffers comes first, which may be some megabytes.
        const flooded = async () => {
          await cluster.ask('chat-1', 'flood', 'elsewhere', 'connector-1', ...FLOOD);
          return store.isLost();
        };
        await until(flooded, 'the store to drop events', PATIENCE);
        logout(leaver);
        await login('heidi', 2);
      } finally {
        child.kill('SIGCONT');
        await store.unlimit();
      }
      const isLost = ([name, { reason }]) => name === 'gap' && store.lost.includes(reason);
      await told((events) => events.some(isLost), 'a gap');
      assert.ok((await cluster.ask(FOLLOWER, 'eventStats')).gaps > before);
      await login('ivan', 1);
      await told(has('join', { uids: 'ivan' }), 'that ivan has joined');
      await become();
    });

    ours(
      'a follower whose JavaScript is blocked for more than 8 MB of events has a gap',
      async () => {
        const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'events-'));
        const done = path.join(folder, 'done');
        const blocked = cluster.ask(FOLLOWER, 'block', done, PATIENCE);
        try {
          await cluster.ask('chat-1', 'flood', LOBBY, 'connector-1', ...FLOOD);
          await until(store.isSent, 'the follower to receive it', PATIENCE);
        } finally {
          fs.writeFileSync(done, '');
        }
        await blocked;
        fs.rmSync(folder, { recursive: true });
        await told(has('gap', { reason: 'overrun' }), 'a gap');
        await become();
      },
    );

    ours('in the end the follower has what the store has, and nothing was told twice', async () => {
      clients.forEach(logout);
      await become([]);
      await login('judy', 1);
      await become();
    });
  });
}
