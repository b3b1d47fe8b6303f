'use strict';
/**
 * Pushes while a connector is killed, in a real pomelo 2.2.7 cluster of 3 connectors and 60 clients. pomelo-rpc does not notice
 * the death: the frontend's answer never comes. The tests kill one connector after the other, so their order matters.
 */

const assert = require('node:assert');
const { setTimeout: pause } = require('node:timers/promises');
const { before, after, describe } = require('node:test');
const support = require('./support');
const { startCluster } = require('../../demo/cluster');
const { connectClients } = require('../../demo/client');

const { ours, uids, until, push, startPushes, among, assertGot, join } = support;

const PUSH_TIMEOUT = 5000;
// pomelo-rpc's own time for an answer, 30 s by default: late enough not to help the plugin, early
// enough to see here that an answer after pushTimeout makes no second callback.
const RPC_TIMEOUT = 10000;

describe('a pomelo cluster of which connectors are killed', () => {
  let cluster;
  let clients = [];
  const on = (id) => clients.filter(({ connector }) => connector === id);

  before(async () => {
    cluster = await startCluster({
      globalChannel: { pushTimeout: PUSH_TIMEOUT },
      env: { RPC_TIMEOUT },
    });
    clients = await connectClients(cluster, 60);
    await join(clients, 'world');
    // So that all RPC connections are there.
    await push(cluster, 'chat-1', 'world');
    await push(cluster, 'chat-2', 'world');
  });

  after(async () => {
    clients.forEach((client) => client.close());
    await cluster?.stop();
  });

  ours('a connector killed in mid-push: the others get it, its uids are reported', async () => {
    const dead = on('connector-3');
    const living = clients.filter((client) => !dead.includes(client));
    // Frozen first, so that the kill comes when the push is certainly under way.
    cluster.servers.get('connector-3').child.kill('SIGSTOP');
    const started = Date.now();
    const pushes = startPushes(cluster, 'chat-1', 'world', 20);
    const arrived = (client) => among(client, pushes.numbers).length === 20;
    await until(() => living.every(arrived), 'clients of the other connectors to get the pushes');
    await cluster.stopServer('connector-3', 'SIGKILL');
    await pushes.answered();
    const elapsed = Date.now() - started;

    await assertGot(living, pushes);
    const check = () => {
      for (const answers of pushes.answers) {
        assert.strictEqual(answers.length, 1, 'one answer');
        assert.strictEqual(answers[0].error, null);
        assert.deepStrictEqual(answers[0].value.sort(), uids(dead).sort());
      }
    };
    check();
    assert.ok(elapsed < RPC_TIMEOUT, `answered after ${elapsed} ms`);

    // pomelo-rpc's own, late answer to the same RPCs.
    const { log } = cluster.servers.get('chat-1');
    const late = () => log().split('rpc failed with error, remote server: connector-3').length > 20;
    await until(late, 'pomelo-rpc to give up', 3 * RPC_TIMEOUT);
    await cluster.call('chat-1', 'getMembersBySid', 'world', 'connector-1');
    check();
    clients = living;
  });

  ours('a push after that does not wait for the dead connector', async () => {
    await cluster.allKnown();
    const started = Date.now();
    await assertGot(clients, await push(cluster, 'chat-1', 'world'));
    const elapsed = Date.now() - started;
    assert.ok(elapsed < PUSH_TIMEOUT, `it took ${elapsed} ms`);
  });

  ours('a connector killed in a stream of pushes: the others miss nothing', async () => {
    const dead = on('connector-2');
    const living = on('connector-1');
    const stream = [];
    for (let count = 1; count <= 100; count++) {
      stream.push(startPushes(cluster, 'chat-2', 'world'));
      if (count === 50) await cluster.stopServer('connector-2', 'SIGKILL');
      await pause(2);
    }
    await Promise.all(stream.map((pushes) => pushes.answered()));

    await assertGot(living, { numbers: stream.flatMap(({ numbers }) => numbers) });
    const results = stream.map(({ answers }) => answers[0]);
    for (const answers of results) assert.strictEqual(answers.length, 1, 'one answer');
    for (const [{ error }] of results) assert.deepStrictEqual(error, null);
    const lists = results.map(([{ value }]) => value).filter((value) => value.length > 0);
    assert.ok(lists.length > 0, 'some pushes were on their way to the dead connector');
    for (const list of lists) assert.deepStrictEqual(list.sort(), uids(dead).sort());
  });
});
