'use strict';

/**
 * Random pushes with random exceptions, changes of lists, restarts, lost calls and lost answers, tables that overflow, against what
 * the contract owes: each member gets each push once, unless the callback says that it may not have got it; those of
 * one server in order; and what is answered is true. LISTS_RUNS=n makes more runs, LISTS_SEED=n those of a failure.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const fc = require('fast-check');
const { limits } = require('../../lib/lists/protocol');
const { call } = require('../support/call');
const { startedWith } = require('../support/manager');
const { ours } = require('../support/rows');
const { stopAll } = require('../support/service');
const { Network } = require('./network');

const RUNS = Number(process.env.LISTS_RUNS) || 100;
const SEED = process.env.LISTS_SEED ? Number(process.env.LISTS_SEED) : undefined;
const ORIGINAL = { ...limits };
const NAMES = ['world', 'guild', 'room'];
const KINDS = [{}, { style: 'pinus' }, { kind: 'old' }];
const SIDS = ['s1', 's2', 's3'];

const turn = () => new Promise(setImmediate);
const some = (length, from) => Array.from({ length }, (_, i) => `u${from + i}`);

const name = fc.constantFrom(...NAMES);
const sid = fc.constantFrom(...SIDS);
const upTo = (max) => fc.integer({ min: 1, max });
const action = fc.oneof(
  {
    weight: 40,
    arbitrary: fc.record({
      do: fc.constant('push'),
      name,
      count: upTo(3),
      except: fc.uniqueArray(fc.nat(250), { maxLength: 20 }),
    }),
  },
  { weight: 40, arbitrary: fc.record({ do: fc.constant('step'), sid, count: upTo(6) }) },
  { weight: 10, arbitrary: fc.record({ do: fc.constant('all') }) },
  { weight: 20, arbitrary: fc.record({ do: fc.constant('turn') }) },
  { weight: 15, arbitrary: fc.record({ do: fc.constant('change'), name, sid, count: upTo(40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('short'), name, sid }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('shuffle'), name, sid }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('fault'),
      kind: fc.constantFrom('lost', 'done, but failed'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('restart'), sid, news: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('false news'), sid }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reload'), sid }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('limit'), bytes: fc.nat(90000) }) },
);

class Run {
  async start() {
    this.network = new Network(KINDS);
    this.network.isFast = false;
    this.lists = {};
    for (const each of NAMES) {
      this.lists[each] = Object.fromEntries(SIDS.map((id, i) => [id, some(250, i * 1000)]));
    }
    this.lists.room = { s1: some(3, 0), s2: some(3, 1000), s3: [] };
    this.fresh = 10000;
    /** By number: `{owed: {sid: uids}, except, answers}`. */
    this.pushes = [];
    const getMembersBySid = (channel, id, cb) => {
      const list = this.lists[channel][id];
      const { owed, except } = this.pushes[this.pushes.length - 1];
      owed[id] = list.filter((uid) => !except.includes(uid));
      cb(null, list);
    };
    const manager = { add() {}, leave() {}, destroyChannel() {}, getMembersBySid };
    this.service = await startedWith(manager, { pushTimeout: 0 }, this.network.app);
  }

  async run(actions) {
    for (const each of actions) await this[each.do](each);
    await this.finish();
    this.check();
  }

  push({ name: channel, count, except: places }) {
    for (let i = 0; i < count; i += 1) {
      const lists = Object.values(this.lists[channel]);
      const except = lists.flatMap((list) => places.map((at) => list[at + i] || 'nobody'));
      const push = { owed: {}, except, answers: [] };
      this.pushes.push(push);
      const msg = { n: this.pushes.length - 1 };
      const callback = (...args) => push.answers.push(args);
      this.service.pushMessage('connector', 'onChat', msg, channel, { except }, callback);
      assert.deepStrictEqual(Object.keys(push.owed), SIDS);
    }
  }

  step({ sid: id, count }) {
    for (let i = 0; i < count; i += 1) this.network.step(id);
    return turn();
  }

  async all() {
    while (!this.network.isQuiet) {
      for (const id of SIDS) this.network.step(id);
      await turn();
    }
  }

  turn() {
    return turn();
  }

  change({ name: channel, sid: id, count }) {
    // A new array: what is pushed already must not change.
    const list = this.lists[channel][id].filter((_, i) => i < count || i >= count * 1.5);
    this.lists[channel][id] = [...list, ...some(count, this.fresh)];
    this.fresh += count;
  }

  short({ name: channel, sid: id }) {
    this.lists[channel][id] = some(2, this.fresh);
  }

  shuffle({ name: channel, sid: id }) {
    const list = this.lists[channel][id];
    this.lists[channel][id] = [...list.slice(list.length >> 1), ...list.slice(0, list.length >> 1)];
  }

  fault({ kind }) {
    this.network.faults.push(kind);
  }

  restart({ sid: id, news }) {
    this.network.restart(id, news);
  }

  // The link to the master broke.
  ['false news']({ sid: id }) {
    this.network.app.event.emit('remove_servers', [id]);
  }

  reload({ sid: id }) {
    delete this.network.byId.get(id).services.globalChannel;
  }

  limit({ bytes }) {
    limits.frontendBytes = bytes;
    limits.pusherBytes = 100000 - bytes;
  }

  async finish() {
    this.network.faults.length = 0;
    const isDone = () => this.pushes.every(({ answers }) => answers.length > 0);
    const until = Date.now() + 10000;
    while (!isDone()) {
      await this.all();
      assert.ok(Date.now() < until, 'each push is answered');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await this.all();
    await call(this.service, 'stop', true);
  }

  check() {
    /** By number and frontend: who was given it there. */
    const given = this.pushes.map(() => ({}));
    for (const { id, pushes } of this.network.frontends) {
      const numbers = pushes.map(({ n }) => n);
      assert.deepStrictEqual(
        numbers,
        [...new Set(numbers)].sort((a, b) => a - b),
        `${id}: once, in order`,
      );
      for (const { n, uids } of pushes) given[n][id] = [...uids].sort();
    }
    this.pushes.forEach(({ owed, answers }, n) => {
      assert.strictEqual(answers.length, 1, `${n}: one answer`);
      const [[err, failed = []]] = answers;
      for (const id of SIDS) {
        const members = [...owed[id]].sort();
        const isReported = err || members.every((uid) => failed.includes(uid));
        if (given[n][id]) assert.deepStrictEqual(given[n][id], members, `${n} at ${id}`);
        else assert.ok(isReported || members.length === 0, `${n} at ${id}: not given`);
      }
      const all = new Set(SIDS.flatMap((id) => owed[id]));
      for (const uid of failed) assert.ok(all.has(uid), `${n}: ${uid} is none of its members`);
    });
  }
}

describe('Names for lists, against a model', () => {
  afterEach(async () => {
    Object.assign(limits, ORIGINAL);
    await stopAll();
  });

  ours(
    `${RUNS} random runs: each member gets each push once, in order, or is reported`,
    async () => {
      const totals = { named: 0, changed: 0, whole: 0, refused: 0 };
      const property = fc.asyncProperty(
        fc.array(action, { minLength: 100, maxLength: 300, size: 'max' }),
        async (actions) => {
          Object.assign(limits, ORIGINAL, { holdMs: 20 });
          const run = new Run();
          await run.start();
          await run.run(actions);
          const { lists } = run.service.stats();
          for (const each of Object.keys(totals)) totals[each] += lists[each];
        },
      );
      await fc.assert(property, { numRuns: RUNS, seed: SEED, includeErrorInReport: true });
      // The runs are about what they should be about.
      for (const [each, count] of Object.entries(totals))
        assert.ok(count > RUNS / 2, `${count} ${each}`);
    },
    { timeout: 30000 + 500 * RUNS },
  );
});
