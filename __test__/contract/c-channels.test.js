'use strict';

/**
 * getChannels: all channels of a prefix with their counts, page by page, from every store; globs. What it has in common with
 * scanMembers is in c-pages.test.js.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { ok } = require('../support/call');
const { pages, channels } = require('../support/pages');
const { started } = require('../support/service');
const { stores, ours } = require('../support/rows');

const numbered = (prefix, count) => Array.from({ length: count }, (_, i) => `${prefix}${i}`);
const names = (found) => found.map(({ name }) => name).sort();
const counts = (found) => Object.fromEntries(found.map(({ name, count }) => [name, count]));

stores('C channels', (ctx) => {
  ours('getChannels: each channel once, with its members on all frontends', async () => {
    const service = await started(ctx.store);
    const expected = {};
    const adding = numbered('room-', 300).map((name, i) => {
      const sids = [['s1'], ['s1', 's2'], ['s2', 's3', 'gone']][i % 3];
      expected[name] = 2 * sids.length;
      return Promise.all(sids.map((sid) => ok(service, 'add', name, ['a', 'b'], sid)));
    });
    await Promise.all(adding);
    const all = await pages(service, 'getChannels', [], { limit: 40 });
    const found = all.flatMap((page) => page.channels);
    assert.deepStrictEqual(counts(found), expected);
    assert.strictEqual(found.length, 300, 'each once');
    assert.ok(all.length > 2, `${all.length} pages`);
    for (const page of all) assert.deepStrictEqual(Object.keys(page), ['channels', 'cursor']);
    assert.strictEqual(service.stats().commands.getChannels, all.length);
    const whole = await service.promises.getChannels();
    assert.ok(whole.channels.length >= 100);
    // Left channels are not there.
    await ok(service, 'destroyChannel', numbered('room-', 298));
    assert.deepStrictEqual(await channels(service, { match: 'room-299' }), [
      { name: 'room-299', count: 6 },
    ]);
  });

  ours(
    'getChannels: a frontend that no call has named is counted too, if it is found',
    async () => {
      const writer = await started(ctx.store);
      await ok(writer, 'add', 'n', ['a', 'b'], 'of-another-process');
      const reader = await started(ctx.store);
      assert.deepStrictEqual(await channels(reader), [{ name: 'n', count: 2 }]);
    },
  );

  ours('getChannels: the first page counts on the frontends of the index', async () => {
    const writer = await started(ctx.store);
    const sids = numbered('far-', 20);
    for (const sid of sids) await ok(writer, 'add', numbered('room-', 30), 'u', sid);
    const reader = await started(ctx.store);
    const { channels: first } = await ok(reader, 'getChannels', { limit: 1 });
    for (const { name, count } of first) assert.strictEqual(count, 20, name);
    const all = counts(await channels(reader, { limit: 1 }));
    assert.deepStrictEqual(new Set(Object.values(all)), new Set([20]));
    assert.strictEqual(Object.keys(all).length, 30);
  });

  ours('getChannels: of this prefix only, with names as they are', async () => {
    const service = await started(ctx.store);
    const own = ['', 'a', 'a:b', 'ü 🎮', '*', 'a\\b', '[x]', '__proto__', '{t}', '"', '\n'];
    for (const name of own) await ok(service, 'add', name, 'u', 's1');
    for (const prefix of ['POMELO', 'POMELO:CHANNELS', 'POMELO:CHANNEL*', 'POMELO?CHANNEL']) {
      const other = await started(ctx.store, { prefix });
      await ok(other, 'add', `of ${prefix}`, 'u', 's1');
      const found = names(await channels(other));
      assert.ok(found.includes(`of ${prefix}`));
      // `POMELO:CHANNEL:…` is under `POMELO:` too.
      if (prefix !== 'POMELO') assert.strictEqual(found.length, 1);
    }
    assert.deepStrictEqual(names(await channels(service)), own.slice().sort());
  });

  ours('getChannels: match is a glob on the name, and on nothing else', async () => {
    const service = await started(ctx.store);
    for (const name of ['a', 'a:b', 'ab', 'b', '[', 'a*'])
      await ok(service, 'add', name, 'u', 's1');
    for (const [match, expected] of [
      ['a', ['a']],
      ['a*', ['a', 'a*', 'a:b', 'ab']],
      ['?', ['[', 'a', 'b']],
      ['[ab]', ['a', 'b']],
      ['[^a]', ['[', 'b']],
      ['a\\*', ['a*']],
      ['\\[', ['[']],
      ['*b', ['a:b', 'ab', 'b']],
      ['s1', []],
      ['', []],
      ['*:s1', []],
      // Not closed: what is appended to it for the store must not be a part of it.
      ['[ab', ['a', 'b']],
      ['a\\', []],
    ]) {
      assert.deepStrictEqual(names(await channels(service, { match })), expected, match);
    }
  });

  ours(
    'channels that are there all the time come, while others come and go',
    async () => {
      const service = await started(ctx.store);
      const other = await started(ctx.store);
      const sid = fc.constantFrom('s1', 's2', 's3', 'gone');
      const step = fc.array(fc.tuple(fc.boolean(), fc.nat(60), sid), {
        maxLength: 40,
        size: 'max',
      });
      const property = fc.asyncProperty(
        fc.array(sid, { minLength: 1, maxLength: 60, size: 'max' }),
        fc.array(step, { minLength: 1, maxLength: 5 }),
        async (stay, steps) => {
          await ok(service, 'clean');
          await Promise.all(stay.map((sid, i) => ok(service, 'add', `stay${i}`, 'u', sid)));
          // The channels that stay have members on other frontends too, for a while.
          const change = ([adds, i, sid]) =>
            ok(other, adds ? 'add' : 'leave', `${i % 2 ? 'stay' : 'guest'}${i}`, 'guest', sid);
          await Promise.all(steps[0].map(change));
          const found = await channels(service, { limit: 1 }, (page) =>
            Promise.all(steps[page % steps.length].map(change)),
          );
          const met = new Set(names(found));
          const missed = stay.map((_, i) => `stay${i}`).filter((name) => !met.has(name));
          assert.deepStrictEqual(missed, []);
          assert.strictEqual(met.size, found.length, 'each once');
        },
      );
      await fc.assert(property, { numRuns: 15 });
    },
    { timeout: 120000 },
  );

  ours.redis('names and server ids that are not UTF-8 are channels too', async () => {
    const service = await started(ctx.store);
    const key = (name, sid) =>
      Buffer.concat([Buffer.from('POMELO:CHANNEL:'), name, Buffer.from(':'), sid]);
    const odd = Array.from({ length: 128 }, (_, i) => Buffer.from([0x80 + i, 0xff]));
    for (const name of odd) {
      await ctx.redis.run(0, 'sadd', key(name, Buffer.from('s1')), 'u');
      await ctx.redis.run(0, 'sadd', key(name, Buffer.from([0xfe])), 'v');
    }
    await ok(service, 'add', numbered('room-', 100), 'u', 's1');
    const found = await channels(service, { limit: 9 });
    const own = found.filter(({ name }) => name.startsWith('\ufffd'));
    assert.strictEqual(found.length, 228);
    assert.strictEqual(own.length, 128);
    assert.ok(own.every(({ count }) => count === 2));
    const matching = await channels(service, { match: 'room-*', limit: 9 });
    assert.strictEqual(matching.length, 100);
  });

  ours.redis('getChannels: with hash tags in the keys', async () => {
    const tagged = await started(ctx.store, { hashTag: true, prefix: 'tagged' });
    await ok(tagged, 'add', 'a}:b', 'u', 's1');
    await ok(tagged, 'add', 'a}:b', 'u', 's2');
    assert.deepStrictEqual(await channels(tagged), [{ name: 'a}:b', count: 2 }]);
    assert.deepStrictEqual(await channels(tagged, { match: 'a?:*' }), [{ name: 'a}:b', count: 2 }]);
  });

  ours.redis('getChannels sends SCAN and SCARD in bounded steps, and no KEYS', async () => {
    const service = await started(ctx.store, { cache: false });
    await ok(service, 'add', numbered('room', 50), 'u', 's1');
    for (let i = 0; i < 30; i += 1) {
      const keys = numbered(`other${i}:`, 1000).flatMap((key) => [key, 'x']);
      await ctx.redis.run(0, 'mset', ...keys);
    }
    const monitor = await ctx.redis.monitor();
    const page = await ok(service, 'getChannels', { match: 'nothing*' });
    // Without heartbeats and the question for the server's role, which are sent from time to time.
    const isRegular = ([, name, key]) =>
      ['HELLO', 'INFO', 'ROLE'].includes(name) || String(key).endsWith('\0probe');
    const sent = (await monitor.commands()).filter((command) => !isRegular(command));
    assert.ok(page.cursor !== null && page.channels.length === 0, 'it has not looked at all keys');
    assert.ok(sent.length <= 16, `${sent.length} commands`);
    for (const [, name, , match, , count, width] of sent) {
      assert.deepStrictEqual([name, match, count], ['SCAN', 'MATCH', 'COUNT']);
      assert.ok(Number(width) <= 1000);
    }
    assert.strictEqual((await channels(service)).length, 50);
  });

  ours.redis(
    'globs match as those of Redis do',
    async () => {
      const service = await started(ctx.store);
      const chars = ['a', 'b', 'c', '*', '?', '[', ']', '^', '-', '\\', ':'];
      // In ranges of bytes that are not ASCII a server on ARM differs from one on x86, as which we match.
      const char = fc.constantFrom(...chars, ...(process.arch === 'x64' ? ['ü'] : []));
      const text = fc.array(char, { maxLength: 6 }).map((chars) => chars.join(''));
      const property = fc.asyncProperty(
        // Redis compares an empty name with `*` alone.
        fc.uniqueArray(text.filter(Boolean), { minLength: 1, maxLength: 12 }),
        fc.array(text, { minLength: 1, maxLength: 6 }),
        async (given, patterns) => {
          await ctx.redis.flush();
          await ok(service, 'add', given, 'u', 's1');
          for (const name of given) await ctx.redis.run(1, 'set', name, 'x');
          for (const match of patterns) {
            const expected = (await ctx.redis.run(1, 'keys', match)).map(String).sort();
            assert.deepStrictEqual(names(await channels(service, { match })), expected, match);
          }
        },
      );
      await fc.assert(property, { numRuns: 60 });
    },
    { timeout: 120000 },
  );
});
