'use strict';
/**
 * The rolling upgrade: one real pomelo cluster and one Redis, where chat-1 runs pomelo-globalchannel-plugin 0.0.7 and chat-2 this
 * package. Changes by either are seen by the other; at the end chat-1 is upgraded while the cluster runs. Each chat server
 * has half of the 60 WebSocket clients.
 */

const assert = require('node:assert');
const { before, after, describe } = require('node:test');
const support = require('./support');
const { startCluster } = require('../../demo/cluster');
const { connectClients } = require('../../demo/client');

const { OLD, same, ours, uids, push, startPushes } = support;
const { assertGot, assertGotNothing, end, join, leave } = support;

const OLD_SIDE = 'chat-1';
const NEW_SIDE = 'chat-2';
const SIDES = [
  [OLD_SIDE, NEW_SIDE],
  [NEW_SIDE, OLD_SIDE],
];

describe('a cluster where 0.0.7 and this package share one Redis', () => {
  let cluster;
  let clients = [];
  const members = async (id, channel) =>
    (await cluster.call(id, 'getMembersByChannelName', 'connector', channel)).sort();

  before(async () => {
    cluster = await startCluster({ plugins: { [OLD_SIDE]: OLD } });
    clients = await connectClients(cluster, 60);
    assert.strictEqual(clients.filter(({ chat }) => chat === OLD_SIDE).length, 30);
    assert.strictEqual(clients.filter(({ chat }) => chat === NEW_SIDE).length, 30);
    await join(clients, 'world');
  });

  after(() => end(cluster, clients));

  // 0.0.7 stores a uid null as the text "null" (contract C12).
  ours('the two sides really run different plugins', async () => {
    await cluster.call(OLD_SIDE, 'add', 'proof', null, 'connector-1');
    const refused = cluster.call(NEW_SIDE, 'add', 'proof', null, 'connector-1');
    await assert.rejects(refused, { code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT' });
  });

  same('members added by either side are members for both', async () => {
    for (const id of [OLD_SIDE, NEW_SIDE]) {
      assert.deepStrictEqual(await members(id, 'world'), uids(clients).sort());
    }
  });

  same('pushes of either side reach every member exactly once, in order', async () => {
    const pushes = await Promise.all(
      [OLD_SIDE, NEW_SIDE].map((id) => push(cluster, id, 'world', 50)),
    );
    await assertGot(clients, ...pushes);
  });

  for (const [one, other] of SIDES) {
    same(`a member that ${one} added and ${other} removed is a member for neither`, async () => {
      const [gone, ...others] = clients.filter(({ chat }) => chat === one);
      await cluster.call(other, 'leave', 'world', gone.uid, gone.connector);
      for (const id of [one, other]) {
        const pushes = await push(cluster, id, 'world');
        await assertGot(others, pushes);
        await assertGotNothing([gone], pushes);
      }
      await join([gone], 'world');
      await assertGot(clients, await push(cluster, other, 'world'));
    });

    same(`a channel that ${one} destroyed is empty for ${other}, and can be joined`, async () => {
      await join(clients, 'match');
      await cluster.call(one, 'destroyChannel', 'match');
      assert.deepStrictEqual(await members(other, 'match'), []);
      await assertGotNothing(clients, await push(cluster, other, 'match'));

      await join(clients, 'match');
      await assertGot(clients, await push(cluster, other, 'match'));
      await leave(clients, 'match');
      assert.deepStrictEqual(await members(one, 'match'), []);
    });

    same(`ids of every kind, and lists of them, mean the same to ${one} and ${other}`, async () => {
      const ids = ['', ' ', 7, -1.5, 'a:b', '漢字 🎮', 'cr\r\nlf', true];
      await cluster.call(one, 'add', 'any:channel ü', ids, 'connector-2');
      const here = await cluster.call(other, 'getMembersBySid', 'any:channel ü', 'connector-2');
      assert.deepStrictEqual(here.sort(), ids.map(String).sort());
      await cluster.call(other, 'leave', 'any:channel ü', ids, 'connector-2');
      const left = await cluster.call(one, 'getMembersBySid', 'any:channel ü', 'connector-2');
      assert.deepStrictEqual(left, []);
    });
  }

  ours('counts, questions and pushes to several channels are right, whichever wrote', async () => {
    const ask = (...args) => cluster.call(NEW_SIDE, ...args);
    const old = (...args) => cluster.call(OLD_SIDE, ...args);
    assert.strictEqual(await ask('getCount', 'world', 'connector'), clients.length);
    for (let i = 1; i <= 30; i += 1) {
      await old('add', 'mixed', [`m${i}`, clients[i].uid], clients[i].connector);
      assert.strictEqual(await ask('getCount', 'mixed', 'connector'), 2 * i);
      assert.strictEqual(await ask('isMember', 'mixed', `m${i}`, clients[i].connector), true);
    }
    const [gone, ...others] = clients.slice(1, 31);
    const member = [{ uid: gone.uid, sid: gone.connector }];
    assert.strictEqual(await ask('addMany', 'mixed', member), 0);
    await old('leave', 'mixed', gone.uid, gone.connector);
    assert.strictEqual(await ask('isMember', 'mixed', gone.uid, gone.connector), false);
    assert.strictEqual(await ask('leaveMany', 'mixed', member), 0);
    assert.strictEqual(await ask('getCount', 'mixed', 'connector'), 59);
    const here = clients.filter((client) => client.connector === gone.connector);
    const lists = await ask('getMembersByChannelNameBySid', 'connector', ['world', 'mixed']);
    assert.deepStrictEqual(lists.world[gone.connector].sort(), uids(here).sort());

    const names = Array.from({ length: 30 }, (_, i) => `m${i + 1}`);
    const except = [...names, ...uids(others.slice(0, 3))];
    const some = clients.filter((client) => !others.slice(0, 3).includes(client));
    const union = await push(cluster, NEW_SIDE, ['world', 'mixed'], 5, { except });
    await assertGot(some, union);
    await assertGotNothing(others.slice(0, 3), union);
    const opts = { exceptChannels: 'mixed' };
    const outside = await push(cluster, NEW_SIDE, ['world', 'mixed'], 5, opts);
    await assertGot([clients[0], gone, ...clients.slice(31)], outside);
    await assertGotNothing(others, outside);
    await old('destroyChannel', 'mixed');
    assert.strictEqual(await ask('getCount', 'mixed', 'connector'), 0);
  });

  // pomelo finds a function in the place of its sessions; a connector with this package does not.
  ours(
    'a member named like a property of every object keeps no other from the pushes',
    async () => {
      const names = ['constructor', 'hasOwnProperty', 'toString', '__proto__'];
      for (const { id } of cluster.connectors) {
        await cluster.call(OLD_SIDE, 'add', 'world', names, id);
      }
      for (const id of [OLD_SIDE, NEW_SIDE]) {
        const pushes = startPushes(cluster, id, 'world', 5);
        await pushes.answered();
        const failed = cluster.connectors.flatMap(() => names).sort();
        for (const [{ error, value }] of pushes.answers) {
          assert.deepStrictEqual([error, value.sort()], [null, failed], id);
        }
        await assertGot(clients, pushes);
      }
      for (const { id } of cluster.connectors) {
        await cluster.call(NEW_SIDE, 'leave', 'world', names, id);
      }
    },
  );

  same('a server that is upgraded while the cluster runs goes on where 0.0.7 was', async () => {
    delete cluster.plugins[OLD_SIDE];
    await cluster.stopServer(OLD_SIDE);
    await cluster.allKnown();
    await assertGot(clients, await push(cluster, NEW_SIDE, 'world'));

    await cluster.startServer(OLD_SIDE);
    await cluster.allKnown();
    await assertGot(clients, await push(cluster, OLD_SIDE, 'world', 20));
    await leave(clients, 'world');
    await assertGotNothing(clients, await push(cluster, NEW_SIDE, 'world'));
  });
});
