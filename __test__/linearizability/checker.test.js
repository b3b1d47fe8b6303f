'use strict';

/**
 * The checker itself: small histories that are wrong, each beside a correct one that differs in one thing; simulated histories,
 * which raise no alarm until one answer is made old; and a stale reader among real processes. The suite that relies on it
 * is linear.test.js.
 */

const assert = require('node:assert');
const { describe, it } = require('node:test');
const fc = require('fast-check');
const redisServer = require('../support/redis');
const { check } = require('./checker');
const { smallest } = require('./excerpt');
const { emptyHistory } = require('./log');
const { onRedis } = require('./places');
const { detected } = require('./run');
const { simulate, KEY, OWNER } = require('./simulation');

/** What the reads of a history get wrong. Operations are made by the functions below. */
function verdict(ops, options = { strict: true }) {
  const history = emptyHistory();
  const entry = history.keys.get(KEY);
  ops.forEach((apply, i) => apply(entry, i + 1, history));
  return check(history, options).violations.map(({ why }) => why);
}

const write = (kind) => (n, start, end) => (entry, seq) => {
  entry.versions[n - 1] ||= { n, add: null, leave: null };
  entry.versions[n - 1][kind] = { by: OWNER, seq, start, end };
};
const add = write('add');
const leave = write('leave');
const wipe =
  (start, end, { bornBefore = start, by = 'chaos' } = {}) =>
  (entry, seq) =>
    entry.wipes.push({ by, seq, start, end, bornBefore, what: 'DEL' });
const read =
  (start, end, versions, by = `reader ${start}`) =>
  (entry, seq) =>
    entry.reads.push({ by, seq, start, end, versions });

const asked = (start, end, n, is) => (entry, seq) =>
  entry.asked.push({ by: 'reader', seq, start, end, n, is });
const changed = (what, n, start, end, number) => (entry, seq) =>
  entry.changed.push({ by: OWNER, seq, start, end, n, what, count: number });
const count = (start, end, number) => (_, seq, history) =>
  history.counts.push({ by: 'reader', seq, start, end, count: number, keys: [KEY] });

/** `wrong` and `right` are histories; the first must be found out, by the word. */
function pair(title, word, wrong, right, options) {
  it(title, () => {
    assert.deepStrictEqual(verdict(right, options), [], 'the right one');
    const found = verdict(wrong, options);
    assert.ok(found.length > 0 && found[0].includes(word), `the wrong one: ${found}`);
  });
}

const CHANGED = [add(1, 0, 10), add(2, 20, 30), leave(1, 30, 40)];
const SLOW_ADD = [add(1, 0, 10), add(2, 20, 100)];
const SLOW_LEAVE = [add(1, 0, 10), add(2, 10, 20), leave(1, 20, 100)];

describe('a read', () => {
  const late = [...CHANGED, read(50, 60, [1, 2])];
  pair('is not stale', 'after it was removed', late, [...CHANGED, read(35, 60, [1, 2])]);
  const lost = [...CHANGED, read(50, 60, [])];
  pair('shows what is acknowledged', 'acknowledged', lost, [...CHANGED, read(50, 60, [2])]);
  const early = [read(0, 5, [1]), add(1, 10, 20)];
  pair('shows nothing early', 'before it was added', early, [read(0, 15, [1]), add(1, 10, 20)]);
  const unknown = [add(1, 0, 10), read(20, 30, [1, 7])];
  pair('shows nothing that is not there', 'never added', unknown, [...CHANGED]);
  const mixed = [add(1, 0, 10), add(2, 10, 20), leave(1, 20, 30), add(3, 30, 40), leave(2, 40, 90)];
  const torn = [...mixed, read(5, 80, [1, 3])];
  pair('shows one moment', 'version', torn, [...mixed, read(5, 80, [2, 3])]);
});

describe('a question', () => {
  const is = (start, end, n, answer) => [...CHANGED, asked(start, end, n, answer)];
  pair('is not stale', 'there', is(50, 60, 1, true), is(35, 60, 1, true));
  pair('knows what is acknowledged', 'missing', is(50, 60, 2, false), is(25, 60, 2, false));
  pair('knows nothing early', 'there', is(12, 15, 2, true), is(12, 25, 2, true));
  pair('knows nothing that is not there', 'there', is(50, 60, 7, true), is(50, 60, 7, false));
  const of = (start, end, number) => [...CHANGED, count(start, end, number)];
  pair('counts what is acknowledged', 'at least 1', of(50, 60, 0), of(50, 60, 1));
  pair('counts nothing that is removed', 'at most 1', of(50, 60, 2), of(35, 60, 2));
});

describe('what a write says that it changed', () => {
  const added = (number) => [add(1, 0, 10), changed('add', 1, 0, 10, number)];
  pair('is the new member', 'it was 1', added(0), added(1));
  const removed = (number) => [
    add(1, 0, 10),
    leave(1, 30, 40),
    changed('leave', 1, 30, 40, number),
  ];
  pair('is the member that was there', 'it was 1', removed(0), removed(1));
  const wiped = (number, end) => [wipe(20, end), ...removed(number)];
  pair('is nothing that was gone', 'it was 0', wiped(1, 25), wiped(0, 25));
  pair('is one or nothing beside another removal', 'it was 0 to 1', wiped(2, 35), wiped(1, 35));
  it('may be nothing where calls are sent again', () => {
    assert.deepStrictEqual(verdict([...added(0), ...removed(0)], { strict: false }), []);
  });
});

describe('reads do not go back', () => {
  const back = [...SLOW_ADD, read(30, 40, [1, 2]), read(50, 60, [1])];
  const both = [...SLOW_ADD, read(30, 55, [1, 2]), read(50, 60, [1])];
  pair('while a write is under way', 'another read showed it', back, both);
  const again = [...SLOW_LEAVE, read(30, 40, [2]), read(50, 60, [1, 2])];
  const overlap = [...SLOW_LEAVE, read(30, 55, [2]), read(50, 60, [1, 2])];
  pair('while a removal is under way', 'knew it gone', again, overlap);
  const same = [...SLOW_ADD, read(30, 55, [1, 2], 'r'), read(50, 60, [1], 'r')];
  pair('among calls of one process in flight together', 'not shown after', same, both);
});

describe('removals by others', () => {
  const one = [add(1, 0, 10), wipe(20, 21)];
  pair('are seen', 'removed', [...one, read(30, 40, [1])], [...one, read(15, 40, [1])]);
  pair('are not seen early', 'ack', [...one, read(12, 19, [])], [...one, read(12, 25, [])]);
  const anew = [...one, add(2, 30, 40)];
  pair(
    'do not hit what comes later',
    'ack',
    [...anew, read(50, 60, [])],
    [...anew, read(50, 60, [2])],
  );
  const expiry = [add(1, 0, 10), wipe(100, 120, { bornBefore: 20 })];
  const born = [add(1, 0, 10), add(2, 25, 30), wipe(100, 120, { bornBefore: 20 })];
  pair(
    'by expiry remove what was there when it was set',
    'removed',
    [...expiry, read(130, 140, [1])],
    [...born, read(130, 140, [2])],
  );
});

describe('own writes', () => {
  const [own, foreign] = [OWNER, 'reader'];
  const unanswered = (by) => [add(1, 10, 100), read(15, 50, [], by)];
  pair('are seen before they are answered', 'own', unanswered(own), unanswered(foreign));
  const removed = (by) => [add(1, 0, 10), leave(1, 20, 90), read(25, 50, [1], by)];
  pair('removals too', 'own process removed', removed(own), removed(foreign));
  const destroyed = (by) => [add(1, 0, 10), wipe(20, 90, { by: own }), read(25, 50, [1], by)];
  pair('destroyed channels too', 'own process removed', destroyed(own), destroyed(foreign));
  const later = [add(1, 0, 10), read(20, 90, [], own), leave(1, 21, 90)];
  const kept = [add(1, 0, 10), read(20, 90, [1], own), leave(1, 21, 90)];
  pair('called after a read are not seen by it', 'own', later, kept);
  it('except where calls are sent again', () => {
    assert.deepStrictEqual(verdict(later, { strict: false }), []);
  });
});

describe('a write that failed', () => {
  const maybe = [add(1, 0, 10), add(2, 20, Infinity)];
  const gone = [...maybe, read(30, 40, [1, 2]), read(50, 60, [1])];
  pair('may have taken effect or not, but not both', 'another read showed it', gone, [
    ...maybe,
    read(30, 40, [1]),
    read(50, 60, [1, 2]),
  ]);
});

describe('simulated histories', () => {
  const SEEDS = { numRuns: 300 };
  const seeds = fc.integer();

  for (const cuts of [false, true]) {
    it(`raise no alarm${cuts ? ', with calls that are sent again' : ''}`, () => {
      const property = fc.property(seeds, (seed) => {
        const { violations } = check(simulate(seed, { cuts }).history, { strict: !cuts });
        assert.strictEqual(violations.length, 0, violations.length > 0 && smallest(violations));
      });
      fc.assert(property, SEEDS);
    });
  }

  it('raise one when an answer is as old as the last change', () => {
    let tried = 0;
    const property = fc.property(seeds, (seed) => {
      const { history, reads, changes } = simulate(seed);
      const old = reads
        .map((read) => [read, stateBefore(read, changes)])
        .find(([, state]) => state);
      if (!old) return;
      tried += 1;
      old[0].versions = old[1];
      assert.ok(check(history, { strict: true }).violations.length > 0);
    });
    fc.assert(property, SEEDS);
    assert.ok(tried > 20, `${tried} had such an answer`);
  });

  /** What held before the last change, if that was acknowledged and no other is near. */
  function stateBefore(read, changes) {
    const last = changes.filter(({ end }) => end < read.start).sort((a, b) => b.end - a.end)[0];
    const near = ({ start, end }) => end > last.start && start < read.end;
    const alone = last && last.changed && !changes.some((each) => each !== last && near(each));
    return alone ? last.before : undefined;
  }
});

describe('a reader that answers from a copy', () => {
  it('is detected among real processes', async (t) => {
    const redis = await redisServer.start();
    try {
      // Not for the order of the answers, which such a reader gets wrong too.
      const found = ({ violations }) => violations.filter(({ entry }) => entry);
      const stale = await detected(onRedis(redis), { reads: 3000, stale: 100 }, found);
      assert.ok(stale.length > 0);
      t.diagnostic(`${stale.length} violations; the smallest:\n${smallest(stale)}`);
    } finally {
      await redis.stop();
    }
  });
});
