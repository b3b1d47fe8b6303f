'use strict';
/**
 * A push to a connector that is killed, in real clusters of pomelo and pinus: the frameworks' RPC is answered after 30 s or never,
 * and `pushTimeout` is longer still, but the master tells the other servers of the death.
 */

const assert = require('node:assert');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const support = require('./support');
const { startCluster } = require('../../demo/cluster');
const { connectClients } = require('../../demo/client');

const { IMPL, ours, uids, until, push, startPushes, among, assertGot, join } = support;

const PUSH_TIMEOUT = 60000;
/** Before the frameworks give up. On a quiet machine it is the grace of a server that left, 1 s. */
const SOON = 20000;

const FRAMEWORKS = { pomelo: {}, pinus: { app: path.join(__dirname, 'pinus-app') } };

for (const [framework, options] of Object.entries(FRAMEWORKS)) {
  describe(`a ${framework} cluster of which a connector is killed in mid-push`, () => {
    let cluster;
    let clients = [];

    before(async () => {
      if (IMPL === 'old') return;
      cluster = await startCluster({
        ...options,
        connectors: 2,
        chats: 1,
        globalChannel: { pushTimeout: PUSH_TIMEOUT },
      });
      clients = await connectClients(cluster, 10);
      await join(clients, 'world');
      await push(cluster, 'chat-1', 'world');
    });

    after(async () => {
      clients.forEach((client) => client.close());
      await cluster?.stop();
    });

    ours('its members are failed uids as soon as the others know of its death', async () => {
      const dead = clients.filter(({ connector }) => connector === 'connector-2');
      const living = clients.filter(({ connector }) => connector === 'connector-1');
      assert.ok(dead.length > 0 && living.length > 0);
      // Frozen first, so that the kill comes when the pushes are certainly under way.
      cluster.servers.get('connector-2').child.kill('SIGSTOP');
      const pushes = startPushes(cluster, 'chat-1', 'world', 5);
      const arrived = (client) => among(client, pushes.numbers).length === 5;
      await until(() => living.every(arrived), 'the clients of the other connector');
      assert.ok(pushes.answers.every(({ length }) => length === 0));
      const killed = Date.now();
      await cluster.stopServer('connector-2', 'SIGKILL');
      await pushes.answered();
      const took = Date.now() - killed;
      assert.ok(took < SOON, `answered after ${took} ms`);
      for (const answers of pushes.answers) {
        assert.deepStrictEqual(
          answers.map(({ error, value }) => [error, value.sort()]),
          [[null, uids(dead).sort()]],
        );
      }
      await assertGot(living, pushes);
    });
  });
}
