'use strict';
/**
 * A small real pinus 1.7.4 cluster (master, 2 connectors, 1 chat server) with WebSocket clients, and the error for pinus apps
 * that use the plugin in pomelo's form. 0.0.7 does not work in pinus.
 */

const assert = require('node:assert');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const support = require('./support');
const { startCluster } = require('../../demo/cluster');
const { connectClients } = require('../../demo/client');

const { IMPL, ours, uids, push, startPushes, stopEach } = support;
const { assertGot, assertGotNothing, end, join, leave } = support;

const SMALL = { app: path.join(__dirname, 'pinus-app'), connectors: 2, chats: 1 };

describe('a pinus cluster', () => {
  let cluster;
  let clients = [];

  before(async () => {
    if (IMPL === 'old') return;
    cluster = await startCluster(SMALL);
    clients = await connectClients(cluster, 6);
    await join(clients, 'world');
  });

  after(() => end(cluster, clients));

  ours('members of a channel are those whom the handlers added', async () => {
    const members = await cluster.call('chat-1', 'getMembersByChannelName', 'connector', 'world');
    assert.deepStrictEqual(members.sort(), uids(clients).sort());
  });

  ours('pushes reach every client exactly once, in order', async () => {
    await assertGot(clients, await push(cluster, 'chat-1', 'world', 50));
  });

  ours('a member named like a property of every object keeps no other from the push', async () => {
    for (const { id } of cluster.connectors) {
      await cluster.call('chat-1', 'add', 'world', ['constructor', '__proto__'], id);
    }
    const pushes = startPushes(cluster, 'chat-1', 'world', 5);
    await pushes.answered();
    for (const [{ error, value }] of pushes.answers) {
      const failed = ['__proto__', '__proto__', 'constructor', 'constructor'];
      assert.deepStrictEqual([error, value.sort()], [null, failed]);
    }
    await assertGot(clients, pushes);
    for (const { id } of cluster.connectors) {
      await cluster.call('chat-1', 'leave', 'world', ['constructor', '__proto__'], id);
    }
  });

  ours('a user who left gets nothing, and no user after destroyChannel', async () => {
    const [leaver, ...stayers] = clients;
    await leave([leaver], 'world');
    const pushes = await push(cluster, 'chat-1', 'world');
    await assertGot(stayers, pushes);
    await assertGotNothing([leaver], pushes);
    await cluster.call('chat-1', 'destroyChannel', 'world');
    await assertGotNothing(clients, await push(cluster, 'chat-1', 'world'));
  });

  ours('servers end by themselves when they are stopped', async () => {
    for (const [id, end] of Object.entries(await stopEach(cluster))) {
      assert.deepStrictEqual(end, { code: 0, signal: null, expected: true }, id);
    }
  });
});

describe('pinus given the plugin in the form for pomelo', () => {
  ours('refuses to start, with an error that names createPinusPlugin', async () => {
    const start = startCluster({ ...SMALL, env: { USE_POMELO_FORM: '1' } });
    await assert.rejects(start, /^\w*Error\b.*createPinusPlugin/m);
  });
});
