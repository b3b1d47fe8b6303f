'use strict';

/**
 * Contract rows C12 and C18 for objects: one with a text of its own (MongoDB's ObjectId, a Long, a boxed string) is an
 * id, as in 0.0.7; one without is refused by name, and so is one whose toString fails. For every argument that is an
 * id.
 */

const assert = require('node:assert');
const vm = require('vm');
const { createApp, pushed } = require('../support/app');
const { call, ok, methodsWith } = require('../support/call');
const { startedWith } = require('../support/manager');
const { started } = require('../support/service');
const { stores, same, ours } = require('../support/rows');

const CODE = 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';
const HEX = '5f2b18a0c9e77c0a4c8b4567';

/** As in MongoDB's driver: the bytes are hidden, and the text is made of them. */
class ObjectId {
  #bytes;

  constructor(hex) {
    this.#bytes = Buffer.from(hex, 'hex');
  }

  toString() {
    return this.#bytes.toString('hex');
  }
}

class Long {
  constructor(low, high) {
    Object.assign(this, { low, high });
  }

  toString() {
    return String((BigInt(this.high) << 32n) + BigInt(this.low));
  }
}

const elsewhere = (code) => vm.runInNewContext(code);
const bare = () =>
  Object.assign(Object.create(null), { toString: () => 'of an object without prototype' });

/** Objects that are ids, with their texts. */
const IDS = {
  'an ObjectId': [() => new ObjectId(HEX), HEX],
  'a Long': [() => new Long(5, 1), '4294967301'],
  'a boxed string': [() => Object('boxed'), 'boxed'],
  'a boxed number': [() => Object(7), '7'],
  'a boxed string of another realm': [() => elsewhere('new String("far")'), 'far'],
  'an object of another realm': [() => elsewhere('({ toString: () => "far too" })'), 'far too'],
  'an instance of a class of another realm': [
    () => elsewhere('new (class { toString() { return "from afar"; } })()'),
    'from afar',
  ],
  'an object without prototype': [bare, 'of an object without prototype'],
  'an object with Symbol.toPrimitive': [
    () => ({ [Symbol.toPrimitive]: (hint) => `as a ${hint}` }),
    'as a string',
  ],
  'a text with NUL': [() => ({ toString: () => 'a\0b' }), 'a\0b'],
};

const fails = () => {
  throw new Error('not today');
};

/** Values that are no ids, with what the error says of them. */
const WRONG = {
  'a plain object': [() => ({}), /an object;/],
  'a plain object of another realm': [() => elsewhere('({})'), /an object;/],
  'an object without prototype': [() => Object.create(null), /an object;/],
  'an instance of a class without toString': [
    () =>
      new (class Room {
        id = 1;
      })(),
    /an object;/,
  ],
  'a Map': [() => new Map(), /an object;/],
  'a promise': [() => Promise.resolve('a'), /an object;/],
  NaN: [() => NaN, /NaN;/],
  'a boxed NaN': [() => Object(NaN), /an object;/],
  'a toString that throws': [
    () => ({ toString: fails }),
    /an object whose toString threw: not today;/,
  ],
  'a toString that gives no string': [
    () => ({ toString: () => 5 }),
    /an object whose toString gives no string;/,
  ],
  'a toString that gives nothing': [
    () => ({ toString() {} }),
    /an object whose toString gives no string;/,
  ],
  'a toString that is none': [() => ({ toString: 'text' }), /an object;/],
  'a Symbol.toPrimitive that throws': [
    () => ({ [Symbol.toPrimitive]: fails }),
    /an object whose toString threw: not today;/,
  ],
  'a getter that throws': [
    () => Object.defineProperty({}, 'toString', { get: fails }),
    /an object whose toString threw: not today;/,
  ],
};

/** What the arguments are called in an error. */
const PLACES = { name: 'name', uid: 'uid', sid: 'sid', serverType: 'serverType' };

stores('C objects as ids', (ctx) => {
  for (const [title, [make, text]] of Object.entries(IDS)) {
    // 0.0.7 asks Symbol.toPrimitive for a "default".
    const row = text.startsWith('as a ') ? ours : same;
    row(`C12 C18 ${title} is stored as its text, as uid, name and sid`, async () => {
      const service = await started(ctx.store);
      await ok(service, 'add', make(), make(), make());
      assert.deepStrictEqual(await ctx.store.dump(), {
        [`POMELO:CHANNEL:${text}:${text}`]: [text],
      });
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', make(), make()), [text]);
      await ok(service, 'leave', make(), make(), make());
      assert.deepStrictEqual(await ctx.store.keys(), []);
    });
  }

  ours('C18 methods about all frontends take such names and server types', async () => {
    const app = createApp();
    const service = await started(ctx.store, {}, app);
    const name = () => new ObjectId(HEX);
    const type = { toString: () => 'connector' };
    await ok(service, 'add', HEX, 'u', 's1');
    assert.strictEqual(await ok(service, 'getCountBySid', name(), 's1'), 1);
    assert.deepStrictEqual(await ok(service, 'getMembersByChannelName', type, name()), ['u']);
    assert.deepStrictEqual(await ok(service, 'pushMessage', type, 'r', {}, name(), {}), []);
    assert.deepStrictEqual(pushed(app), [['s1', ['u']]]);
    await ok(service, 'destroyChannel', name());
    assert.deepStrictEqual(await ctx.store.keys(), []);
  });

  // Long arrays are read by other code than short ones.
  for (const length of [3, 1000]) {
    same(`C13 an array of ${length} objects is a bulk add, a bulk leave`, async () => {
      const service = await started(ctx.store);
      const uids = () =>
        Array.from({ length }, (_, i) => (i % 2 ? new Long(i, 0) : Object(`u${i}`)));
      const texts = uids().map(String).sort();
      await ok(service, 'add', 'n', uids(), 's1');
      assert.deepStrictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).sort(), texts);
      await ok(service, 'leave', 'n', uids(), 's1');
      assert.deepStrictEqual(await ctx.store.keys(), []);
    });

    ours(
      `C13 in an array of ${length} the error says which uid is none; none is added`,
      async () => {
        const service = await started(ctx.store);
        for (const [title, [make, words]] of Object.entries(WRONG)) {
          const uids = Array.from({ length }, (_, i) => new Long(i, 0));
          uids[2] = make();
          const { err, sync } = await call(service, 'add', 'n', uids, 's1');
          assert.deepStrictEqual([err?.code, sync], [CODE, true], title);
          assert.match(err.message, /^argument uid\[2\] is /, title);
          assert.match(err.message, words, title);
        }
        assert.deepStrictEqual(await ctx.store.keys(), []);
      },
    );
  }

  for (const [title, [make, words]] of Object.entries(WRONG)) {
    ours(`C12 C18 ${title} is refused by the name of the argument, in every place`, async () => {
      const service = await started(ctx.store);
      for (const [place, shown] of Object.entries(PLACES)) {
        const value = make();
        for (const [method, args] of Object.entries(methodsWith({ [place]: value }))) {
          if (!args.includes(value)) continue;
          const { err, sync } = await call(service, method, ...args);
          assert.deepStrictEqual([err?.code, sync], [CODE, true], `${method} ${place}`);
          assert.match(
            err.message,
            new RegExp(`^argument (channelN|n)?${shown.replace(/^n/, '')}`),
          );
          assert.match(err.message, words);
        }
      }
      assert.deepStrictEqual(await ctx.store.keys(), []);
    });
  }

  ours('C18 arrays are no sids, and not in arrays', async () => {
    const service = await started(ctx.store);
    for (const args of [
      [[['n']], 'u', 's1'],
      ['n', 'u', ['s1']],
      ['n', [['u']], 's1'],
    ]) {
      const { err } = await call(service, 'add', ...args);
      assert.strictEqual(err?.code, CODE);
    }
  });

  ours('C18 a Buffer as a name or sid is its text, any other typed array is refused', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', Buffer.from('ü'), 'u', Buffer.from('s1'));
    assert.deepStrictEqual(await ctx.store.keys(), ['POMELO:CHANNEL:ü:s1']);
    for (const wrong of [
      new Uint8Array([110]),
      new Float64Array(1),
      new DataView(new ArrayBuffer(1)),
    ]) {
      const { err } = await call(service, 'add', wrong, 'u', 's1');
      assert.strictEqual(err?.code, CODE);
    }
  });

  ours('C12 toString is called once, and may call the service', async () => {
    const service = await started(ctx.store);
    let calls = 0;
    const once = (text) => ({
      toString() {
        calls += 1;
        service.add('n', `inner-${text}`, 's1');
        return text;
      },
    });
    await ok(service, 'add', once('n'), once('u'), once('s1'));
    assert.strictEqual(calls, 3);
    const members = await ok(service, 'getMembersBySid', 'n', 's1');
    assert.deepStrictEqual(members.sort(), ['inner-n', 'inner-s1', 'inner-u', 'u']);
  });

  ours('C12 a toString that stops the service: the call is refused, once', async () => {
    const service = await started(ctx.store);
    const stops = { toString: () => (service.stop(true), 'n') };
    const record = await call(service, 'add', stops, 'u', 's1');
    assert.strictEqual(record.err?.code, 'ERR_GLOBAL_CHANNEL_INVALID_STATE');
    assert.strictEqual(record.n, 1);
  });

  ours('G02 a custom manager gets the objects themselves', async () => {
    const given = [];
    const manager = { add: (...args) => (given.push(args.slice(0, 3)), args[3](null)) };
    const service = await startedWith(manager);
    const args = [new ObjectId(HEX), new ObjectId(HEX), new ObjectId(HEX)];
    await ok(service, 'add', ...args);
    args.forEach((arg, i) => assert.strictEqual(given[0][i], arg));
  });
});
