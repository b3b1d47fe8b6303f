'use strict';
/**
 * Who is online (option `sessions`) in real pomelo and pinus clusters with real WebSocket clients: logins, logouts, kicks, two
 * sessions of a user, connectors that are killed, stopped and started again. The tests build on one another, so their order matters.
 */

const assert = require('node:assert');
const { once } = require('node:events');
const net = require('node:net');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const { among, end, ours, startCalls } = require('./support');
const { until } = require('../support/until');
const { startCluster } = require('../../demo/cluster');
const { Client } = require('../../demo/client');

const LEASE = 3000;
/** Of what takes as long as a lease and a sweep, and on a busy machine far longer. */
const PATIENCE = 20000;

const APPS = {
  pomelo: {},
  pinus: { app: path.join(__dirname, 'pinus-app') },
};

for (const [framework, options] of Object.entries(APPS)) {
  describe(`who is online in a ${framework} cluster`, () => {
    let cluster;
    const clients = new Set();

    before(async () => {
      cluster = await startCluster({
        ...options,
        connectors: 2,
        chats: 1,
        globalChannel: { sessions: true, leaseTtl: LEASE },
        extension: path.join(__dirname, 'sessions-extension.js'),
      });
    });

    after(() => end(cluster, [...clients]));

    const ask = (method, ...args) => cluster.call('chat-1', method, ...args);

    async function login(uid, n) {
      const client = await Client.connect(cluster.connectors[n - 1], uid, 'chat-1');
      clients.add(client);
      return client;
    }

    function logout(client) {
      clients.delete(client);
      client.close();
    }

    /** The uids of these clients are online where the clients are, and all uids nowhere else. */
    async function become(...uids) {
      const expected = Object.fromEntries(uids.map((uid) => [uid, []]));
      for (const { uid, connector } of clients) {
        const on = (expected[uid] = expected[uid] || []);
        if (!on.includes(connector)) on.push(connector);
      }
      const all = Object.keys(expected);
      Object.values(expected).forEach((on) => on.sort());
      const sids = async () => {
        const found = await ask('getSidsByUid', all);
        return Object.fromEntries(all.map((uid) => [uid, found[uid].sort()]));
      };
      const text = JSON.stringify(expected);
      const isSo = async () => JSON.stringify(await sids()) === text;
      await until(isSo, 'the registry to be the sessions', PATIENCE).catch(() => {});
      assert.deepStrictEqual(await sids(), expected);
      const count = Object.values(expected).reduce((sum, on) => sum + on.length, 0);
      assert.strictEqual(await ask('getOnlineCount', 'connector'), count);
      assert.strictEqual(await ask('getOnlineCount', null), count);
    }

    const on = (connector) => [...clients].filter((client) => client.connector === connector);

    ours('users are online from login to logout, each session by itself', async () => {
      const alice = await login('alice', 1);
      const again = await login('alice', 1);
      await login('alice', 2);
      await login('bob', 1);
      await login('carol', 2);
      const dave = await login('dave', 2);
      await become();
      logout(alice);
      logout(dave);
      await become('dave');
      logout(again);
      await become('dave');
      await login('alice', 1);
      await become('dave');
    });

    ours('a push to users reaches them on every frontend, and tells who is offline', async () => {
      const pushes = startCalls(cluster, 'chat-1', 1, (msg) => [
        'pushMessageByUids',
        'connector',
        'onChat',
        msg,
        ['alice', 'bob', 'dave'],
      ]);
      await pushes.answered();
      assert.deepStrictEqual(pushes.answers, [[{ error: null, value: ['dave'] }]]);
      await Promise.all([...clients].map((client) => client.ping()));
      for (const client of clients) {
        const got = among(client, pushes.numbers).length;
        assert.strictEqual(got, client.uid === 'carol' ? 0 : 1, client.uid);
      }
    });

    ours('who is kicked or unbound is offline', async () => {
      const [kicked, unbound] = [await login('erin', 1), await login('frank', 2)];
      await become();
      await cluster.ask('connector-1', 'kick', 'erin');
      await cluster.ask('connector-2', 'unbind', 'frank');
      clients.delete(kicked);
      clients.delete(unbound);
      await become('erin', 'frank');
      kicked.close();
      unbound.close();
    });

    ours(
      'users of a connector that is stopped beyond its lease are offline until it is back',
      async () => {
        // Any other process may remove the list, the master too.
        const swept = async () => {
          const others = ['master', 'chat-1', 'connector-1'];
          const found = await Promise.all(others.map((id) => cluster.ask(id, 'stats')));
          return found.reduce((sum, { sweptFrontends }) => sum + sweptFrontends, 0);
        };
        const first = await swept();
        const { child } = cluster.servers.get('connector-2');
        child.kill('SIGSTOP');
        try {
          const carol = async (is) => (await ask('isOnline', 'carol')) === is;
          await until(() => carol(false), 'carol to be offline', PATIENCE);
          assert.deepStrictEqual(await ask('getSidsByUid', 'alice'), ['connector-1']);
          await until(async () => (await swept()) > first, 'the list to be removed', PATIENCE);
        } finally {
          child.kill('SIGCONT');
        }
        await become();
        const { lease, regained } = await cluster.ask('connector-2', 'stats');
        assert.ok(lease.state === 'held' && regained >= 1, `${lease.state}, ${regained}`);
      },
    );

    ours('a store that is emptied has all users again', async () => {
      const { regained: first } = await cluster.ask('connector-1', 'stats');
      const { host, port } = cluster.store.options;
      const socket = net.connect(port, host);
      socket.end('FLUSHALL\r\nQUIT\r\n');
      await once(socket.resume(), 'close');
      const again = async () => (await cluster.ask('connector-1', 'stats')).regained > first;
      await until(again, 'the lease to be claimed again', PATIENCE);
      await become();
    });

    ours('users of a connector that is killed are offline when its lease has expired', async () => {
      const dead = on('connector-2');
      assert.ok(dead.length >= 2);
      await cluster.stopServer('connector-2', 'SIGKILL');
      dead.forEach((client) => clients.delete(client));
      await until(async () => (await ask('isOnline', 'carol')) === false, 'carol to go', PATIENCE);
      await become('carol');
    });

    ours(
      'what a killed connector left is gone before the new one of its id has started',
      async () => {
        await cluster.startServer('connector-2');
        await cluster.allKnown();
        await login('grace', 2);
        await become('carol');
        await cluster.stopServer('connector-2', 'SIGKILL');
        on('connector-2').forEach((client) => clients.delete(client));
        await cluster.startServer('connector-2');
        assert.strictEqual(await ask('isOnline', 'grace'), false);
        await cluster.allKnown();
        await login('heidi', 2);
        await become('grace');
      },
    );

    ours('the registry is exactly the open sessions', async () => {
      const there = [];
      for (const { id } of cluster.connectors) {
        for (const uid of await cluster.ask(id, 'uids')) there.push(`${uid} ${id}`);
      }
      const open = [...clients].map(({ uid, connector }) => `${uid} ${connector}`);
      assert.deepStrictEqual(there.sort(), open.sort());
      await become('carol', 'dave', 'erin', 'frank', 'grace');
    });

    ours('users of a connector that stops in order are offline at once', async () => {
      const gone = on('connector-1').map(({ uid }) => uid);
      on('connector-1').forEach((client) => clients.delete(client));
      await cluster.stopServer('connector-1');
      const found = await ask('getSidsByUid', gone);
      for (const uid of gone) assert.ok(!found[uid].includes('connector-1'), uid);
      assert.strictEqual(await ask('getOnlineCount', null), 1);
    });
  });
}
