'use strict';

/**
 * Random histories of calls against a model in memory: each answer is what the calls before it make of the sets, whether they
 * were answered or not. A history that fails is shrunk. `MODEL_RUNS=n` sets the number of histories.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { ok } = require('./call');

const SIDS = ['s1', 's2', 's3'];
/** Frontends that are not registered; each history has its own, which no service knows at first. */
const GONE = ['gone', 'h:1'];
const NAMES = ['a', 'b', 'ü:1', '__proto__'];
const RUNS = Number(process.env.MODEL_RUNS) || 60;

/** What the store should hold: `name:sid` → members. */
class Model {
  constructor() {
    this.sets = new Map();
    /** All frontends on which there were members. */
    this.sids = new Set();
  }

  set(name, sid) {
    const key = JSON.stringify([String(name), sid]);
    if (!this.sets.has(key)) this.sets.set(key, new Set());
    return this.sets.get(key);
  }

  /** Adds a member; returns how many are new. */
  add(name, uid, sid) {
    this.sids.add(sid);
    const set = this.set(name, sid);
    const before = set.size;
    return set.add(uid).size - before;
  }

  leave(name, uid, sid) {
    return sum(this.everywhere(name, sid), (set) => Number(set.delete(uid)));
  }

  /** The members of a channel on a frontend, or with `null` on each that there is. */
  everywhere(name, sid) {
    return (sid === null ? [...this.sids] : [sid]).map((each) => this.set(name, each));
  }

  list(name, sid) {
    return [...this.set(name, sid)].sort();
  }

  bySid(name) {
    return Object.fromEntries(SIDS.map((sid) => [sid, this.list(name, sid)]));
  }
}

const each = (value) => [].concat(value);

const sum = (list, count) => list.reduce((total, item) => total + count(item), 0);

/** method → what it does to the model, and what it answers. */
const METHODS = {
  add: (model, names, uids, sid) =>
    sum(each(names), (name) => sum(each(uids), (uid) => model.add(name, uid, sid))),
  leave: (model, names, uids, sid) =>
    sum(each(names), (name) => sum(each(uids), (uid) => model.leave(name, uid, sid))),
  addMany: (model, name, members) => sum(members, ({ uid, sid }) => model.add(name, uid, sid)),
  leaveMany: (model, name, members) => sum(members, ({ uid, sid }) => model.leave(name, uid, sid)),
  destroyChannel(model, names, { everywhere } = {}) {
    const sids = everywhere ? [...model.sids] : SIDS;
    for (const name of each(names)) sids.forEach((sid) => model.set(name, sid).clear());
  },
  getMembersBySid: (model, name, sid) => model.list(name, sid),
  getCountBySid: (model, name, sid) => model.set(name, sid).size,
  getCount: (model, name, type) =>
    type === null
      ? sum(model.everywhere(name, null), (set) => set.size)
      : sum(SIDS, (sid) => model.set(name, sid).size),
  isMember: (model, name, uid, sid) => model.everywhere(name, sid).some((set) => set.has(uid)),
  getMembersByChannelName: (model, _, name) => SIDS.flatMap((sid) => model.list(name, sid)).sort(),
  getMembersByChannelNameBySid: (model, _, names) =>
    Array.isArray(names)
      ? Object.fromEntries(names.map((name) => [name, model.bySid(name)]))
      : model.bySid(names),
};

const name = fc.constantFrom(...NAMES);
const sid = fc.constantFrom(...SIDS, ...GONE);
const all = fc.constant(null);
const uid = fc.constantFrom('u', 'v', 'w', '', '🎮');
const some = (one, least = 0) => fc.oneof(one, fc.array(one, { minLength: least, maxLength: 4 }));
const type = fc.constant('connector');

const CALL = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('add'), some(name), some(uid), sid) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('leave'), some(name), some(uid), sid) },
  fc.tuple(fc.constant('leave'), some(name), some(uid), all),
  fc.tuple(fc.constant('destroyChannel'), some(name), fc.record({ everywhere: fc.boolean() })),
  fc.tuple(fc.constant('getCount'), name, all),
  fc.tuple(fc.constant('isMember'), name, uid, all),
  { weight: 1, arbitrary: fc.tuple(fc.constant('destroyChannel'), some(name)) },
  {
    weight: 2,
    arbitrary: fc.tuple(
      fc.constantFrom('addMany', 'leaveMany'),
      name,
      fc.array(fc.record({ uid, sid }), { maxLength: 4 }),
    ),
  },
  fc.tuple(fc.constantFrom('getMembersBySid', 'getCountBySid'), name, sid),
  fc.tuple(fc.constant('getCount'), name, type),
  fc.tuple(fc.constant('isMember'), name, uid, sid),
  fc.tuple(fc.constant('getMembersByChannelName'), type, name),
  fc.tuple(fc.constant('getMembersByChannelNameBySid'), type, some(name)),
);

/** Steps: calls of one tick, made by one of two services. Each step is answered before the next. */
const HISTORY = fc.array(fc.tuple(fc.nat(1), fc.array(CALL, { minLength: 1, maxLength: 8 })), {
  maxLength: 12,
});

/** Lists come in the order of the store. */
function sorted(value) {
  if (Array.isArray(value)) return value.slice().sort();
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, sorted(each)]));
}

let plays = 0;

/** Arguments with the names of frontends of this history alone. */
function ofPlay(number, value) {
  if (GONE.includes(value)) return `${value}-${number}`;
  if (Array.isArray(value)) return value.map((each) => ofPlay(number, each));
  if (value && value.sid) return { ...value, sid: ofPlay(number, value.sid) };
  return value;
}

async function play(services, history) {
  plays += 1;
  const number = plays;
  await ok(services[0], 'destroyChannel', NAMES, { everywhere: true });
  const model = new Model();
  for (const [by, calls] of history) {
    const service = services[by % services.length];
    const made = calls.map(([method, ...given]) => {
      const args = ofPlay(number, given);
      const expected = METHODS[method](model, ...args);
      return { method, args, expected, answer: service.promises[method](...args) };
    });
    for (const { method, args, expected, answer } of made) {
      assert.deepStrictEqual(sorted(await answer), expected, JSON.stringify([method, ...args]));
    }
  }
}

/** Plays random histories on services that share a store. */
async function checkModel(services, numRuns = RUNS) {
  const property = fc.asyncProperty(HISTORY, (history) => play(services, history));
  await fc.assert(property, { numRuns });
}

module.exports = { checkModel };
