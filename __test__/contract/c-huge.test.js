'use strict';

/**
 * Large arguments of the methods beyond 0.0.7: many members in one call, many channels, long lists of exceptions. Limits of names
 * and uids are in c-sizes.test.js; wrong values inside of large arrays are in fuzz/.
 */

const assert = require('node:assert');
const { createApp, pushed } = require('../support/app');
const { call, ok } = require('../support/call');
const { stores, ours } = require('../support/rows');
const { started } = require('../support/service');

const COUNT = 30000;
const SIDS = ['s1', 's2', 's3'];
const LONG = { timeout: 120000 };
const INVALID_ARGUMENT = 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';

const uidsOf = (count, from = 0) => Array.from({ length: count }, (_, i) => `user-${from + i}`);

stores('C huge', (ctx) => {
  // Time is not what is tested; and without names for lists each RPC has its uids.
  const options = { commandTimeout: 60000, fanOut: { lists: false } };
  const service = (app) => started(ctx.store, options, app);

  ours(
    'addMany, leaveMany and the questions with tens of thousands of members',
    async () => {
      const one = await service();
      const members = uidsOf(COUNT).map((uid, i) => ({ uid, sid: SIDS[i % 3] }));
      assert.strictEqual(await ok(one, 'addMany', 'n', members), COUNT);
      assert.strictEqual(await ok(one, 'addMany', 'n', members), 0);
      assert.strictEqual(await ok(one, 'getCount', 'n', 'connector'), COUNT);
      assert.strictEqual(await ok(one, 'getCountBySid', 'n', 's2'), COUNT / 3);
      assert.strictEqual(await ok(one, 'isMember', 'n', `user-${COUNT - 1}`, 's3'), true);
      const lists = await ok(one, 'getMembersByChannelNameBySid', 'connector', 'n');
      assert.deepStrictEqual(
        SIDS.map((sid) => lists[sid].length),
        SIDS.map(() => COUNT / 3),
      );
      assert.strictEqual(await ok(one, 'leaveMany', 'n', members.slice(3)), COUNT - 3);
      assert.strictEqual(await ok(one, 'getCount', 'n', 'connector'), 3);
    },
    LONG,
  );

  ours(
    'a thousand channels in one call',
    async () => {
      const app = createApp();
      const one = await service(app);
      const names = Array.from({ length: 1000 }, (_, i) => `n${i}`);
      assert.strictEqual(await one.promises.add(names, ['u', 'v'], 's1'), 2000);
      const lists = await ok(one, 'getMembersByChannelNameBySid', 'connector', names);
      assert.ok(names.every((name) => lists[name].s1.length === 2));
      await ok(one, 'pushMessage', 'connector', 'r', {}, names, {});
      const [[sid, uids]] = pushed(app);
      assert.deepStrictEqual([sid, uids.sort()], ['s1', ['u', 'v']]);
      app.rpcCalls.length = 0;
      await ok(one, 'pushMessage', 'connector', 'r', {}, 'n0', { exceptChannels: names });
      assert.deepStrictEqual(pushed(app), []);
      assert.strictEqual(await one.promises.leave(names, 'u', 's1'), 1000);
      await ok(one, 'destroyChannel', names);
      assert.strictEqual(await ok(one, 'getCount', 'n999', 'connector'), 0);
    },
    LONG,
  );

  ours(
    'pushes with long lists of users',
    async () => {
      const app = createApp();
      const one = await service(app);
      await ok(one, 'add', 'a', uidsOf(COUNT), 's1');
      await ok(one, 'add', 'b', uidsOf(COUNT, COUNT / 2), 's1');
      const push = async (...args) => {
        app.rpcCalls.length = 0;
        await ok(one, ...args);
        return pushed(app).map(([sid, uids]) => [sid, uids.length, new Set(uids).size]);
      };
      const toBoth = (opts) => push('pushMessage', 'connector', 'r', {}, ['a', 'b'], opts);
      assert.deepStrictEqual(await toBoth({}), [['s1', 1.5 * COUNT, 1.5 * COUNT]]);
      const except = uidsOf(COUNT);
      assert.deepStrictEqual(await toBoth({ except }), [['s1', COUNT / 2, COUNT / 2]]);
      assert.deepStrictEqual(await toBoth({ only: except }), [['s1', COUNT, COUNT]]);
      const rest = [['s1', COUNT / 2, COUNT / 2]];
      assert.deepStrictEqual(await toBoth({ exceptChannels: ['b'] }), rest);
      const sent = await push('pushMessageByUids', 'connector', 'r', {}, except, { sid: 's2' });
      assert.deepStrictEqual(sent, [['s2', COUNT, COUNT]]);
    },
    LONG,
  );

  ours(
    'one wrong element at the end of a long array: it is named, nothing is written or sent',
    async () => {
      const app = createApp();
      const one = await service(app);
      const last = (array, value) => [...array, value];
      const members = uidsOf(COUNT).map((uid) => ({ uid, sid: 's1' }));
      const to = ['connector', 'r', {}];
      for (const [method, args, said] of [
        ['addMany', ['n', last(members, { uid: 'u' })], `members[${COUNT}].sid`],
        ['add', ['n', last(uidsOf(COUNT), null), 's1'], `uid[${COUNT}]`],
        ['add', [last(uidsOf(1000), {}), 'u', 's1'], 'name[1000]'],
        ['pushMessageByUids', [...to, last(uidsOf(COUNT), {}), { sid: 's1' }], `uids[${COUNT}]`],
        [
          'pushMessage',
          [...to, 'user-0', { except: last(uidsOf(COUNT), null) }],
          `opts.except[${COUNT}]`,
        ],
      ]) {
        const { err } = await call(one, method, ...args);
        assert.strictEqual(err?.code, INVALID_ARGUMENT, method);
        assert.ok(err.message.startsWith(`argument ${said} is `), err.message);
      }
      assert.deepStrictEqual(await ctx.store.keys(), []);
      assert.deepStrictEqual(app.rpcCalls, []);
    },
    LONG,
  );
});
