'use strict';

/** The rights that option `events` needs in Redis (docs/REDIS.md), and what happens without one of them. */

const assert = require('assert');
const { area, ours } = require('../support/rows');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { PLAIN, CACHE, EVENTS, CHANNELS } = require('../support/rights');
const { started } = require('../support/service');
const { until } = require('../support/until');
const { record } = require('../events/follower');

const USER = { username: 'gc', password: 'secret' };
const ALL = [CHANNELS, '-@all', ...PLAIN, ...CACHE, ...EVENTS];

area('EA rights of events', {}, (ctx) => {
  async function begin(...rights) {
    const keys = ['~POMELO:CHANNEL:*', '~POMELO:CHANNEL@sids'];
    const rules = ['reset', 'on', `>${USER.password}`, ...keys, 'resetchannels', ...rights];
    await ctx.redis.run(0, 'acl', 'setuser', USER.username, ...rules);
    return started(ctx.redis, { ...USER, events: true, leaveDelay: 0 });
  }
  const without = (right) => begin(...ALL.filter((each) => each !== right));

  ours('with all of them events come, and nothing is refused', async () => {
    await ctx.redis.run(0, 'acl', 'log', 'reset');
    const service = await begin(...ALL);
    const log = record(service.watch({ prefix: '' }));
    await until(() => log.length > 0, 'the first gap');
    await ok(service, 'add', 'n', 'u', 's1');
    await ok(service, 'leave', 'n', 'u', null);
    await ok(service, 'add', 'n', 'u', 's1');
    await ok(service, 'destroyChannel', 'n', { everywhere: true });
    await until(() => log.length === 9, 'the events');
    assert.deepStrictEqual(await ctx.redis.run(0, 'acl', 'log'), []);
  });

  for (const right of ['+publish', '+exists', CHANNELS]) {
    ours(`without ${right}: a change is made, and its call says what is missing`, async () => {
      // With a second frontend there is something to look at.
      await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL@sids', 's2');
      const service = await without(right);
      for (const [method, ...args] of [
        ['add', 'n', 'u', 's1'],
        ['leave', 'n', 'u', 's1'],
      ]) {
        const { err } = await call(service, method, ...args);
        assert.strictEqual(err && err.code, 'ERR_GLOBAL_CHANNEL_STORE', method);
        assert.match(err.message, /option events takes EVAL, EXISTS and PUBLISH/);
        const members = await ctx.redis.members('POMELO:CHANNEL:n:s1');
        assert.deepStrictEqual(members, method === 'add' ? ['u'] : []);
      }
    });
  }

  for (const right of ['+subscribe', CHANNELS]) {
    ours(`without ${right}: a line in the log says why there are no events`, async () => {
      await logged(async (lines) => {
        const service = await without(right);
        service.watch('n');
        const why = /events are not received, and tried again: .*no permissions/;
        await until(() => lines.some((line) => why.test(line)), 'the line');
      });
    });
  }
});
