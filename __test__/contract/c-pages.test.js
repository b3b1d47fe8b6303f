'use strict';

/**
 * scanMembers, and what all pages have in common: cursors, order, arguments, from every store. What getChannels finds is in
 * c-channels.test.js, custom managers are in g-pages.test.js; topology/pages.test.js has pages on a Redis Cluster and through
 * failovers.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { call, invoke, ok } = require('../support/call');
const { pages, scanned, channels } = require('../support/pages');
const { started } = require('../support/service');
const { stores, ours } = require('../support/rows');

const INVALID_ARGUMENT = 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';

const numbered = (prefix, count) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const names = (found) => found.map(({ name }) => name).sort();

stores('C pages', (ctx) => {
  ours('scanMembers: all members, in pages of about the limit, and null at the end', async () => {
    const service = await started(ctx.store);
    const members = numbered('user-', 3000);
    await ok(service, 'add', 'n', members, 's1');
    const all = await pages(service, 'scanMembers', ['n', 's1'], { limit: 250 });
    assert.deepStrictEqual(
      [...new Set(all.flatMap((page) => page.members))].sort(),
      members.slice().sort(),
    );
    assert.ok(all.length > 5, `${all.length} pages`);
    for (const page of all) {
      assert.deepStrictEqual(Object.keys(page), ['members', 'cursor']);
      assert.ok(page.members.length < 500, `${page.members.length} members`);
      assert.strictEqual(new Set(page.members).size, page.members.length);
    }
    assert.strictEqual(service.stats().commands.scanMembers, all.length);
    const empty = { members: [], cursor: null };
    assert.deepStrictEqual(await ok(service, 'scanMembers', 'n', 's2'), empty);
    assert.deepStrictEqual(await service.promises.scanMembers('n', 's2'), empty);
    const page = await service.channel('n').promises.scanMembers('s1', { limit: 10 });
    assert.strictEqual(typeof page.cursor, 'string');
    const usual = await ok(service, 'scanMembers', 'n', 's1');
    assert.ok(usual.members.length >= 100 && usual.members.length < 200);
  });

  ours('100,000 members, each of them', async () => {
    const service = await started(ctx.store);
    const members = numbered('u', 100000);
    for (let i = 0; i < members.length; i += 10000) {
      await ok(service, 'add', 'n', members.slice(i, i + 10000), 's1');
    }
    const found = await scanned(service, 'n', 's1', { limit: 5000 });
    assert.strictEqual(new Set(found).size, 100000);
  });

  ours(
    'members that are there all the time come, while others come and go',
    async () => {
      const service = await started(ctx.store);
      const other = await started(ctx.store);
      const history = fc.array(
        fc.tuple(fc.boolean(), fc.nat(2000), fc.integer({ min: 1, max: 900 })),
        {
          minLength: 1,
          maxLength: 6,
        },
      );
      const property = fc.asyncProperty(
        fc.integer({ min: 1, max: 1200 }),
        fc.integer({ min: 5, max: 300 }),
        history,
        async (size, limit, steps) => {
          await ok(service, 'destroyChannel', 'n');
          const stay = numbered('stay', size);
          await ok(service, 'add', 'n', stay, 's1');
          const found = await scanned(service, 'n', 's1', { limit }, async (page) => {
            const [adds, from, count] = steps[page % steps.length];
            const some = numbered('guest', from + count).slice(from);
            await ok(other, adds ? 'add' : 'leave', 'n', some, 's1');
          });
          const met = new Set(found);
          assert.deepStrictEqual(
            stay.filter((uid) => !met.has(uid)),
            [],
          );
          for (const uid of met) assert.match(uid, /^(stay|guest)\d+$/);
        },
      );
      await fc.assert(property, { numRuns: 15 });
    },
    { timeout: 120000 },
  );

  ours('a page that is asked for again has what it had, and one cursor serves twice', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', numbered('room-', 200), 'u', 's1');
    await ok(service, 'add', numbered('room-', 200), 'u', 's2');
    const first = await ok(service, 'getChannels', { limit: 30 });
    const opts = { limit: 30, cursor: first.cursor };
    const [second, again] = [
      await ok(service, 'getChannels', opts),
      await ok(service, 'getChannels', opts),
    ];
    assert.deepStrictEqual(again.channels, second.channels);
    for (const start of [second, again]) {
      const found = new Set([...first.channels, ...start.channels].map(({ name }) => name));
      for (let { cursor } = start; cursor !== null;) {
        const page = await ok(service, 'getChannels', { limit: 30, cursor });
        for (const { name } of page.channels) found.add(name);
        ({ cursor } = page);
      }
      assert.strictEqual(found.size, 200);
    }
    // Of another process, which does not know what was given.
    const other = await started(ctx.store);
    const found = new Set(names(first.channels));
    for (let { cursor } = first; cursor !== null;) {
      const page = await ok(other, 'getChannels', { limit: 30, cursor });
      for (const { name } of page.channels) found.add(name);
      ({ cursor } = page);
    }
    assert.strictEqual(found.size, 200);
  });

  ours('a cursor of another scan is refused', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', ['n', 'm'], numbered('u', 1000), 's1');
    await ok(service, 'add', numbered('room', 100), 'u', 's1');
    const { cursor } = await ok(service, 'scanMembers', 'n', 's1', { limit: 10 });
    const { cursor: other } = await ok(service, 'getChannels', { limit: 10 });
    const flipped = cursor.slice(0, -1) + (cursor.endsWith('0') ? '1' : '0');
    for (const [method, ...args] of [
      ['scanMembers', 'm', 's1', { cursor }],
      ['scanMembers', 'n', 's2', { cursor }],
      ['scanMembers', 'n', 's1', { cursor: other }],
      ['scanMembers', 'n', 's1', { cursor: flipped }],
      ['scanMembers', 'n', 's1', { cursor: `${cursor}00` }],
      ['scanMembers', 'n', 's1', { cursor: '0' }],
      ['scanMembers', 'n', 's1', { cursor: '' }],
      ['scanMembers', 'n', 's1', { cursor: 0 }],
      ['getChannels', { cursor }],
      ['getChannels', { cursor: other, match: 'room*' }],
    ]) {
      const { err, argc, sync } = await call(service, method, ...args);
      assert.deepStrictEqual([err && err.code, argc, sync], [INVALID_ARGUMENT, 2, true], args[0]);
      assert.match(err.message, /^argument opts\.cursor is no cursor of this scan/);
    }
    assert.ok((await ok(service, 'scanMembers', 'n', 's1', { cursor })).members.length > 0);
  });

  ours('arguments that are not accepted are refused by name', async () => {
    const service = await started(ctx.store);
    const limit = /^argument opts\.limit is .*; accepted is a whole number from 1 to 10000$/;
    for (const [method, args, pattern] of [
      ...[0, -1, 1.5, NaN, 10001, Infinity, '5', {}, true].flatMap((value) => [
        ['scanMembers', ['n', 's1', { limit: value }], limit],
        ['getChannels', [{ limit: value }], limit],
      ]),
      ['scanMembers', [null, 's1', {}], /^argument name is null/],
      ['scanMembers', ['n', {}, {}], /^argument sid is an object/],
      ['scanMembers', ['n', 's1', 'opts'], /^argument opts is no object; accepted is \{cursor, l/],
      ['getChannels', [7], /^argument opts is no object; accepted is \{match, cursor, limit\}/],
      ['getChannels', [['a']], /^argument opts is no object/],
      ['getChannels', [{ match: {} }], /^argument opts\.match is an object/],
      ['getChannels', [{ match: 'a'.repeat(5000) }], /^argument opts\.match has 5000 bytes/],
    ]) {
      const { err, argc, sync, value } = await call(service, method, ...args);
      assert.deepStrictEqual(
        [err && err.code, argc, sync, value],
        [INVALID_ARGUMENT, 2, true, undefined],
      );
      assert.match(err.message, pattern);
    }
    const { commands } = service.stats();
    assert.deepStrictEqual([commands.scanMembers, commands.getChannels], [0, 0]);
    for (const opts of [undefined, null, {}, { cursor: null, limit: null, match: undefined }]) {
      assert.deepStrictEqual(await ok(service, 'getChannels', opts), {
        channels: [],
        cursor: null,
      });
    }
    const bad = new Error('from a getter');
    const throwing = {
      get cursor() {
        throw bad;
      },
    };
    assert.throws(() => service.getChannels(throwing, () => {}), bad);
  });

  ours('pages come in call order, and see what was written before them', async () => {
    const service = await started(ctx.store);
    const order = [];
    const answered = [];
    for (let i = 0; i < 20; i += 1) {
      const note = (what) => (err, value) => {
        assert.ifError(err);
        order.push(`${what}${i}`);
        if (what === 'page') assert.strictEqual(value.members.length, i + 1);
        // Counted in a step of its own, which may see what was written after the call.
        if (what === 'channels') assert.ok(value.channels[0].count > i);
      };
      service.add('n', i, 's1', note('add'));
      service.scanMembers('n', 's1', note('page'));
      service.getChannels(note('channels'));
      answered.push(call(service, 'getCountBySid', 'n', 's1'));
    }
    await Promise.all(answered);
    const expected = Array.from({ length: 20 }, (_, i) => [`add${i}`, `page${i}`, `channels${i}`]);
    assert.deepStrictEqual(order, expected.flat());
  });

  ours('uids that are not UTF-8 are read as by getMembersBySid, page by page', async () => {
    const service = await started(ctx.store);
    const odd = Array.from({ length: 500 }, (_, i) =>
      Buffer.from([0x80 + (i % 128), i >> 7, 0xff]),
    );
    await ok(service, 'add', 'n', [...numbered('u', 500), ...odd], 's1');
    const found = await scanned(service, 'n', 's1', { limit: 7 });
    const expected = await ok(service, 'getMembersBySid', 'n', 's1');
    assert.strictEqual(expected.length, 1000);
    // Different uids with the same text are different members.
    const texts = (list) => [...new Set(list)].sort();
    assert.deepStrictEqual(texts(found), texts(expected));
    assert.ok(found.length >= 1000, `${found.length}`);
    assert.ok(found.includes('\ufffd\u0000\ufffd'));
    const [{ name, count }] = await channels(service);
    assert.deepStrictEqual([name, count], ['n', 1000]);
  });

  ours('a stop in the midst of pages answers each once, and the store is free', async () => {
    const service = await started(ctx.store, { commandTimeout: 20 });
    const members = numbered('u', 20000);
    const filler = await started(ctx.store);
    await ok(filler, 'add', 'n', members, 's1');
    await ok(filler, 'add', numbered('room', 500), 'u', 's2');
    await call(filler, 'stop', true);
    // Some are overdue, so that nothing waits for their steps any more.
    const asked = [];
    for (let i = 0; i < 40; i += 1) {
      asked.push(invoke(service, 'scanMembers', 'n', 's1', { limit: 10000 }));
      asked.push(invoke(service, 'getChannels', { match: 'none*' }));
    }
    await asked[0].done;
    await call(service, 'stop', true);
    const codes = new Set();
    for (const record of asked) {
      assert.strictEqual(record.n, 1);
      if (record.err) codes.add(record.err.code);
      else assert.ok(record.value.members || record.value.channels);
    }
    codes.delete('ERR_GLOBAL_CHANNEL_TIMEOUT');
    codes.delete('ERR_GLOBAL_CHANNEL_STOPPED');
    assert.deepStrictEqual([...codes], []);
    const again = await started(ctx.store);
    assert.strictEqual(await ok(again, 'getCountBySid', 'n', 's1'), 20000);
  });

  ours.redis(
    'keys that are no sets are no channels; a list of another type is an error',
    async () => {
      const service = await started(ctx.store);
      await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:text:s1', 'x');
      await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:n:s1', 'x');
      await ok(service, 'add', 'n', 'u', 's2');
      assert.deepStrictEqual(await channels(service), [{ name: 'n', count: 1 }]);
      const { err } = await call(service, 'scanMembers', 'n', 's1');
      assert.match(err.message, /^WRONGTYPE /);
    },
  );

  ours.redis(
    'with another server in its place a scan begins anew, and nothing is missed',
    async () => {
      const service = await started(ctx.store, { cache: false });
      const members = numbered('u', 2000);
      const rooms = numbered('room', 300);
      const fill = async () => {
        await ok(service, 'add', 'n', members, 's1');
        await ok(service, 'add', rooms, 'u', 's2');
      };
      await fill();
      const replaced = async (page) => {
        if (page !== 2) return;
        await ctx.redis.restart();
        await fill();
      };
      const found = new Set(await scanned(service, 'n', 's1', { limit: 100 }, replaced));
      assert.deepStrictEqual(
        members.filter((uid) => !found.has(uid)),
        [],
      );
      const met = names(await channels(service, { limit: 30 }, replaced));
      assert.deepStrictEqual(met, ['n', ...rooms].sort());
    },
  );
});
