'use strict';
/**
 * A fleet of all kinds on one Redis: chat-1 runs pomelo-globalchannel-plugin 0.0.7, chat-2 this package with
 * `membership: 'persistent'`, chat-3, the connectors and the master with 'session'. All of them add and remove members of the same
 * channels on the same frontends. What each of them added is a member for all, and members that the servers with 'session' added
 * end with their sessions as docs/MEMBERSHIP.md says. The tests build on one another, so their order matters.
 */

const assert = require('node:assert');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const support = require('./support');
const { nothingFor, until } = require('../support/until');
const { startCluster } = require('../../demo/cluster');
const { Client, connectClients } = require('../../demo/client');

const { IMPL, OLD, ours, uids, push, assertGot, assertGotNothing, end, join } = support;

const LEASE = 3000;
const DELAY = 1000;
/** Of what takes as long as a lease and a sweep, and on a busy machine far longer. */
const PATIENCE = 20000;
const KINDS = { 'chat-1': '0.0.7', 'chat-2': 'persistent', 'chat-3': 'session' };
const CHATS = Object.keys(KINDS);
const PERSISTENT = { membership: 'persistent' };

describe('a fleet of 0.0.7, persistent and session members on one Redis', () => {
  let cluster;
  /** Those that are connected. */
  let clients = [];

  const sessionOptions = { membership: 'session', leaseTtl: LEASE, leaveDelay: DELAY };

  before(async () => {
    if (IMPL === 'old') return;
    cluster = await startCluster({
      connectors: 2,
      chats: 3,
      plugins: { 'chat-1': OLD },
      globalChannel: sessionOptions,
      env: { SERVER_OPTIONS: JSON.stringify({ 'chat-2': PERSISTENT }) },
      extension: path.join(__dirname, 'fleet-extension.js'),
    });
    clients = await connectClients(cluster, 12);
    await join(clients, 'world');
  });

  after(() => end(cluster, clients));

  const by = (chat) => clients.filter((client) => client.chat === chat);

  const members = async (id, channel) =>
    (await cluster.call(id, 'getMembersByChannelName', 'connector', channel)).sort();

  const isMember = ({ uid, connector }, channel) =>
    cluster.call('chat-3', 'isMember', channel, uid, connector);

  /** Closes clients and waits until the frontends have seen it. */
  async function logout(gone) {
    gone.forEach((client) => client.close());
    clients = clients.filter((client) => !gone.includes(client));
    const isClosed = async ({ uid, connector }) =>
      !(await cluster.ask(connector, 'uids')).includes(uid);
    for (const client of gone) await until(() => isClosed(client), `${client.uid} to be gone`);
  }

  async function login({ uid, connector, chat }) {
    const place = cluster.connectors.find(({ id }) => id === connector);
    const client = await Client.connect(place, uid, chat);
    clients.push(client);
    return client;
  }

  /** Waits until a frontend has compared its members with its sessions. */
  async function compared(connector) {
    const count = async () => (await cluster.ask(connector, 'membership')).comparisons;
    const before = await count();
    // One may have begun before.
    await until(async () => (await count()) > before + 1, 'comparisons', PATIENCE);
  }

  const untilNoMember = (client, channel) =>
    until(
      async () => !(await isMember(client, channel)),
      `${client.uid} to leave ${channel}`,
      PATIENCE,
    );

  ours('each server is of its kind', async () => {
    const kinds = await Promise.all(CHATS.map(async (id) => [id, await cluster.ask(id, 'kind')]));
    assert.deepStrictEqual(Object.fromEntries(kinds), KINDS);
    for (const id of ['master', 'connector-1', 'connector-2']) {
      assert.strictEqual(await cluster.ask(id, 'kind'), 'session');
    }
  });

  ours(
    'members of open sessions stay, whichever server added them, and get each push once',
    async () => {
      const renewals = async () => (await cluster.ask('connector-1', 'stats')).renewals;
      const first = await renewals();
      await until(async () => (await renewals()) >= first + 3, 'three renewals', PATIENCE);
      for (const id of CHATS) {
        assert.deepStrictEqual(await members(id, 'world'), uids(clients).sort(), id);
        await assertGot(clients, await push(cluster, id, 'world', 10));
      }
    },
  );

  ours('who was added with session leaves with his session, for all of them', async () => {
    const [gone] = by('chat-3');
    await logout([gone]);
    await untilNoMember(gone, 'world');
    for (const id of CHATS) {
      assert.deepStrictEqual(await members(id, 'world'), uids(clients).sort(), id);
      await assertGot(clients, await push(cluster, id, 'world'));
    }
  });

  for (const id of ['chat-1', 'chat-2']) {
    ours(`a member whom ${KINDS[id]} removed is not put back when his user is back`, async () => {
      const [first] = by('chat-3');
      await join([first], 'guild');
      await cluster.call(id, 'leave', 'guild', first.uid, first.connector);
      const began = performance.now();
      await logout([first]);
      const back = await login(first);
      const isInTime = performance.now() - began < DELAY;
      await nothingFor(2 * DELAY);
      await compared(first.connector);
      assert.strictEqual(await isMember(back, 'guild'), false);
      const channels = await cluster.call('chat-3', 'getChannelsByUid', back.uid, back.connector);
      assert.ok(!channels.includes('guild'), `${channels}`);
      // A busy machine may be later; then he has left this one as well.
      if (isInTime) assert.strictEqual(await isMember(back, 'world'), true);
      else await join([back], 'world');
    });

    ours(
      `a channel that ${KINDS[id]} destroyed does not show, and can be joined again`,
      async () => {
        const [one] = by('chat-3');
        await join(clients, 'match');
        await cluster.call(id, 'destroyChannel', 'match');
        assert.deepStrictEqual(await members('chat-3', 'match'), []);
        const channels = await cluster.call('chat-3', 'getChannelsByUid', one.uid, one.connector);
        assert.ok(!channels.includes('match'), `${channels}`);
        await join(clients, 'match');
        for (const from of CHATS) await assertGot(clients, await push(cluster, from, 'match'));
        await cluster.call('chat-3', 'destroyChannel', 'match');
        await assertGotNothing(clients, await push(cluster, id, 'match'));
      },
    );
  }

  ours(
    'what was added with session on a killed connector goes when its lease has expired',
    async () => {
      const lost = clients.filter(({ connector }) => connector === 'connector-2');
      const [indexed] = lost.filter(({ chat }) => chat === 'chat-3');
      assert.ok(indexed);
      await cluster.stopServer('connector-2', 'SIGKILL');
      clients = clients.filter((client) => !lost.includes(client));
      lost.forEach((client) => client.close());
      await untilNoMember(indexed, 'world');
      await cluster.startServer('connector-2');
      await cluster.allKnown();
      // What the others have added there is for them to remove.
      for (const { uid, connector } of lost) {
        await cluster.call('chat-1', 'leave', 'world', uid, connector);
      }
      for (const id of CHATS) await assertGot(clients, await push(cluster, id, 'world'));
    },
  );

  ours(
    'members that 0.0.7 and persistent added are removed by a leave, and stay removed',
    async () => {
      const gone = ['chat-1', 'chat-2'].map((id) => by(id)[0]);
      await logout(gone);
      for (const { uid, connector } of gone) {
        await cluster.call('chat-3', 'leave', 'world', uid, connector);
      }
      await compared('connector-1');
      for (const id of CHATS) {
        assert.deepStrictEqual(await members(id, 'world'), uids(clients).sort(), id);
      }
    },
  );

  ours(
    'a persistent server that starts again with session changes nothing for the others',
    async () => {
      await cluster.stopServer('chat-2');
      await cluster.allKnown();
      cluster.env.SERVER_OPTIONS = '{}';
      await cluster.startServer('chat-2');
      await cluster.allKnown();
      assert.strictEqual(await cluster.ask('chat-2', 'kind'), 'session');
      const late = await login({ uid: 'late', connector: 'connector-2', chat: 'chat-2' });
      await join([late], 'world');
      for (const id of CHATS) await assertGot(clients, await push(cluster, id, 'world'));
      await logout([late]);
      await untilNoMember(late, 'world');
      for (const id of CHATS) {
        assert.deepStrictEqual(await members(id, 'world'), uids(clients).sort(), id);
      }
    },
  );
});
