'use strict';

/**
 * The index of members in a Redis Cluster, where it and the channels are in different slots: what holds on every store
 * (support/members.js), and while slots move.
 */

const assert = require('node:assert');
const { it } = require('node:test');
const { CHECKS, Members, SESSION } = require('../support/members');
const { until } = require('../support/until');
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

  it('a frontend that takes its lease while a step of a purge removes members has them', async () => {
    const [sweeper, frontend] = [await open(), await open()];
    const held = await ctx.cluster.owner('P@lease:{s1}');
    // Channels on another node, which is to be slow.
    const names = [];
    let slow;
    for (let i = 0; names.length < 20; i += 1) {
      const owner = await ctx.cluster.owner(`P:c${i}:s1`);
      slow ||= owner === held ? undefined : owner;
      if (slow && owner === slow) names.push(`c${i}`);
    }
    await frontend.call('add', names, 'u', 's1');
    for (const keep of [60000, 0]) {
      await slow.run(0, 'client', 'pause', 20000, 'write');
      const step = sweeper.purgeStep('s1', '', 500, keep, ['u']);
      if (keep > 0) {
        const isKept = () => held.run(0, 'exists', 'P@gone:{s1}');
        await until(isKept, 'the members to be kept');
      }
      const isWaiting = async () =>
        /blocked_clients:[1-9]/.test(await slow.run(0, 'info', 'clients'));
      await until(isWaiting, 'the removal to wait');
      await frontend.claim('s1', 'e1');
      await slow.run(0, 'client', 'unpause');
      assert.strictEqual((await step).state, 'lost');
      assert.deepStrictEqual(await frontend.channels('u', 's1'), [...names].sort());
      for (const name of names) {
        assert.deepStrictEqual(await frontend.call('getMembersBySid', name, 's1'), ['u'], name);
      }
      await frontend.release('s1', 'e1');
    }
  });
});
