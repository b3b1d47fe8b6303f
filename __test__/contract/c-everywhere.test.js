'use strict';

/**
 * All frontends that the store knows, also those that are gone: `null` for getCount, isMember and leave, `{everywhere: true}`
 * for destroyChannel. The index of frontends is in c-index.test.js, custom managers are in g-everywhere.test.js, random histories
 * in c-model.test.js.
 */

const assert = require('node:assert');
const { createApp, pushed } = require('../support/app');
const { invoke, call, ok } = require('../support/call');
const { stores, ours } = require('../support/rows');
const { started } = require('../support/service');

const INVALID_ARGUMENT = 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';
const EVERYWHERE = { everywhere: true };

stores('C everywhere', (ctx) => {
  ours('members on frontends that are gone are counted, found and removed', async () => {
    const before = await started(ctx.store);
    await ok(before, 'add', ['n', 'm'], ['a', 'b'], 'gone-1');
    await ok(before, 'addMany', 'n', [
      { uid: 'a', sid: 's1' },
      { uid: 'c', sid: 'host:1' },
      { uid: 'd', sid: '' },
    ]);
    // One that has never heard of them.
    const service = await started(ctx.store);
    const { promises } = service;
    assert.strictEqual(await promises.getCount('n', 'connector'), 1);
    assert.deepStrictEqual((await call(service, 'getCount', 'n', null)).args, [null, 5]);
    assert.strictEqual(await promises.getCount('none', null), 0);
    assert.deepStrictEqual((await call(service, 'isMember', 'n', 'c', null)).args, [null, true]);
    assert.strictEqual(await promises.isMember('n', Buffer.from('d'), null), true);
    assert.strictEqual(await promises.isMember('n', 'e', null), false);
    assert.strictEqual(await promises.leave(['n', 'm'], ['a', 'x'], null), 3);
    assert.deepStrictEqual((await call(service, 'leave', 'n', 'c', null)).args, [null]);
    assert.deepStrictEqual(await ctx.store.dump(), {
      'POMELO:CHANNEL:m:gone-1': ['b'],
      'POMELO:CHANNEL:n:gone-1': ['b'],
      'POMELO:CHANNEL:n:': ['d'],
    });
    assert.strictEqual(await promises.destroyChannel(['n', 'm', 'o'], EVERYWHERE), undefined);
    assert.deepStrictEqual(await ctx.store.keys(), []);
    const { getCount, isMember, leave, add, destroyChannel } = service.stats().commands;
    assert.deepStrictEqual([getCount, isMember, leave, add, destroyChannel], [3, 3, 2, 0, 1]);
  });

  ours(
    'a call by server type comes behind them also on a frontend that has registered since',
    async () => {
      const [app, other] = [createApp(), await started(ctx.store)];
      const service = await started(ctx.store, {}, app);
      await ok(service, 'getCount', 'n', null);
      for (const [i, method] of [
        'getCount',
        'getMembersByChannelName',
        'push',
        'lists',
      ].entries()) {
        const sid = `new-${i}`;
        await ok(other, 'add', 'n', 'u', sid);
        const left = invoke(service, 'leave', 'n', 'u', null);
        app.addServer({ id: sid, serverType: 'connector', frontend: 'true' });
        const asked = {
          getCount: () => ok(service, 'getCount', 'n', 'connector'),
          getMembersByChannelName: () => ok(service, 'getMembersByChannelName', 'connector', 'n'),
          push: () => ok(service, 'pushMessage', 'connector', 'r', {}, 'n', {}),
          lists: () => ok(service, 'getMembersByChannelNameBySid', 'connector', 'n'),
        }[method]();
        const answer = await asked;
        assert.ifError((await left.done).err);
        const found = method === 'lists' ? answer[sid] : answer;
        assert.deepStrictEqual(found, method === 'getCount' ? 0 : [], method);
        assert.deepStrictEqual(pushed(app), []);
      }
    },
  );

  ours('channel(name) has them too, and an empty list does nothing', async () => {
    const service = await started(ctx.store);
    const channel = service.channel('n');
    await channel.promises.add(['a', 'b'], 'gone');
    assert.strictEqual(await channel.promises.getCount(null), 2);
    assert.strictEqual(await channel.promises.isMember('a', null), true);
    assert.strictEqual(await channel.promises.leave('a', null), 1);
    assert.strictEqual(await channel.promises.leave([], null), 0);
    assert.strictEqual(await service.promises.leave([], 'b', null), 0);
    await service.promises.destroyChannel([], EVERYWHERE);
    await channel.promises.add('c', 'host:1');
    await channel.promises.destroyChannel();
    assert.strictEqual(await channel.promises.getCount(null), 2);
    await channel.promises.destroyChannel(EVERYWHERE);
    assert.strictEqual(await channel.promises.getCount(null), 0);
  });

  ours(
    'they come in call order with all else, also on frontends that no call has named',
    async () => {
      const other = await started(ctx.store);
      const service = await started(ctx.store);
      const answers = [];
      const ask = (...args) => answers.push(invoke(service, ...args).done);
      await ok(service, 'getCount', 'n', null);
      for (let i = 0; i < 20; i += 1) {
        const [known, fresh] = [`known-${i}`, `fresh-${i}`];
        await ok(other, 'add', 'n', 'u', known);
        // The leave learns of it while the add that follows is on its way.
        ask('leave', 'n', 'u', null);
        ask('add', 'n', 'v', known);
        ask('getCount', 'n', null);
        ask('add', 'n', 'w', fresh);
        ask('isMember', 'n', 'w', null);
        ask('destroyChannel', 'n', EVERYWHERE);
        ask('getMembersBySid', 'n', known);
        const values = (await Promise.all(answers.splice(0))).map(({ err, value }) => err || value);
        assert.deepStrictEqual(values, [undefined, undefined, 1, undefined, true, undefined, []]);
      }
    },
  );

  ours('so do leaveAll and getChannelsByUid on a frontend that no call has named', async () => {
    const session = { membership: 'session' };
    const [other, service] = [await started(ctx.store, session), await started(ctx.store, session)];
    await ok(service, 'getCount', 'n', null);
    for (let i = 0; i < 20; i += 1) {
      const fresh = `fresh-${i}`;
      await ok(other, 'add', 'n', 'u', fresh);
      const calls = [
        ['getCount', 'n', null],
        ['leaveAll', 'u', fresh],
        ['getCount', 'n', null],
        ['getChannelsByUid', 'u', fresh],
      ];
      const answers = calls.map((args) => invoke(service, ...args).done);
      const values = (await Promise.all(answers)).map(({ err, value }) => err || value);
      assert.deepStrictEqual(values, [1, ['n'], 0, []]);
    }
  });

  ours('what is about all frontends comes after the first call on all of them', async () => {
    const other = await started(ctx.store);
    for (const [method, ...args] of [
      ['destroyChannel', 'n', EVERYWHERE],
      ['leave', 'n', 'u', null],
      ['clean'],
    ]) {
      await ok(other, 'add', 'n', 'u', 'gone');
      // Its first call on all frontends waits for a scan.
      const service = await started(ctx.store);
      const calls = [
        ['getCount', 'n', null],
        [method, ...args],
        ['getCount', 'n', null],
        ['getChannels', {}],
      ];
      const asked = calls.map((given) => invoke(service, ...given).done);
      const [before, change, after, page] = await Promise.all(asked);
      assert.ifError(before.err || change.err || after.err || page.err);
      assert.deepStrictEqual([before.value, after.value], [1, 0], method);
      assert.deepStrictEqual(page.value.channels, [], method);
    }
  });

  ours('many channels on many frontends are done in parts, and as one call', async () => {
    const names = Array.from({ length: 500 }, (_, i) => `n${i}`);
    const sids = Array.from({ length: 30 }, (_, i) => `gone-${i}`);
    const other = await started(ctx.store);
    await Promise.all(sids.map((sid) => ok(other, 'add', names, ['u', 'v'], sid)));
    const service = await started(ctx.store);
    assert.strictEqual(await service.promises.getCount('n7', null), 60);
    const left = service.promises.leave(names, 'u', null);
    const added = service.promises.add('n499', 'u', 'gone-29');
    const counts = ['n0', 'n499'].map((name) => service.promises.getCount(name, null));
    assert.deepStrictEqual(await Promise.all([left, added, ...counts]), [15_000, 1, 30, 31]);
    assert.strictEqual(service.stats().commands.leave, 1);
  });

  ours('a channel whose name begins with another one stays', async () => {
    const service = await started(ctx.store);
    for (const name of ['n', 'n:x', 'nn', '']) await ok(service, 'add', name, 'u', 'gone');
    await ok(service, 'destroyChannel', 'n', EVERYWHERE);
    assert.deepStrictEqual(await ctx.store.keys(), [
      'POMELO:CHANNEL::gone',
      'POMELO:CHANNEL:n:x:gone',
      'POMELO:CHANNEL:nn:gone',
    ]);
  });

  ours('null counts only where it has a meaning, and wrong options are refused', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', 'u', 'gone');
    const cases = [
      ['add', 'n', 'u', null],
      ['leave', 'n', 'u', undefined],
      ['leave', null, 'u', null],
      ['leave', 'n', null, null],
      ['isMember', 'n', 'u', undefined],
      ['isMember', 'n', null, null],
      ['isMember', 'n', ['u'], null],
      ['getCount', 'n', undefined],
      ['getCount', null, null],
      ['getCountBySid', 'n', null],
      ['getMembersBySid', 'n', null],
      ['destroyChannel', null, EVERYWHERE],
      ['destroyChannel', 'n', { everywhere: 'yes' }],
      ['destroyChannel', 'n', { everywhere: 1 }],
    ];
    for (const [method, ...args] of cases) {
      const { err } = await call(service, method, ...args);
      assert.strictEqual(err && err.code, INVALID_ARGUMENT, `${method} ${JSON.stringify(args)}`);
    }
    for (const opts of [undefined, null, {}, { everywhere: false }, { everywhere: null }]) {
      await ok(service, 'destroyChannel', 'n', opts);
    }
    assert.strictEqual(await ok(service, 'getCount', 'n', null), 1);
  });

  ours.redis('with hash tags, and under a prefix of its own', async () => {
    const service = await started(ctx.store, { prefix: 'P', hashTag: true });
    await ok(service, 'add', 'n', 'u', 'gone');
    const later = await started(ctx.store, { prefix: 'P', hashTag: true });
    assert.strictEqual(await ok(later, 'getCount', 'n', null), 1);
    await ok(later, 'destroyChannel', 'n', EVERYWHERE);
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  ours('clean keeps the index, and what is added after it is found', async () => {
    const [service, other] = [await started(ctx.store), await started(ctx.store)];
    await ok(service, 'add', 'n', 'u', 'gone');
    await ok(other, 'getCount', 'n', null);
    await ok(other, 'clean');
    await ok(service, 'add', 'n', 'u', 'gone');
    const later = await started(ctx.store);
    assert.strictEqual(await ok(later, 'getCount', 'n', null), 1);
  });
});
