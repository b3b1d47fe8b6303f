'use strict';

/**
 * The inspector on a Redis Cluster and behind Sentinel: the views by its server, and live events. What the views show is in
 * views.test.js.
 */

const assert = require('node:assert');
const { after, before, describe, it } = require('node:test');
const clusters = require('../support/cluster');
const { Inspector } = require('../support/inspector');
const { Group } = require('../support/sentinels');
const { started, stopAll } = require('../support/service');
const { until } = require('../support/until');

const PATIENCE = 30000;

/** The inspector shows a channel, and who joins it while it is watched. */
async function inspects(target, from, kind) {
  const service = await started(target, { events: true });
  await service.promises.add('room', ['ann', 'bob'], 's1');
  const inspector = await Inspector.start(from, '--events');
  try {
    const { told: overview } = await inspector.ask('overview');
    assert.deepStrictEqual([overview.store.kind, overview.members], [kind, 2]);
    const { told: channel } = await inspector.ask('members', { name: 'room' });
    assert.deepStrictEqual(channel.frontends, [{ sid: 's1', count: 2 }]);
    const stream = await inspector.watch('room');
    await until(() => stream.events.length > 0, 'the first gap', PATIENCE);
    await service.promises.add('room', 'cid', 's2');
    const joined = () => stream.events.find(({ event }) => event === 'join');
    await until(joined, 'the join', PATIENCE);
    assert.deepStrictEqual(joined(), {
      event: 'join',
      sid: 's2',
      reason: 'call',
      uids: ['cid'],
      count: 1,
    });
  } finally {
    await inspector.stop();
    await stopAll();
  }
}

describe('the inspector', { timeout: 180000 }, () => {
  let cluster;
  let group;
  before(async () => {
    cluster = await clusters.start();
    group = await Group.start();
  });
  after(async () => {
    await cluster?.close();
    await group?.stop();
  });

  it('of a Redis Cluster', () =>
    inspects(cluster, `redis+cluster://127.0.0.1:${cluster.servers[0].port}`, 'cluster'));

  it('of the primary that sentinels name', () => {
    const hosts = group.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',');
    return inspects(group, `redis+sentinel://${hosts}/${group.options().name}`, 'sentinel');
  });
});
