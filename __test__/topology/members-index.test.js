'use strict';

/**
 * The index of members in a Redis Cluster, where it and the channels are in different slots: what holds on every store
 * (support/members.js), and while slots move.
 */

const assert = require('node:assert');
const { it } = require('node:test');
const { CHECKS, Members, SESSION } = require('../support/members');
const { onCluster } = require('./on-cluster');

onCluster('index of members in a Redis Cluster', 120000, (ctx) => {
  const open = async (opts) =>
    new Members(await ctx.connected({ ...SESSION, cache: false, ...opts }));

  for (const [title, check] of Object.entries(CHECKS)) {
    it(title, () => check({ open, store: ctx.cluster }));
  }

  it('the names of channels are told without hash tags', async () => {
    const one = await open({ hashTag: true });
    await one.call('add', ['a', 'b'], 'u', 's1');
    assert.deepStrictEqual(await one.channels('u', 's1'), ['a', 'b']);
    assert.deepStrictEqual(await one.leaveAll('u', null), ['a', 'b']);
    assert.deepStrictEqual(await ctx.cluster.keys(), []);
  });
});
