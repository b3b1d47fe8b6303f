'use strict';
/**
 * Real pomelo clusters with Redis Sentinel, Redis Cluster or TLS: pushes reach all members, also after a failover. The plugin
 * alone is tested in __test__/topology.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const { startCluster } = require('../../demo/cluster');
const { connectClients } = require('../../demo/client');
const redisCluster = require('../support/cluster');
const { Group } = require('../support/sentinels');
const { TlsServer } = require('../support/tls');
const { ours, push, assertGot, end, join, uids, until } = require('./support');

// No push may fail for time on a slow machine, and an election may take long.
const PATIENT = { pushTimeout: 60000, commandTimeout: 30000 };
const CLIENTS = 12;

/** What a place is called: how to open it, and what it is put through; each has `options()`. */
const PLACES = {
  'a Redis that speaks TLS': {
    open: () => TlsServer.open(),
    close: (server) => server.close(),
    async trouble(server) {
      assert.ok(await server.isSecure(), 'all connections');
      await server.redis.killClients();
    },
  },
  'a primary that the sentinels know': {
    open: () => Group.start(),
    close: (group) => group.stop(),
    async trouble(group) {
      const before = await group.replicated();
      await group.failOver();
      await group.nextPrimary(before);
    },
  },
  'a Redis Cluster': {
    open: () => redisCluster.start(),
    close: (nodes) => nodes.close(),
    async trouble(nodes) {
      const key = 'POMELO:CHANNEL:world:connector-1';
      await nodes.replicated();
      const replica = await nodes.replicaOf(await nodes.owner(key));
      await replica.run(0, 'cluster', 'failover');
      await until(async () => (await nodes.owner(key)) === replica, 'the new primary', 30000);
    },
  },
};

describe('a pomelo cluster on', () => {
  for (const [title, { open, close, trouble }] of Object.entries(PLACES)) {
    ours(title, async () => {
      const place = await open();
      let cluster;
      let clients = [];
      try {
        const store = async () => ({ title, options: place.options() });
        cluster = await startCluster({ store, globalChannel: PATIENT });
        clients = await connectClients(cluster, CLIENTS);
        await join(clients, 'world');
        await assertGot(clients, await push(cluster, 'chat-1', 'world', 20));

        await trouble(place);
        await assertGot(clients, await push(cluster, 'chat-2', 'world', 20));
        const args = ['getMembersByChannelName', 'connector', 'world'];
        const members = await cluster.call('chat-1', ...args);
        assert.deepStrictEqual(members.sort(), uids(clients).sort());
      } finally {
        await end(cluster, clients);
        await close(place);
      }
    });
  }
});
