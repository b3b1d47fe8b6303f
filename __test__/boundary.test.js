'use strict';

/**
 * The boundary between JavaScript and Rust: many calls at a time, strings of every length, arrays that are not
 * shared. Values arrive unchanged and in order, however they were packed.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { createApp } = require('./support/app');
const { call, ok, settled } = require('./support/call');
const { started } = require('./support/service');
const { stores, ours } = require('./support/rows');

/** One for each length of UTF-8, and two halves of a pair. */
const CHARS = ['a', 'ü', '漢', '🎮', '\ud83c', '\udfae'];

/** Some answers at once, some later. */
class Memory {
  add(name, uid, sid, cb) {
    setImmediate(cb, null);
  }
  leave(name, uid, sid, cb) {
    cb(null);
  }
  getMembersBySid(name, sid, cb) {
    cb(null, ['u']);
  }
  destroyChannel(name, cb) {
    cb(null);
  }
}

stores('boundary', (ctx) => {
  ours('strings of every length and kind arrive whole, alone and after others', async () => {
    const service = await started(ctx.store);
    const char = fc.constantFrom(...CHARS);
    // A character has up to four bytes, and five more follow.
    const max = Math.min(600, (ctx.store.room >> 2) - 5);
    const text = fc.tuple(char, fc.integer({ min: 0, max }), fc.array(char, { maxLength: 5 }));
    const texts = fc.array(
      text.map(([c, n, rest]) => c.repeat(n) + rest.join('')),
      { minLength: 1, maxLength: 20 },
    );
    let round = 0;
    await fc.assert(
      fc.asyncProperty(texts, async (uids) => {
        const name = `${uids[0]}${(round += 1)}`;
        for (const uid of uids) service.add(name, uid, 's1');
        const members = await ok(service, 'getMembersBySid', name, 's1');
        const expected = uids.map((uid) => Buffer.from(uid).toString());
        assert.deepStrictEqual(new Set(members), new Set(expected));
      }),
      { numRuns: 100 },
    );
  });

  ours(
    'thousands of calls at a time, over and over: each callback once, in call order',
    async () => {
      const service = await started(ctx.store);
      const answered = [];
      let made = 0;
      const make = (again) => {
        const i = made;
        made += 1;
        service.add('n', i, 's1', (err) => {
          assert.strictEqual(err, null);
          answered.push(i);
          // So that old and new calls wait side by side.
          if (again > 0) make(again - 1);
        });
      };
      for (const count of [1, 127, 128, 129, 1023, 1025, 5000]) {
        for (let i = 0; i < count; i += 1) make(i % 3);
        if (count % 2) await new Promise(setImmediate);
      }
      for (let i = 0; i < 100 && answered.length < made; i += 1) await settled(service);
      assert.deepStrictEqual(answered, [...Array(made).keys()]);
      assert.strictEqual(service.stats().commands.add, made);
      assert.strictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).length, made);
    },
  );

  /** Each call makes none, one or many more in its callback; which, a seeded generator says. */
  async function cascade(service, seed) {
    const ops = ['add', 'leave', 'getMembersBySid', 'getMembersByChannelName'];
    const args = { getMembersBySid: ['s1'], getMembersByChannelName: [] };
    let state = seed;
    const below = (n) => {
      state = (state * 1103515245 + 12345) & 0x7fffffff;
      return (state >> 8) % n;
    };
    const answered = [];
    let made = 0;
    const make = () => {
      if (made === 12000) return;
      const i = made;
      made += 1;
      const op = ops[below(4)];
      const head = op === 'getMembersByChannelName' ? ['connector', 'n'] : ['n'];
      // Lists that stay short, for this is about the calls.
      service[op](...head, ...(args[op] || [i % 100, 's1']), (err, list) => {
        answered.push(err || Array.isArray(list) !== Boolean(args[op]) ? `${op} ${err}` : i);
        for (let more = below(10) ? below(2) : below(900); more > 0; more -= 1) make();
      });
    };
    for (let i = 0; i < 600; i += 1) make();
    for (let i = 0; i < 400 && answered.length < made; i += 1) await settled(service);
    assert.deepStrictEqual(answered, [...Array(made).keys()], `seed ${seed}`);
  }

  for (const [title, opts] of [
    ['the store', {}],
    ['a custom manager', { channelManager: Memory }],
  ]) {
    ours(`callbacks that make more calls than are answered: none is lost (${title})`, async () => {
      for (const seed of [1, 2, 3, 4, 5]) {
        await cascade(await started(ctx.store, { commandTimeout: 0, ...opts }), seed);
      }
    });
  }

  ours('a list given to a callback may be changed: no other callback sees it', async () => {
    const rpc = (sid, msg, cb) => {
      const uids = msg.args[2];
      setImmediate(cb, null, [...uids]);
      uids.length = 0;
      uids.push('spoilt');
    };
    for (const cache of [true, false]) {
      const service = await started(ctx.store, { cache }, createApp({ rpc }));
      for (const sid of ['s1', 's2']) await ok(service, 'add', `n${cache}`, ['a', 'b'], sid);
      for (let round = 0; round < 3; round += 1) {
        const reads = [];
        for (let i = 0; i < 10; i += 1) {
          reads.push(
            call(service, 'getMembersBySid', `n${cache}`, 's1'),
            call(service, 'getMembersByChannelName', 'connector', `n${cache}`),
            call(service, 'pushMessage', 'connector', 'r', {}, `n${cache}`, {}),
          );
        }
        for (const [i, read] of reads.entries()) {
          const { err, value } = await read;
          assert.strictEqual(err, null);
          const expected = i % 3 === 0 ? ['a', 'b'] : ['a', 'a', 'b', 'b'];
          assert.deepStrictEqual(value.sort(), expected);
          value.length = 0;
          value.push('spoilt');
        }
      }
    }
  });

  ours('a getter of an argument that calls the service: both calls are executed', async () => {
    const service = await started(ctx.store);
    const uids = ['outer'];
    Object.defineProperty(uids, 0, {
      get() {
        service.add('n', 'inner', 's1');
        return 'outer';
      },
    });
    await ok(service, 'add', 'n', uids, 's1');
    const members = await ok(service, 'getMembersBySid', 'n', 's1');
    assert.deepStrictEqual(members.sort(), ['inner', 'outer']);
  });

  ours('a refused call does not affect the next one', async () => {
    const service = await started(ctx.store);
    service.add('n', 'before', 's1');
    const refused = [
      call(service, 'add', 'n', {}, 's1'),
      call(service, 'add', 'n', 'u', {}),
      call(service, 'leave', {}, 'u', 's1'),
      call(service, 'getMembersBySid', 'n', null),
      call(service, 'pushMessage', 'connector', 'r', {}, Symbol('n'), {}),
    ];
    service.add('n', 'after', 's1');
    for (const record of await Promise.all(refused)) {
      assert.strictEqual(record.err.code, 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT');
      assert.strictEqual(record.sync, true);
    }
    const members = await ok(service, 'getMembersBySid', 'n', 's1');
    assert.deepStrictEqual(members.sort(), ['after', 'before']);
    assert.deepStrictEqual(await ctx.store.keys(), ['POMELO:CHANNEL:n:s1']);
  });
});
