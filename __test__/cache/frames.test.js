'use strict';

/**
 * Random calls on the wire double while another client writes and frames arrive at random times: one by one, several in
 * a chunk, late. Own members are exact; those of the other client are as they were at some moment between a call
 * and its answer, and never go back. Fixed schedules are in reads.test.js and writes.test.js.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { Members, RUNS, SIDS, TIME, play, quiet, script } = require('./calls');
const { counted, key, onDouble } = require('./schedule');
const { pause } = require('../support/until');

const action = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      what: fc.constant('write'),
      name: fc.constantFrom('a', 'b'),
      sid: fc.constantFrom(...SIDS),
      uid: fc.constantFrom('x0', 'x1', 'x2'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('release'), count: fc.nat({ max: 4 }) }) },
  // The addon has a thread of its own, which needs some time to take in what it was sent.
  { weight: 3, arbitrary: fc.record({ what: fc.constant('pause') }) },
);

/** What B made of each key, from the beginning. */
class Others {
  constructor(double) {
    this.double = double;
    this.versions = new Map();
    // How far each key was seen, in call order.
    this.seen = new Map();
  }

  of(k) {
    if (!this.versions.has(k)) this.versions.set(k, [[]]);
    return this.versions.get(k);
  }

  /** Adds the member, or removes it if it is there. */
  write({ name, sid, uid }) {
    const versions = this.of(key(name, sid));
    const now = versions[versions.length - 1];
    const there = now.includes(uid);
    this.double.other(there ? 'SREM' : 'SADD', key(name, sid), uid);
    versions.push(there ? now.filter((each) => each !== uid) : [...now, uid].sort());
  }

  /** The number of each key's version now. */
  now() {
    return new Map([...this.versions].map(([k, versions]) => [k, versions.length - 1]));
  }

  /** `list` was read of `k` between two moments, after everything that was seen before. */
  check(k, list, from, to, what) {
    const versions = this.of(k);
    const least = Math.max(from.get(k) || 0, this.seen.get(k) || 0);
    const most = to.get(k) || 0;
    let found = least;
    while (found <= most && String(versions[found]) !== String(list)) found += 1;
    const range = JSON.stringify(versions.slice(least, most + 1));
    assert.ok(found <= most, `${what}: ${k} was [${list}], and one of ${range} is right`);
    this.seen.set(k, found);
  }
}

/** What each frontend's list is, of the kinds of answers that say so. */
function listsOf({ call: [method, ...args], value }) {
  if (method === 'getMembersBySid') return [[key(...args), value]];
  if (method !== 'pushMessage') return [];
  const lists = new Map(value);
  return SIDS.map((sid) => [key(args[2], sid), lists.get(sid) || []]);
}

const part = (list, letter) => list.filter((uid) => uid[0] === letter);

/** The model's answer without those who are others'. */
function own(value) {
  if (!value || !Array.isArray(value[0])) return value && part(value, 'u');
  const lists = value.map(([sid, list]) => [sid, part(list, 'u')]);
  return lists.filter(([, list]) => list.length > 0);
}

async function checkScript({ double, service }, steps) {
  double.other('FLUSHALL');
  const others = new Others(double);
  const model = new Members();
  let left = steps.length;
  const between = async (actions) => {
    for (const each of actions) {
      if (each.what === 'write') others.write(each);
      if (each.what === 'release') double.release(each.count);
      if (each.what === 'pause') await pause(1);
    }
    left -= 1;
    if (left === 0) double.flow();
  };
  double.hold();
  const outcomes = await play(service, steps, {
    before: (call) => ({ expected: model.apply(call), from: others.now() }),
    after: (outcome) => (outcome.to = others.now()),
    between,
  });
  outcomes.forEach((outcome, i) => {
    const { call, err, value, context, to } = outcome;
    const what = `call ${i}, ${call}`;
    assert.ok(!err, `${what}: ${err}`);
    if (context.expected) assert.deepStrictEqual(own(value), context.expected, what);
    for (const [k, list] of listsOf(outcome)) {
      others.check(k, part(list, 'x'), context.from, to, what);
    }
  });
}

for (const pushesFirst of [false, true]) {
  onDouble(
    `Cache: whenever frames come, as Redis ${pushesFirst ? 6 : 7} sends them`,
    async (ctx) => {
      const scripts = quiet(script(40, fc.array(action, { maxLength: 4 })));
      const counts = await counted(ctx.service, () =>
        fc.assert(
          fc.asyncProperty(
            scripts.filter((steps) => steps.length > 0),
            (steps) => checkScript(ctx, steps),
          ),
          { numRuns: RUNS },
        ),
      );
      assert.ok(counts.hits > 0 && counts.rereads > 0, JSON.stringify(counts));
    },
    { persona: { pushesFirst }, ...TIME },
  );
}
