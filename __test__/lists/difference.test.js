'use strict';

/**
 * The difference between two lists of uids: it makes the one of the other, and names no uid that is in both. Its two ways
 * are met in the other files here only by chance: walking along lists of a store, and sets.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const fc = require('fast-check');
const { difference } = require('../../lib/lists/difference');
const { ours } = require('../support/rows');

const edit = fc.record({
  kind: fc.constantFrom('remove', 'add', 'move', 'cut', 'turn'),
  at: fc.nat(),
  to: fc.nat(),
});

/** A list and what some edits make of it. */
const pair = fc
  .tuple(fc.integer({ min: 1, max: 200 }), fc.array(edit, { maxLength: 12 }))
  .map(([length, edits]) => {
    const before = Array.from({ length }, (_, i) => `u${i}`);
    let after = [...before];
    edits.forEach(({ kind, at, to }, i) => {
      const from = at % (after.length || 1);
      const place = to % (after.length + 1);
      if (kind === 'remove') after.splice(from, 1);
      else if (kind === 'add') after.splice(place, 0, `new-${i}`);
      else if (kind === 'move') after.splice(place, 0, ...after.splice(from, 1));
      else if (kind === 'cut') after.splice(from, to % 10);
      else after = [...after.slice(from), ...after.slice(0, from)];
    });
    return [before, after];
  });

describe('The difference between two lists', () => {
  for (const isUnique of [true, false]) {
    ours(`removed and added are what sets say, isUnique: ${isUnique}`, () => {
      let found = 0;
      const property = fc.property(pair, ([before, after]) => {
        const change = difference(before, after, isUnique);
        const [old, now] = [new Set(before), new Set(after)];
        const removed = before.filter((uid) => !now.has(uid));
        const added = after.filter((uid) => !old.has(uid));
        if (change === undefined) {
          assert.ok(removed.length + added.length > after.length / 2);
          return;
        }
        found += 1;
        assert.deepStrictEqual(change.removed.sort(), removed.sort());
        assert.deepStrictEqual(change.added.sort(), added.sort());
      });
      fc.assert(property, { numRuns: 3000 });
      assert.ok(found > 1000, `${found} differences`);
    });
  }

  ours('a list with a uid twice has none, where it can have one', () => {
    const long = Array.from({ length: 50 }, (_, i) => `u${i}`);
    assert.strictEqual(difference([...long, 'u1'], long, false), undefined);
    assert.strictEqual(difference(long, [...long, 'u1'], false), undefined);
  });

  ours('what a frontend makes of it is the list, though uids are there twice', () => {
    let found = 0;
    const uid = fc.integer({ min: 0, max: 9 }).map((n) => `twice-${n}`);
    const edits = fc.array(fc.record({ at: fc.nat(), uid, isNew: fc.boolean() }), { maxLength: 6 });
    const list = fc.array(uid, { minLength: 0, maxLength: 6 });
    const property = fc.property(fc.nat(40), list, edits, (length, twice, changes) => {
      const before = Array.from({ length }, (_, i) => `u${i}`);
      twice.forEach((each, i) => before.splice((i * 7) % (before.length + 1), 0, each));
      const after = [...before];
      for (const change of changes) {
        if (change.isNew) after.splice(change.at % (after.length + 1), 0, change.uid);
        else after.splice(change.at % (after.length || 1), 1);
      }
      const change = difference(before, after, true);
      if (!change) return;
      found += 1;
      const gone = new Set(change.removed);
      const made = before.filter((each) => !gone.has(each)).concat(change.added);
      assert.deepStrictEqual(made.sort(), after.sort());
    });
    fc.assert(property, { numRuns: 3000 });
    assert.ok(found > 500, `${found} differences`);
  });
});
