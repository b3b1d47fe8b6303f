'use strict';
/**
 * Pushes to several channels, with exceptions, to users and to all sessions, in a real pomelo 2.2.7 and a real pinus 1.7.4
 * cluster: each client gets exactly the messages that are for it, once, in order. What is sent to which frontend is
 * tested against a model in pushes/.
 */

const assert = require('node:assert');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const support = require('./support');
const { startCluster } = require('../../demo/cluster');
const { connectClients } = require('../../demo/client');

const { IMPL, assertGot, assertGotNothing, end, join, ours, push, reachingAll, startCalls, uids } =
  support;

const CLUSTERS = {
  pomelo: { connectors: 3, chats: 1, globalChannel: { pushTimeout: 60000 } },
  pinus: { app: path.join(__dirname, 'pinus-app'), connectors: 2, chats: 1 },
};

for (const [framework, options] of Object.entries(CLUSTERS)) {
  describe(`a ${framework} cluster with users in two channels`, () => {
    let cluster;
    let clients = [];
    let left;
    let both;
    let right;

    before(async () => {
      if (IMPL === 'old') return;
      cluster = await startCluster(options);
      clients = await connectClients(cluster, 18);
      [left, both, right] = [clients.slice(0, 6), clients.slice(6, 12), clients.slice(12)];
      await join([...left, ...both], 'left');
      await join([...both, ...right], 'right');
    });

    after(() => end(cluster, clients));

    const toBoth = (opts, count) => push(cluster, 'chat-1', ['left', 'right'], count, opts);
    /** Those got the pushes, the others did not. */
    async function assertOnly(some, pushes) {
      await assertGot(some, pushes);
      await assertGotNothing(
        clients.filter((client) => !some.includes(client)),
        pushes,
      );
    }

    ours('a push to both reaches each user once', async () => {
      await assertOnly(clients, await toBoth({}, 50));
    });

    ours('users and channels are left out', async () => {
      const some = [left[0], both[0], right[5]];
      const except = uids(some);
      await assertOnly(
        clients.filter((client) => !some.includes(client)),
        await toBoth({ except }),
      );
      await assertOnly(right, await toBoth({ exceptChannels: 'left' }));
      await assertOnly(some, await toBoth({ only: except }));
      await assertOnly([some[2]], await toBoth({ only: except, exceptChannels: ['left'] }));
    });

    ours('only the frontends in opts.sids are pushed to', async () => {
      const sids = ['connector-2'];
      const there = clients.filter(({ connector }) => connector === 'connector-2');
      await assertOnly(there, await toBoth({ sids }));
    });

    ours('users of one frontend are pushed to by their uids', async () => {
      const there = clients.filter(({ connector }) => connector === 'connector-1').slice(0, 3);
      const sent = startCalls(cluster, 'chat-1', 10, (msg) => [
        'pushMessageByUids',
        'connector',
        'onChat',
        msg,
        uids(there),
        { sid: 'connector-1' },
      ]);
      await assertOnly(there, await reachingAll(sent));
    });

    ours('a uid without a session on that frontend is a failed uid', async () => {
      const args = [
        'connector',
        'onChat',
        {},
        [left[0].uid, 'unknown'],
        { sid: left[0].connector },
      ];
      assert.deepStrictEqual(await cluster.call('chat-1', 'pushMessageByUids', ...args), [
        'unknown',
      ]);
    });

    ours('a broadcast reaches all sessions, between the pushes before and after it', async () => {
      const sent = startCalls(cluster, 'chat-1', 30, (msg) =>
        msg.n % 2
          ? ['broadcast', 'connector', 'onChat', msg, { binded: true }]
          : ['pushMessage', 'connector', 'onChat', msg, ['left', 'right'], {}],
      );
      await assertOnly(clients, await reachingAll(sent));
    });
  });
}
