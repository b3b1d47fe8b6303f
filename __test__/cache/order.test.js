'use strict';

/**
 * Order under churn: calls made without waiting, pushes and reads see the members that the earlier calls of their process
 * made; while another client writes all the time, they see what was acknowledged before and nothing later. Fixed
 * schedules are in writes.test.js.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { Members, RUNS, SIDS, TIME, play, quiet, script } = require('./calls');
const { counted, fill, key, onDouble } = require('./schedule');
const { ok } = require('../support/call');
const { area, ours } = require('../support/rows');
const { started } = require('../support/service');

/** Plays the script and compares every answer with the model. */
async function checkModel(service, steps) {
  for (const name of ['a', 'b']) await ok(service, 'destroyChannel', name);
  const model = new Members();
  const outcomes = await play(service, steps, { before: (call) => model.apply(call) });
  outcomes.forEach(({ call, context, err, value }, i) => {
    assert.ok(!err, `call ${i}, ${call[0]}: ${err}`);
    if (context) assert.deepStrictEqual(value, context, `call ${i}, ${call[0]} of ${call}`);
  });
}

/**
 * B at one key: adds b0, b1, … and removes them again, each acknowledged before the next, so that
 * at any time the members are a row of numbers without a gap. Counts of what B began and what B
 * knows to be done give the bounds of a read.
 */
class Churn {
  constructor(redis, k) {
    Object.assign(this, { redis, k, adding: 0, added: 0, removing: 0, removed: 0, stopped: false });
  }

  async run() {
    while (!this.stopped) {
      this.adding += 1;
      await this.redis.run(0, 'sadd', this.k, `b${this.added}`);
      this.added += 1;
      if (this.added - this.removed < 8) continue;
      this.removing += 1;
      await this.redis.run(0, 'srem', this.k, `b${this.removed}`);
      this.removed += 1;
    }
  }

  /** What is sure when a read is called. */
  now() {
    return { added: this.added, removed: this.removed };
  }

  /** Checks a list that was asked for at `from` and has just come. Returns its `[first, end)`. */
  check(list, from, what) {
    const numbers = list
      .filter((uid) => uid[0] === 'b')
      .map((uid) => Number(uid.slice(1)))
      .sort((a, b) => a - b);
    const [first, end] = [numbers[0], numbers[numbers.length - 1] + 1];
    const shown = `${what}: b${numbers.join(', b')}`;
    for (let i = this.removing; i < from.added; i += 1) {
      assert.ok(numbers.includes(i), `${shown}; b${i} was added before the call`);
    }
    if (numbers.length === 0) return undefined;
    assert.strictEqual(end - first, numbers.length, `${shown}; never was so`);
    assert.ok(first >= from.removed, `${shown}; b${first} was removed before the call`);
    assert.ok(end <= this.adding, `${shown}; b${end - 1} was not added yet`);
    return [first, end];
  }
}

/** Reads and pushes beside another client that writes all the time. */
async function besideAnother(ctx, runs) {
  const service = await started(ctx.redis);
  const churns = SIDS.map((sid) => new Churn(ctx.redis, key('a', sid)));
  let looked = 0;
  // `[channel's frontend, [first, end)]` of each list that an answer has.
  const rows = ({ call: [method, ...args], context, value }) => {
    const of = (i, list) => [i, churns[i].check(list, context[i], method)];
    if (method === 'getMembersBySid' && args[0] === 'a') return [of(SIDS.indexOf(args[1]), value)];
    if (method !== 'pushMessage' || args[2] !== 'a') return [];
    const lists = new Map(value);
    return SIDS.map((sid, i) => of(i, lists.get(sid) || []));
  };
  const after = (outcome) => (outcome.rows = rows(outcome));
  // Reads of one process never go back, in the order of their calls.
  const last = SIDS.map(() => [0, 0]);
  const checkOrder = (outcome) => {
    for (const [i, row] of outcome.rows) {
      looked += 1;
      if (!row) continue;
      const back = row[0] < last[i][0] || row[1] < last[i][1];
      assert.ok(!back, `${outcome.call}: b${row} on ${SIDS[i]} after b${last[i]}`);
      last[i] = row;
    }
  };
  const writing = churns.map((churn) => churn.run());
  const counts = await counted(service, async () => {
    try {
      for (const steps of fc.sample(quiet(script(60)), {
        numRuns: runs,
        seed: Date.now() % 1e6,
      })) {
        const before = () => churns.map((churn) => churn.now());
        (await play(service, steps, { before, after })).forEach(checkOrder);
      }
    } finally {
      for (const churn of churns) churn.stopped = true;
      await Promise.all(writing);
    }
  });
  assert.ok(looked > runs, `${looked} lists were looked at`);
  assert.ok(
    churns.every(({ removed }) => removed > 50),
    'B wrote',
  );
  assert.ok(counts.hits > 0 && counts.invalidations > 50, JSON.stringify(counts));
}

area('Cache: order under churn', {}, (ctx) => {
  const row = (title, fn) => ours(title, fn, TIME);

  row('every read and push has the members that the calls before it made', async () => {
    const service = await started(ctx.redis);
    const counts = await counted(service, () =>
      fc.assert(
        fc.asyncProperty(script(60), (steps) => checkModel(service, steps)),
        { numRuns: RUNS },
      ),
    );
    assert.ok(counts.hits > RUNS && counts.rereads > 0, JSON.stringify(counts));
  });

  row('the same through a cache that has room for next to nothing', async () => {
    const service = await started(ctx.redis, { cache: { maxBytes: 1000 } });
    await fc.assert(
      fc.asyncProperty(script(60), (steps) => checkModel(service, steps)),
      { numRuns: RUNS / 3 },
    );
  });

  row('with another client at the same keys: what B acknowledged, and no future', () =>
    besideAnother(ctx, RUNS),
  );

  // Lists that are long enough that a few fill a batch.
  row('the same when calls wait in the queue while others load the list', async () => {
    const filler = Array.from({ length: 3000 }, (_, i) => `x${i}`);
    for (const sid of SIDS) await ctx.redis.run(0, 'sadd', key('a', sid), ...filler);
    await besideAnother(ctx, RUNS / 3);
  });

  row('own members are exact while B writes at the same keys', async () => {
    const service = await started(ctx.redis);
    const churns = SIDS.map((sid) => new Churn(ctx.redis, key('a', sid)));
    const writing = churns.map((churn) => churn.run());
    const own = (value) =>
      value && value[0] && Array.isArray(value[0])
        ? value
            .map(([sid, list]) => [sid, list.filter((uid) => uid[0] === 'u')])
            .filter(([, list]) => list.length > 0)
        : value && value.filter((uid) => uid[0] === 'u');
    try {
      const model = new Members();
      for (const steps of fc.sample(quiet(script(60)), { numRuns: RUNS, seed: Date.now() % 1e6 })) {
        const outcomes = await play(service, steps, { before: (call) => model.apply(call) });
        outcomes.forEach(({ call, context, value }, i) => {
          if (context) assert.deepStrictEqual(own(value), context, `call ${i}: ${call}`);
        });
      }
    } finally {
      for (const churn of churns) churn.stopped = true;
      await Promise.all(writing);
    }
  });
});

onDouble(
  'Cache: the same on the wire double, which sends frame by frame',
  async (ctx) => {
    const { double, service } = ctx;
    await fill(service, 'a');
    double.hold();
    // Each frame in a turn of its own: pushes and replies come apart wherever they can.
    let timer;
    const pump = () => {
      double.release(1);
      timer = setImmediate(pump);
    };
    pump();
    try {
      await fc.assert(
        fc.asyncProperty(script(30), (steps) => checkModel(service, steps)),
        { numRuns: RUNS / 5 },
      );
    } finally {
      clearImmediate(timer);
    }
  },
  TIME,
);
