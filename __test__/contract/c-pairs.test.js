'use strict';

/**
 * What addMany and leaveMany read of their `{uid, sid}`, and add and leave of a long array of uids: plain users are joined to one
 * text (lib/pairs.js, lib/uids.js), any others are read one by one, and both must write the same. What they answer is in
 * c-changed.test.js.
 */

const assert = require('node:assert');
const { call, ok } = require('../support/call');
const { stores, ours } = require('../support/rows');
const { started } = require('../support/service');

const at = (uid, sid) => ({ uid, sid });

/** Users who are joined, and one more who makes that impossible, or nothing. */
const OTHERS = {
  nothing: [],
  'a Buffer': [at(Buffer.from('buffer'), 's1')],
  'a bigint': [at(7n, 's2')],
  'an empty uid': [at('', 's1')],
  'a uid with a NUL': [at('a\0b', 's2')],
  'a uid of two NULs': [at('\0\0', 's1')],
  'a uid that looks like two frontends': [at('a\0\0b', 's2'), at('c', 's2')],
  'a long uid': [at('ü'.repeat(200), 's3')],
  'a server id with a NUL': [at('u', 's\x001')],
};

stores('C users of several frontends', (ctx) => {
  for (const [title, others] of Object.entries(OTHERS)) {
    ours(`users of interleaved frontends, and ${title}, are all written`, async () => {
      const service = await started(ctx.store);
      const text = (id) => (Buffer.isBuffer(id) ? id.toString() : String(id));
      const members = [
        ...Array.from({ length: 300 }, (_, i) => at(i % 2 ? `ü${i}` : i, `s${i % 3}`)),
        at('yes', true),
        at({ toString: () => 'object' }, { toString: () => 's1' }),
        at('same', 's1'),
        at('same', 's1'),
        at('s1', 's2'),
        at(' \n', 's2'),
        ...others,
      ];
      const expected = new Map();
      for (const { uid, sid } of members) {
        const uids = expected.get(text(sid)) || new Set();
        expected.set(text(sid), uids.add(text(uid)));
      }
      const count = [...expected.values()].reduce((sum, uids) => sum + uids.size, 0);
      assert.strictEqual(await ok(service, 'addMany', 'n', members), count);
      for (const [sid, uids] of expected) {
        const list = await ok(service, 'getMembersBySid', 'n', sid);
        assert.deepStrictEqual(list.sort(), [...uids].sort(), sid);
      }
      assert.strictEqual(await ok(service, 'leaveMany', 'n', members), count);
    });
  }

  for (const other of ['u', 'u\0', Buffer.from('u')]) {
    ours(`each property is read once, beside ${JSON.stringify(other)}`, async () => {
      const service = await started(ctx.store);
      const reads = [];
      const pair = (i, uid) => ({
        get uid() {
          reads.push(`uid ${i}`);
          return uid;
        },
        get sid() {
          reads.push(`sid ${i}`);
          return { toString: () => `s${reads.push(`text ${i}`)}`.slice(0, 1) };
        },
      });
      await ok(service, 'addMany', 'n', [pair(0, 'u0'), pair(1, other), pair(2, 'u2')]);
      const expected = [0, 1, 2].flatMap((i) => [`uid ${i}`, `sid ${i}`, `text ${i}`]);
      assert.deepStrictEqual(reads, expected);
      assert.strictEqual((await ok(service, 'getMembersBySid', 'n', 's')).length, 3);
    });
  }

  ours('the error is about the first that is not accepted', async () => {
    const service = await started(ctx.store);
    for (const [members, argument] of [
      [[at('', 's'), at('u', 's'), at(null, 's'), null], 'members[2].uid is null'],
      [[at('u', 's'), 'text', at(null, 's')], 'members[1] is '],
      [[at('u', NaN), at(NaN, 's')], 'members[0].sid is NaN'],
      [[at(Symbol('u'), 's')], 'members[0].uid is a symbol'],
      [[at('a\0b', 's'), at('u', 't'), at('v', 's'), at(null, 't')], 'members[3].uid is null'],
      [[at(1, 's'), at('u', 't'), at(true, 's'), undefined, null], 'members[3] is undefined'],
    ]) {
      const { err } = await call(service, 'addMany', 'n', members);
      assert.ok(err.message.startsWith(`argument ${argument}`), err.message);
    }
  });

  for (const other of ['u', '', 'a\0b', '\0', Buffer.from('buffer'), 7n, true]) {
    ours(`a long array of uids with ${typeof other} ${JSON.stringify(String(other))}`, async () => {
      const service = await started(ctx.store);
      let reads = 0;
      const uids = Array.from({ length: 300 }, (_, i) => (i % 2 ? `ü${i}` : i));
      uids.push(other, { toString: () => `object ${(reads += 1)}` });
      const expected = [...uids.slice(0, -1).map(String), 'object 1'];
      await ok(service, 'add', 'n', uids, 's1');
      const list = await ok(service, 'getMembersBySid', 'n', 's1');
      assert.deepStrictEqual(list.sort(), expected.sort());
      const { err } = await call(service, 'add', 'n', [...uids, null], 's1');
      assert.ok(err.message.startsWith('argument uid[302] is null'), err.message);
    });
  }
});
