'use strict';
/**
 * The fan-out in real pomelo and pinus clusters: pushes arrive, and the connectors' `stats().fanOut` says how they were
 * sent. What happens at a single connector, byte by byte, is in ../fan-out.
 */

const assert = require('node:assert');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const { ours, end, join, push, assertGot, IMPL } = require('./support');
const { startCluster } = require('../../demo/cluster');
const { connectClients } = require('../../demo/client');

const PUSHES = 20;
const CLIENTS = 30;
const SMALL = { connectors: 2, chats: 1, extension: path.join(__dirname, 'fan-out-stats.js') };
for (const [framework, app] of [
  ['pomelo', {}],
  ['pinus', { app: path.join(__dirname, 'pinus-app') }],
]) {
  describe(`the fan-out in a ${framework} cluster`, () => {
    let cluster;
    let clients = [];

    before(async () => {
      if (IMPL === 'old') return;
      cluster = await startCluster({ ...SMALL, ...app });
      clients = await connectClients(cluster, CLIENTS);
      await join(clients, 'world');
    });
    after(() => end(cluster, clients));

    const onAll = () => Promise.all(cluster.connectors.map(({ id }) => cluster.ask(id, 'fanOut')));

    ours(
      'every member gets each push once, in order, and the connectors sent it in one step',
      async () => {
        const before = await onAll();
        await assertGot(clients, await push(cluster, 'chat-1', 'world', PUSHES));
        const after = await onAll();
        let sent = 0;
        let native = 0;
        after.forEach((stats, i) => {
          assert.deepStrictEqual([stats.enabled, stats.reason], [true, null]);
          native += stats.native - before[i].native;
          sent += stats.native + stats.shared - before[i].native - before[i].shared;
        });
        assert.strictEqual(sent, PUSHES * CLIENTS, JSON.stringify(after));
        // Windows has no native call.
        assert.ok(process.platform === 'win32' || native > 0, JSON.stringify(after));
      },
    );

    ours('a server that is no frontend says so', async () => {
      const { enabled, reason, native } = await cluster.ask('chat-1', 'fanOut');
      assert.deepStrictEqual([enabled, reason, native], [false, 'this server is no frontend', 0]);
    });
  });
}

describe('a pomelo cluster with fanOut: false', () => {
  let cluster;
  let clients = [];

  before(async () => {
    if (IMPL === 'old') return;
    cluster = await startCluster({ ...SMALL, connectors: 1, globalChannel: { fanOut: false } });
    clients = await connectClients(cluster, 3);
    await join(clients, 'world');
  });
  after(() => end(cluster, clients));

  ours('pushes arrive, as the framework sends them', async () => {
    await assertGot(clients, await push(cluster, 'chat-1', 'world', PUSHES));
    const { enabled, reason, native, shared } = await cluster.ask('connector-1', 'fanOut');
    assert.deepStrictEqual([enabled, reason], [false, 'option fanOut is false']);
    assert.deepStrictEqual([native, shared], [0, 0]);
  });
});
