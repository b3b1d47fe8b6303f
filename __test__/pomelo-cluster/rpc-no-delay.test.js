'use strict';
/**
 * Option `rpcNoDelay` in real pomelo and pinus processes: the sockets of the pushing chat server and of the answering connector.
 * The data on them is tested in ../rpc-no-delay.test.js; benchmark/cluster measures the time that it saves.
 */

const assert = require('node:assert');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const { ours, end, IMPL } = require('./support');
const { startCluster } = require('../../demo/cluster');

const SMALL = { connectors: 2, chats: 1, extension: path.join(__dirname, 'sockets.js') };

for (const [title, { options, times }] of Object.entries({
  'a pomelo cluster': { options: {}, times: 1 },
  'a pomelo cluster with rpcNoDelay: false': {
    options: { globalChannel: { rpcNoDelay: false } },
    times: 0,
  },
  // pinus does it by itself, so that ours is the second time.
  'a pinus cluster': { options: { app: path.join(__dirname, 'pinus-app') }, times: 2 },
})) {
  describe(title, () => {
    let cluster;

    before(async () => {
      if (IMPL === 'old') return;
      cluster = await startCluster({ ...SMALL, ...options });
      for (const { id } of cluster.connectors) {
        await cluster.call('chat-1', 'add', 'world', `user of ${id}`, id);
      }
    });
    after(() => end(cluster, []));

    /** The users have no session: what matters is that each connector was asked and answered. */
    async function push() {
      const args = ['connector', 'onChat', { n: 1, text: 'hello', from: 'chat-1' }, 'world', {}];
      const failed = await cluster.call('chat-1', 'pushMessage', ...args);
      assert.deepStrictEqual(failed.sort(), ['user of connector-1', 'user of connector-2']);
    }

    async function assertTimes() {
      const calling = await cluster.ask('chat-1', 'calling', 'connector');
      assert.deepStrictEqual(calling, { 'connector-1': times, 'connector-2': times });
      for (const { id } of cluster.connectors) {
        const accepted = await cluster.ask(id, 'accepted');
        assert.notStrictEqual(accepted.length, 0);
        for (const count of accepted) assert.strictEqual(count, times);
      }
    }

    ours(`setNoDelay is called ${times} times on the RPC sockets`, async () => {
      await push();
      await push();
      await assertTimes();
    });

    ours('so are those to a connector that was started again', async () => {
      await cluster.stopServer('connector-1');
      await cluster.allKnown();
      await cluster.startServer('connector-1');
      await cluster.allKnown();
      await push();
      await assertTimes();
    });
  });
}
