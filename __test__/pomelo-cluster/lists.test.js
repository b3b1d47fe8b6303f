'use strict';
/**
 * Names for lists in real pomelo and pinus clusters: a fleet whose connectors have 0.0.7, this package, and nothing;
 * connectors that are started anew under their ids; tables that overflow. Long lists are made of users who are not
 * there, and whose uids must come back as failed.
 */

const assert = require('node:assert');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const support = require('./support');
const { startCluster } = require('../../demo/cluster');
const { Client, connectClients } = require('../../demo/client');

const { IMPL, OLD, ours, assertGot, end, join, startPushes, until } = support;

const extension = path.join(__dirname, 'lists-extension.js');
const absent = (sid) => Array.from({ length: 200 }, (_, i) => `absent-on-${sid}-${i}`);

/** Members of a channel who are not there, so that its lists are long. */
async function lengthen(cluster, channel, sids) {
  for (const sid of sids) await cluster.call('chat-1', 'add', channel, absent(sid), sid);
}

/** Pushes all at once; each is answered with these uids and no others. */
async function push(cluster, channel, failed, count = 1, from = 'chat-1') {
  const pushes = startPushes(cluster, from, channel, count);
  await pushes.answered();
  for (const answers of pushes.answers) {
    assert.strictEqual(answers.length, 1);
    assert.strictEqual(answers[0].error, null);
    assert.deepStrictEqual([...answers[0].value].sort(), [...failed].sort());
  }
  return pushes;
}

/** One after the other, until the servers have agreed on names. */
async function oneByOne(cluster, channel, failed, count = 4) {
  const numbers = [];
  for (let i = 0; i < count; i += 1) {
    numbers.push(...(await push(cluster, channel, failed)).numbers);
  }
  return { numbers };
}

const stats = (cluster) => cluster.ask('chat-1', 'stats');

describe('a pomelo cluster with connectors of 0.0.7, of this package, and without either', () => {
  const SIDS = ['connector-1', 'connector-2', 'connector-3'];
  const failed = SIDS.flatMap(absent);
  let cluster;
  let clients = [];

  before(async () => {
    if (IMPL === 'old') return;
    cluster = await startCluster({
      extension,
      plugins: { 'connector-1': OLD, 'connector-3': path.join(__dirname, 'nothing/plugin') },
      globalChannel: { pushTimeout: 60000 },
    });
    clients = await connectClients(cluster, 12);
    await join(clients, 'world');
    await join(clients.slice(0, 6), 'room');
    await lengthen(cluster, 'world', SIDS);
    await cluster.ask('chat-1', 'count');
  });

  after(() => end(cluster, clients));

  ours('each client gets each push once, in order; only ours is told names', async () => {
    const first = await oneByOne(cluster, 'world', failed);
    const burst = await push(cluster, 'world', failed, 50);
    await assertGot(clients, first, burst);
    const counts = await cluster.ask('chat-1', 'counts');
    assert.strictEqual(counts['connector-2 lists.push'], 52);
    for (const sid of ['connector-1', 'connector-3']) {
      assert.strictEqual(counts[`${sid} channelRemote.pushMessage`], 54);
      assert.strictEqual(counts[`${sid} lists.hello`], 1);
      assert.strictEqual(counts[`${sid} lists.push`], undefined);
    }
  });

  ours('who joins and leaves is in the next pushes, or not; short lists go between', async () => {
    const room = clients.slice(0, 6);
    for (let i = 0; i < 5; i += 1) {
      const mover = clients[i];
      await cluster.call('chat-1', 'leave', 'world', mover.uid, mover.connector);
      const others = clients.filter((client) => client !== mover);
      const without = startPushes(cluster, 'chat-1', 'world', 3);
      const between = startPushes(cluster, 'chat-1', 'room', 3);
      await cluster.call('chat-1', 'add', 'world', mover.uid, mover.connector);
      const all = await push(cluster, 'world', failed, 3);
      await Promise.all([without.answered(), between.answered()]);
      await assertGot(others, without, all);
      await assertGot(room, between);
      await assertGot([mover], all);
      await support.assertGotNothing([mover], without);
      const got = others.map((client) =>
        support.among(client, [...without.numbers, ...between.numbers, ...all.numbers]),
      );
      for (const numbers of got) {
        assert.deepStrictEqual(
          numbers,
          [...numbers].sort((a, b) => a - b),
        );
      }
    }
    // Of these five, those on connector-2.
    assert.ok((await stats(cluster)).changed >= 2);
  });

  ours('several channels have a name too, which stays the same without one user', async () => {
    const channels = ['world', 'room'];
    const first = await oneByOne(cluster, channels, failed);
    await assertGot(clients, first);
    const before = await stats(cluster);
    const onOurs = clients.filter(({ connector }) => connector === 'connector-2');
    for (const { uid } of onOurs) {
      const pushes = startPushes(cluster, 'chat-1', channels, 1, { except: [uid] });
      await pushes.answered();
      assert.deepStrictEqual([...pushes.answers[0][0].value].sort(), [...failed].sort());
      await assertGot(
        clients.filter((client) => client.uid !== uid),
        pushes,
      );
      await support.assertGotNothing(
        clients.filter((client) => client.uid === uid),
        pushes,
      );
    }
    // The number of the list and the user who is left out: no difference, and no list.
    const after = await stats(cluster);
    assert.strictEqual(onOurs.length, 4);
    assert.strictEqual(after.named - before.named, onOurs.length);
    assert.strictEqual(after.changed, before.changed);
    assert.strictEqual(after.whole, before.whole);
  });

  ours('a member named like a property of every object keeps no other from the push', async () => {
    const names = ['constructor', 'toString'];
    for (const sid of SIDS) await cluster.call('chat-1', 'add', 'world', names, sid);
    const unreachable = [...failed, ...SIDS.flatMap(() => names)];
    const pushes = [await push(cluster, 'world', unreachable, 3)];
    // Its own sessions are among them.
    pushes.push(await push(cluster, 'world', unreachable, 3, 'connector-2'));
    await assertGot(clients, ...pushes);
    for (const sid of SIDS) await cluster.call('chat-1', 'leave', 'world', names, sid);
  });

  ours('a connector that pushes itself makes no RPC to itself', async () => {
    await cluster.ask('connector-2', 'count');
    const pushes = await push(cluster, 'world', failed, 10, 'connector-2');
    await assertGot(clients, pushes);
    const counts = await cluster.ask('connector-2', 'counts');
    assert.ok(Object.keys(counts).length > 0);
    assert.deepStrictEqual(
      Object.keys(counts).filter((call) => call.startsWith('connector-2 ')),
      [],
    );
  });

  ours('a connector that is started anew under its id gets each push once', async () => {
    const gone = clients.filter(({ connector }) => connector === 'connector-2');
    clients = clients.filter((client) => !gone.includes(client));
    gone.forEach((client) => client.close());
    const before = await stats(cluster);
    await cluster.stopServer('connector-2', 'SIGKILL');
    await cluster.allKnown();
    await cluster.startServer('connector-2');
    await cluster.allKnown();
    // They are members as before.
    const place = cluster.connectors.find(({ id }) => id === 'connector-2');
    clients.push(
      ...(await Promise.all(gone.map(({ uid, chat }) => Client.connect(place, uid, chat)))),
    );
    await assertGot(
      clients,
      await oneByOne(cluster, 'world', failed, 5),
      await push(cluster, 'world', failed, 20),
    );
    const now = await stats(cluster);
    assert.ok(now.named > before.named + 10, JSON.stringify(now));
    assert.strictEqual(now.asked, before.asked + 1);
  });

  ours('lists that neither end has room for: every push is right', async () => {
    await cluster.ask('connector-2', 'limit', { frontendBytes: 30000 });
    const channels = Array.from({ length: 8 }, (_, i) => `many-${i}`);
    const receivers = clients.filter(({ connector }) => connector === 'connector-2');
    for (const channel of channels) {
      await lengthen(cluster, channel, ['connector-2']);
      for (const { uid, connector } of receivers) {
        await cluster.call('chat-1', 'add', channel, uid, connector);
      }
    }
    const all = [];
    for (let round = 0; round < 6; round += 1) {
      const started = channels.map((channel) => startPushes(cluster, 'chat-1', channel, 2));
      await Promise.all(started.map((pushes) => pushes.answered()));
      all.push(...started);
    }
    const expected = absent('connector-2').sort();
    for (const { answers } of all) {
      for (const [{ error, value }] of answers) {
        assert.strictEqual(error, null);
        assert.deepStrictEqual([...value].sort(), expected);
      }
    }
    await assertGot(receivers, { numbers: all.flatMap(({ numbers }) => numbers) });
    const { keptBytes } = await cluster.ask('connector-2', 'stats');
    assert.ok(keptBytes <= 30000, `${keptBytes} bytes`);
    assert.ok((await stats(cluster)).refused > 0);
  });
});

describe('a pinus cluster', () => {
  const SIDS = ['connector-1', 'connector-2'];
  let cluster;
  let clients = [];

  before(async () => {
    if (IMPL === 'old') return;
    const app = path.join(__dirname, 'pinus-app');
    cluster = await startCluster({ app, connectors: 2, chats: 1, extension });
    clients = await connectClients(cluster, 6);
    await join(clients, 'world');
    await lengthen(cluster, 'world', SIDS);
  });

  after(() => end(cluster, clients));

  ours('a connector that pushes itself makes no RPC to itself', async () => {
    await cluster.ask('connector-1', 'count');
    const failed = SIDS.flatMap(absent);
    await assertGot(clients, await push(cluster, 'world', failed, 3, 'connector-1'));
    const counts = await cluster.ask('connector-1', 'counts');
    const others = Object.keys(counts).filter((call) => !call.startsWith('connector-2 '));
    assert.deepStrictEqual(others, []);
    assert.strictEqual(counts['connector-2 channelRemote.pushMessage'], 3);
  });

  ours('names for lists: each client gets each push once, in order', async () => {
    const failed = SIDS.flatMap(absent);
    await assertGot(
      clients,
      await oneByOne(cluster, 'world', failed),
      await push(cluster, 'world', failed, 30),
    );
    await until(async () => (await stats(cluster)).named >= 60, 'names');
    assert.strictEqual((await stats(cluster)).frontends, 2);
  });
});
