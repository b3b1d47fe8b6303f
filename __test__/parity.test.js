'use strict';

/**
 * Random sequences of operations, run on 0.0.7 with Redis and on this package with each store, give the same answers, the
 * same RPCs, and the same keys and members in the end. Intended differences are in contract/ (marked `ours`) and are not
 * generated here. IMPL=old compares 0.0.7 with itself.
 */

const assert = require('node:assert');
const { before, after } = require('node:test');
const fc = require('fast-check');
const { createApp } = require('./support/app');
const { invoke, ok } = require('./support/call');
const { STORES } = require('./support/stores');
const { stores, same, IMPL } = require('./support/rows');
const { started } = require('./support/service');

const RUNS = Number(process.env.PARITY_RUNS) || 300;

// Small alphabets, so that operations meet: `a` + `b:c` and `a:b` + `c` are one key.
const names = ['a', 'a:b', '', 7, '漢🎮'];
const sids = ['s1', 's2', 'b:c', 'c', 'backend-1', '', 3];
const uids = ['u', 'v', '', 'ü\r\n\u0000', 5, -1.5, 1e21, true, 'x:y', 'a\ud800b', 3n];

const name = fc.constantFrom(...names);
const sid = fc.constantFrom(...sids);
const uid = fc.constantFrom(...uids);
const bulk = fc.array(uid, { minLength: 1, maxLength: 4 });
const type = fc.constantFrom('connector', 'connector', 'gate', 'chat', 'no such type');
const msg = fc.constantFrom({ t: 1 }, null, 'text', 0);

const operation = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.constant('add'), name, fc.oneof(uid, bulk), sid) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('leave'), name, fc.oneof(uid, bulk), sid) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('getMembersBySid'), name, sid) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('getMembersByChannelName'), type, name) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('pushMessage'), type, fc.constant('r'), msg, name) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('destroyChannel'), name) },
);
/** Whether to wait for the answer before the next operation. */
const step = fc.record({ call: operation, wait: fc.boolean() });

/** Frontends of two types with ids that make ambiguous keys, and a backend. */
function servers() {
  const of = (serverType, ...ids) => ids.map((id) => ({ id, serverType, frontend: 'true' }));
  const backend = { id: 'backend-1', serverType: 'chat' };
  return [...of('connector', 's1', 's2', 'c'), ...of('gate', 'b:c'), backend];
}

const byText = (a, b) => (a < b ? -1 : Number(a > b));

/** The order of a set's members differs between two dbs; nothing else may. */
const sorted = (list) => (Array.isArray(list) ? list.slice().sort(byText) : list);

function describeAnswer({ args, sync, n }) {
  const [err, value] = args;
  return { err: err ? String(err) : err, argc: args.length, value: sorted(value), sync, n };
}

async function run(service, steps) {
  const app = service.app;
  app.rpcCalls.length = 0;
  const records = [];
  for (const { call, wait } of steps) {
    const [method, ...args] = call;
    if (method === 'pushMessage') args.push({});
    const record = invoke(service, method, ...args);
    records.push(record);
    if (wait) await record.done;
  }
  await Promise.all(records.map((record) => record.done));
  const rpcs = app.rpcCalls.map(({ sid: to, msg: { args } }) => [to, args[1], sorted(args[2])]);
  return { answers: records.map(describeAnswer), rpcs };
}

stores('parity with 0.0.7', (ctx) => {
  let redis;

  // Every uid whose text has an even length has "failed", so that answers say something.
  const rpc = (to, { args }, cb) =>
    process.nextTick(
      cb,
      null,
      args[2].filter((each) => each.length % 2 === 0),
    );

  before(async () => {
    redis = await STORES.redis.open();
  });
  after(() => redis.close());

  same('random operations have the same answers, RPCs, keys and members', async () => {
    const app = () => createApp({ servers: servers(), rpc });
    const old = await started(redis, {}, app(), 'old');
    const other = await started(ctx.store, {}, app());
    const clean = IMPL === 'old' ? () => ctx.store.empty() : () => ok(other, 'clean');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), async (steps) => {
        await Promise.all([redis.empty(), clean()]);
        const [expected, actual] = await Promise.all([run(old, steps), run(other, steps)]);
        assert.deepStrictEqual(actual, expected);
        assert.deepStrictEqual(await ctx.store.dump(), await redis.dump());
      }),
      { numRuns: RUNS },
    );
  });
});
