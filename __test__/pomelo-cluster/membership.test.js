'use strict';
/**
 * Option `membership: 'session'` in real pomelo and pinus clusters with real WebSocket clients: members go with their sessions, when
 * clients go, reconnect and are kicked, and when connectors are stopped, killed and started again, and Redis is away. The tests build
 * on one another, so their order matters. In the end the members are exactly the open sessions.
 */

const assert = require('node:assert');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const { assertGot, end, join, leave, ours, push } = require('./support');
const { nothingFor, until } = require('../support/until');
const { startCluster } = require('../../demo/cluster');
const { Client } = require('../../demo/client');

const LEASE = 3000;
const DELAY = 1000;
/** Of what takes as long as a lease and a sweep, and on a busy machine far longer. */
const PATIENCE = 20000;
const CHANNELS = ['world', 'guild'];

const APPS = {
  pomelo: {},
  pinus: { app: path.join(__dirname, 'pinus-app') },
};

for (const [framework, options] of Object.entries(APPS)) {
  describe(`membership by sessions in a ${framework} cluster`, () => {
    let cluster;
    /** The clients that are connected, all of them in all channels. */
    const clients = new Set();

    before(async () => {
      cluster = await startCluster({
        ...options,
        connectors: 2,
        chats: 1,
        globalChannel: { membership: 'session', leaseTtl: LEASE, leaveDelay: DELAY },
        extension: path.join(__dirname, 'membership-extension.js'),
      });
      for (const id of cluster.servers.keys()) await cluster.ask(id, 'listen');
    });

    after(() => end(cluster, [...clients]));

    const ask = (method, ...args) => cluster.call('chat-1', method, ...args);

    async function connect(uid, n) {
      const client = await Client.connect(cluster.connectors[n - 1], uid, 'chat-1');
      clients.add(client);
      return client;
    }

    async function login(uid, n) {
      const client = await connect(uid, n);
      for (const channel of CHANNELS) await join([client], channel);
      return client;
    }

    function logout(client) {
      clients.delete(client);
      client.close();
    }

    const on = (connector) => [...clients].filter((client) => client.connector === connector);

    const drop = (connector) => on(connector).forEach((client) => clients.delete(client));

    /** The members of a channel in the store, as `uid sid`; also on connectors that are not running. */
    async function members(channel) {
      const found = [];
      for (const { id } of cluster.connectors) {
        for (const uid of await ask('getMembersBySid', channel, id)) found.push(`${uid} ${id}`);
      }
      return found.sort();
    }

    const open = () => [
      ...new Set([...clients].map(({ uid, connector }) => `${uid} ${connector}`)),
    ];

    /** Until the members of all channels are the open sessions. */
    async function become() {
      for (const channel of CHANNELS) {
        const isSo = async () => String(await members(channel)) === String(open().sort());
        await until(isSo, `${channel} to be the sessions`, PATIENCE).catch(() => {});
        assert.deepStrictEqual(await members(channel), open().sort(), channel);
      }
    }

    const isMember = (client, channel) => ask('isMember', channel, client.uid, client.connector);

    ours('members are those who have joined and not gone, on each frontend by itself', async () => {
      const alice = await login('alice', 1);
      const again = await login('alice', 1);
      const other = await login('alice', 2);
      await login('bob', 1);
      const carol = await login('carol', 2);
      await login('dave', 2);
      await become();
      logout(alice);
      logout(carol);
      await become();
      logout(again);
      await become();
      await assertGot([...clients], await push(cluster, 'chat-1', 'world', 5));
      logout(other);
      await become();
      await login('carol', 2);
      await login('alice', 2);
      await become();
    });

    ours('a client that reconnects within the delay is a member all the time', async () => {
      let last = await login('erin', 1);
      /** Reconnects some times: how long she was away at most, and whether she was missed. */
      const reconnect = async () => {
        const { leaves } = await cluster.ask('connector-1', 'membership');
        const watch = { isOn: true, isMissed: false };
        const watching = (async () => {
          while (watch.isOn) {
            const isThere = await isMember(last, 'world');
            watch.isMissed ||= !isThere;
          }
        })();
        let longest = 0;
        for (let n = 0; n < 5; n += 1) {
          const began = performance.now();
          logout(last);
          last = await connect('erin', 1);
          longest = Math.max(longest, performance.now() - began);
        }
        await nothingFor(2 * DELAY);
        watch.isOn = false;
        await watching;
        const { leaves: after } = await cluster.ask('connector-1', 'membership');
        return { longest, seen: [watch.isMissed, after], wanted: [false, leaves] };
      };
      let found = await reconnect();
      // A busy machine may be later than the delay, and she has left: once more.
      for (let tries = 1; found.longest >= DELAY && tries < 5; tries += 1) {
        for (const channel of CHANNELS) await join([last], channel);
        found = await reconnect();
      }
      assert.deepStrictEqual(found.seen, found.wanted, `away for ${found.longest} ms at most`);
      await assertGot([last], await push(cluster, 'chat-1', 'world'));
      await become();
    });

    ours('who leaves a channel during the delay has left it when he is back', async () => {
      const client = await login('frank', 1);
      await leave([client], 'guild');
      logout(client);
      await ask('leave', 'world', 'frank', 'connector-1');
      const back = await connect('frank', 1);
      await nothingFor(2 * DELAY);
      assert.deepStrictEqual(
        [await isMember(back, 'world'), await isMember(back, 'guild')],
        [false, false],
      );
      logout(back);
      await become();
    });

    ours('who is kicked or unbound leaves', async () => {
      const [kicked, unbound] = [await login('grace', 1), await login('heidi', 2)];
      await become();
      await cluster.ask('connector-1', 'kick', 'grace');
      await cluster.ask('connector-2', 'unbind', 'heidi');
      clients.delete(kicked);
      clients.delete(unbound);
      await become();
      kicked.close();
      unbound.close();
    });

    ours('an add that comes after the close is undone within a renewal', async () => {
      const client = await login('ivan', 1);
      logout(client);
      await become();
      await ask('add', 'world', 'ivan', 'connector-1');
      assert.strictEqual(await isMember(client, 'world'), true);
      await become();
      const { leaves } = await cluster.ask('connector-1', 'membership');
      assert.ok(leaves.reconcile >= 1);
    });

    ours('Redis is away while clients go and come back', async () => {
      const [gone, back] = [await login('judy', 1), await login('kim', 1)];
      await become();
      const { pid } = cluster.store;
      const stop = (signal) => process.kill(pid, signal);
      stop('SIGSTOP');
      try {
        logout(gone);
        logout(back);
        await nothingFor(DELAY + 500);
        await connect('kim', 1);
      } finally {
        stop('SIGCONT');
      }
      await become();
    });

    ours('a connector that is stopped beyond its lease has its members back', async () => {
      const purged = async () => {
        const others = ['master', 'chat-1', 'connector-1'];
        const found = await Promise.all(others.map((id) => cluster.ask(id, 'membership')));
        return found.reduce((sum, { leaves }) => sum + leaves.purge, 0);
      };
      const first = await purged();
      const here = on('connector-2');
      const closing = await login('mallory', 2);
      const count = (here.length + 1) * CHANNELS.length;
      await become();
      const { child } = cluster.servers.get('connector-2');
      child.kill('SIGSTOP');
      try {
        const isEmpty = async () =>
          (await ask('getMembersBySid', 'world', 'connector-2')).length === 0;
        await until(isEmpty, 'the members to go', PATIENCE);
        await until(async () => (await purged()) === first + count, 'all of them to go', PATIENCE);
        // Its clients are connected still, this one not for long.
        logout(closing);
      } finally {
        child.kill('SIGCONT');
      }
      await become();
      const told = async () => (await cluster.ask('connector-2', 'events')).map(([event]) => event);
      await until(async () => (await told()).includes('lease-regained'), 'the event', PATIENCE);
      await assertGot(on('connector-2'), await push(cluster, 'chat-1', 'world', 3));
    });

    ours('the members of a connector that is killed go when its lease has expired', async () => {
      const count = on('connector-2').length;
      assert.ok(count >= 2);
      await cluster.stopServer('connector-2', 'SIGKILL');
      drop('connector-2');
      await become();
      const events = await Promise.all(
        ['master', 'chat-1', 'connector-1'].map((id) => cluster.ask(id, 'events')),
      );
      const purged = events.flat().filter(([event]) => event === 'purged');
      assert.ok(purged.some(([, { sid }]) => sid === 'connector-2'));
    });

    ours('what a killed connector left is gone before its next client', async () => {
      await cluster.startServer('connector-2');
      await cluster.allKnown();
      await login('niaj', 2);
      await become();
      await cluster.stopServer('connector-2', 'SIGKILL');
      drop('connector-2');
      await cluster.startServer('connector-2');
      for (const channel of CHANNELS) {
        assert.deepStrictEqual(await ask('getMembersBySid', channel, 'connector-2'), []);
      }
      await cluster.allKnown();
      await login('olivia', 2);
      await become();
    });

    ours('the members are exactly the open sessions, and nothing waits', async () => {
      const there = [];
      for (const { id } of cluster.connectors) {
        for (const uid of await cluster.ask(id, 'uids')) there.push(`${uid} ${id}`);
      }
      assert.deepStrictEqual([...new Set(there)].sort(), open().sort());
      await become();
      for (const { id } of cluster.connectors) {
        const waiting = async () => (await cluster.ask(id, 'membership')).waiting;
        await until(async () => (await waiting()) === 0, `nothing to wait on ${id}`, PATIENCE);
      }
    });

    ours('the members of a connector that stops in order go at once', async () => {
      assert.ok(on('connector-1').length >= 2);
      drop('connector-1');
      await cluster.stopServer('connector-1');
      for (const channel of CHANNELS) {
        assert.deepStrictEqual(await members(channel), open().sort());
      }
    });
  });
}
