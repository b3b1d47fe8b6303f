'use strict';
/**
 * A real pomelo 2.2.7 cluster: master, 3 connectors, 2 chat servers, 60 WebSocket clients, shared
 * by all tests here. Connectors that die: connector-death.test.js. Old and new plugin side by
 * side: rolling-upgrade.test.js.
 */

const assert = require('node:assert');
const { before, after, describe } = require('node:test');
const support = require('./support');
const { startCluster } = require('../../demo/cluster');
const { Client, connectClients } = require('../../demo/client');

const { same, uids, push, startPushes, stopEach } = support;
const { assertGot, assertGotNothing, end, join, leave } = support;

// No push may fail for time on a slow machine; only connector-death.test.js is about time.
const PUSH_TIMEOUT = 60000;

describe('a pomelo cluster of 3 connectors, 2 chat servers and 60 clients', () => {
  let cluster;
  let clients = [];
  const on = (id) => clients.filter(({ connector }) => connector === id);

  before(async () => {
    cluster = await startCluster({ globalChannel: { pushTimeout: PUSH_TIMEOUT } });
    clients = await connectClients(cluster, 60);
    await join(clients, 'world');
  });

  after(() => end(cluster, clients));

  same('a push reaches every member on every connector exactly once', async () => {
    await assertGot(clients, await push(cluster, 'chat-1', 'world'));
  });

  same('all servers see the same members, with the connector of their session', async () => {
    const members = await cluster.call('chat-2', 'getMembersByChannelName', 'connector', 'world');
    assert.deepStrictEqual(members.sort(), uids(clients).sort());
    for (const { id } of cluster.connectors) {
      const here = await cluster.call('chat-1', 'getMembersBySid', 'world', id);
      assert.deepStrictEqual(here.sort(), uids(on(id)).sort());
    }
  });

  same('500 pushes in a row from one server arrive complete, once and in order', async () => {
    await assertGot(clients, await push(cluster, 'chat-1', 'world', 500));
  });

  same('pushes of both chat servers at a time arrive complete, each in its order', async () => {
    const both = ['chat-1', 'chat-2'].map((id) => push(cluster, id, 'world', 100));
    await assertGot(clients, ...(await Promise.all(both)));
  });

  same('only members get a push: no users who left or are in another channel', async () => {
    const leavers = clients.slice(0, 20);
    const stayers = clients.slice(20);
    await leave(leavers, 'world');
    await join(leavers, 'guild');
    const toWorld = await push(cluster, 'chat-1', 'world');
    const toGuild = await push(cluster, 'chat-2', 'guild');
    await assertGot(stayers, toWorld);
    await assertGotNothing(stayers, toGuild);
    await assertGot(leavers, toGuild);
    await assertGotNothing(leavers, toWorld);

    await cluster.call('chat-2', 'destroyChannel', 'guild');
    await assertGotNothing(clients, await push(cluster, 'chat-1', 'guild'));
    await join(leavers, 'world');
    await assertGot(clients, await push(cluster, 'chat-2', 'world'));
  });

  same('users whose id is a number or any text get their messages', async () => {
    const ids = [4711, '漢字 🎮', 'a:b c'];
    const [connector] = cluster.connectors;
    const some = await Promise.all(ids.map((id) => Client.connect(connector, id, 'chat-1')));
    await join(some, 'names');
    await assertGot(some, await push(cluster, 'chat-1', 'names'));
    await Promise.all(some.map((client) => client.close()));
  });

  same('a member whose client is gone is a failed uid, the others get the message', async () => {
    const gone = await Client.connect(cluster.connectors[0], 'gone', 'chat-1');
    await join([gone, ...clients], 'old-members');
    gone.close();
    const failed = async () => {
      const pushes = startPushes(cluster, 'chat-1', 'old-members');
      await pushes.answered();
      await assertGot(clients, pushes);
      return pushes.answers[0];
    };
    // The connector hears of the closed socket in its own time; until then it takes the message.
    let answers = await failed();
    const deadline = Date.now() + 30000;
    while (answers[0].value.length === 0 && Date.now() < deadline) answers = await failed();
    assert.deepStrictEqual(answers, [{ error: null, value: ['gone'] }]);
  });

  same('servers end by themselves when stopped: the plugin keeps none alive', async () => {
    for (const [id, end] of Object.entries(await stopEach(cluster))) {
      const log = `${id} ended so: ${JSON.stringify(end)}\n${cluster.servers.get(id).log()}`;
      assert.deepStrictEqual(end, { code: 0, signal: null, expected: true }, log);
    }
  });
});
