'use strict';

/** Following channels by their events behind Sentinel: the subscription moves to the new primary, and there is a gap. */

const { describe, it } = require('node:test');
const { logged } = require('../support/log');
const healedGroup = require('../support/healed-group');
const { started } = require('../support/service');
const { until } = require('../support/until');
const { Follower } = require('../events/follower');
const { change } = require('../events/writer');

const [NAMES, SIDS] = [
  ['a', 'b'],
  ['s1', 's2'],
];
const OPTIONS = { events: true, commandTimeout: 15000 };

describe('events behind Sentinel', { timeout: 120000 }, () => {
  const group = healedGroup();

  /** Changes go on while `fail(primary)` makes another server the primary; then the follower has what the store has. */
  async function follows(fail) {
    await logged(async () => {
      const follower = new Follower(await started(group, OPTIONS), NAMES, SIDS);
      const own = await started(group, OPTIONS);
      await until(() => follower.isThere(), 'the follower to begin');
      const primary = await group.replicated();
      const elected = group.nextPrimary(primary);
      const state = { isOver: false };
      const moving = Promise.all([fail(primary), elected]).finally(() => (state.isOver = true));
      moving.catch(() => {});
      while (!state.isOver) await change(own, 40, NAMES, SIDS);
      await moving;
      await until(() => follower.gaps > 1, 'a gap', 30000);
      await change(own, 200, NAMES, SIDS);
      await until(() => follower.isThere(), 'the follower', 30000);
    });
  }

  it('a failover by an operator', () => follows(() => group.failOver()));

  it('the primary is killed', () => follows((primary) => primary.kill()));
});
