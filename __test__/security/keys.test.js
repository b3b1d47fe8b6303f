'use strict';

/**
 * Keys stay under their prefix, whatever names and ids contain, and `clean` removes what is under its prefix and nothing else.
 * That `a` on `b:c` is `a:b` on `c` is the key layout of 0.0.7, and kept.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { call, ok } = require('../support/call');
const { stores, ours } = require('../support/rows');
const { started } = require('../support/service');

const NASTY = [
  '',
  ':',
  '::',
  '*',
  '?',
  '[a-z]',
  '\\',
  '\\*',
  '^',
  '\0',
  '\r\n',
  '..',
  '/',
  '../..',
  '{',
  '}',
];
NASTY.push(
  '\n*1\r\n$8\r\nFLUSHALL\r\n',
  '\ud800',
  '\uffff',
  'POMELO:CHANNEL',
  '%s',
  '"',
  "'",
  '\x7f',
);

const text = fc.oneof(
  fc.constantFrom(...NASTY),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('a', ':', '*', '[', ']', '\\', '?', '\0'), maxLength: 6 }),
);
/** As UTF-8 has it. */
const stored = (given) => Buffer.from(given).toString();

stores('Keys', (ctx) => {
  ours('stay under their prefix, and clean removes those and no others', async () => {
    const prefixes = fc.oneof(text, fc.constant('P')).map((given) => `P${given}`);
    const places = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(prefixes, places, async (prefix, list) => {
        await ctx.store.empty();
        // Neighbours: a longer one, a shorter one, what a pattern might take for ours.
        const others = [`${prefix}x`, prefix.slice(0, -1) || 'O', 'Q', prefix.replace(/[^:]/, 'Z')]
          .map(stored)
          .filter((each) => each && !`${each}:`.startsWith(`${stored(prefix)}:`));
        const services = await Promise.all(
          [prefix, ...others].map((each) => started(ctx.store, { prefix: each })),
        );
        const [service, ...neighbours] = services;
        await Promise.all(neighbours.map((each) => ok(each, 'add', 'n', 'other', 's')));
        const before = await ctx.store.dump();
        await Promise.all(
          list.map(([name, sid]) => ok(service, 'add', name, `${name} ${sid}`, sid)),
        );

        const expected = { ...before };
        for (const [name, sid] of list) {
          const key = stored(`${prefix}:`) + stored(name) + stored(`:${sid}`);
          expected[key] = [...new Set([...(expected[key] || []), stored(`${name} ${sid}`)])].sort();
        }
        const sorted = (dump) =>
          Object.entries(dump)
            .map(([key, uids]) => [key, uids.sort()])
            .sort();
        assert.deepStrictEqual(sorted(await ctx.store.dump()), sorted(expected));
        assert.ok(
          Object.keys(expected).every(
            (key) => key in before || key.startsWith(stored(`${prefix}:`)),
          ),
        );

        await ok(service, 'clean');
        // What a neighbour has under our prefix is ours by the layout.
        assert.deepStrictEqual(sorted(await ctx.store.dump()), sorted(before));
        await Promise.all(services.map((each) => call(each, 'stop', true)));
      }),
      { numRuns: 25 },
    );
  });

  ours('are different for different names and ids without a colon', async () => {
    const plain = text.map((given) => stored(given).replace(/:/g, ''));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(plain, plain), { maxLength: 10, selector: String }),
        async (list) => {
          await ctx.store.empty();
          const service = await started(ctx.store);
          await Promise.all(list.map(([name, sid]) => ok(service, 'add', name, 'u', sid)));
          const unique = new Set(list.map((each) => JSON.stringify(each)));
          assert.strictEqual((await ctx.store.keys()).length, unique.size);
          await call(service, 'stop', true);
        },
      ),
      { numRuns: 15 },
    );
  });

  ours('a on b:c is a:b on c, as in 0.0.7', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'a', 'u', 'b:c');
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'a:b', 'c'), ['u']);
  });
});
