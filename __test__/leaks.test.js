'use strict';

/**
 * Nothing grows: not the heap, the process, its handles, threads or files, over half a million calls and hundreds of instances.
 * Each limit is proved by a run that leaks on purpose. LEAK_CALLS=n sets the number of calls (WHOLE=1: a million). The measured
 * process is leaks/child.js.
 */

const assert = require('node:assert');
const path = require('path');
const { stores, same, ours } = require('./support/rows');
const child = require('./support/child');

const FILE = path.join(__dirname, 'leaks/child.js');
const MB = 1024 * 1024;
const CALLS = Number(process.env.LEAK_CALLS) || (process.env.WHOLE ? 1000000 : 500000);
const WARM_UP = 200000;
/** For a slow or busy machine or a debug build, and for more calls. */
const TIME = 300000 * Math.max(1, CALLS / 1000000);

// The least leak there can be is some 50 bytes per call: a closure, a reference.
const MAX_BYTES_PER_CALL = { heap: 6, rss: 15 };
// Here the least is an instance; allocators and their arenas settle over the first hundreds.
const MAX_BYTES_PER_CYCLE = { heap: 3000, rss: 30000 };
const MAX_BYTES_DROPPED = { heap: 1000, rss: 3000 };
// Else V8 doubles its young generation some time, which is a step of 16 MB in the resident size.
const NODE_ARGS = ['--expose-gc', '--max-semi-space-size=4'];

/** Linux only, for it reads /proc. */
const linux = (row) => (title, fn) => {
  const skip = process.platform !== 'linux' && { skip: 'reads /proc' };
  row(title, fn, { timeout: TIME, ...skip });
};

async function measure(job, store, args) {
  const body = `(tools) => require(${JSON.stringify(FILE)}).${job}(tools)`;
  // The source of the function is all that gets there.
  const fn = { toString: () => body };
  const run = await child.run(fn, { store, args, nodeArgs: NODE_ARGS, deadline: TIME - 10000 });
  assert.deepStrictEqual([run.code, run.signal], [0, null], run.output);
  return run.messages[0];
}

/** The figures that grew by more than they may, as text. */
function grown({ before, after }, count, limits) {
  const list = [];
  for (const [name, limit] of Object.entries(limits)) {
    const each = (after[name] - before[name]) / count;
    if (each > limit) list.push(`${name}: ${each.toFixed(1)} bytes each`);
  }
  for (const name of ['handles', 'threads', 'files']) {
    if (after[name] > before[name]) list.push(`${name}: ${before[name]} to ${after[name]}`);
  }
  return list;
}

const names = (list) => list.map((text) => text.split(':')[0]);

stores(`${CALLS} calls`, (ctx) => {
  const calls = (args) => measure('calls', ctx.store, args);

  linux(same)('leave nothing behind', async () => {
    const count = CALLS - WARM_UP;
    const seen = await calls({ warmUp: WARM_UP, count });
    assert.deepStrictEqual(grown(seen, count, MAX_BYTES_PER_CALL), [], JSON.stringify(seen));
    assert.ok(seen.after.rss < 400 * MB, `${seen.after.rss} bytes resident`);
  });

  // 0.0.7 has no promises.
  linux(ours.redis)('that fail or throw, and promises, leave nothing behind either', async () => {
    const count = CALLS / 2.5;
    await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:wrong:s1', 'a string');
    const seen = await measure('failures', ctx.store, { warmUp: 100000, count });
    assert.deepStrictEqual(grown(seen, count, MAX_BYTES_PER_CALL), [], JSON.stringify(seen));
  });

  const few = { warmUp: 100000, count: 200000 };

  linux(same.redis)('the limits notice one kept callback per call', async () => {
    const seen = await calls({ ...few, leak: 'callback' });
    assert.ok(names(grown(seen, few.count, MAX_BYTES_PER_CALL)).includes('heap'));
  });

  linux(same.redis)('the limits notice 64 bytes of native memory per call', async () => {
    const seen = await calls({ ...few, leak: 'native' });
    const limit = { rss: MAX_BYTES_PER_CALL.rss };
    assert.deepStrictEqual(names(grown(seen, few.count, limit)), ['rss'], JSON.stringify(seen));
  });
});

stores('hundreds of instances, one after the other', (ctx) => {
  const cycles = (args) => measure('cycles', ctx.store, args);

  linux(same)('leave nothing behind', async () => {
    // Many, because the allocator takes memory in steps of megabytes. Its arenas grow for one or two thousand of them, and then no more.
    const count = 800;
    const seen = await cycles({ warmUp: 2500, count });
    assert.deepStrictEqual(grown(seen, count, MAX_BYTES_PER_CYCLE), [], JSON.stringify(seen));
    await ctx.store.untilUsers(0);
  });

  linux(same.redis)('the limits notice instances that were never stopped', async () => {
    const count = 40;
    const seen = await cycles({ warmUp: 5, count, leak: true });
    const found = names(grown(seen, count, MAX_BYTES_PER_CYCLE));
    assert.ok(found.includes('files') || found.includes('handles'), JSON.stringify(seen));
  });
});

stores('instances that are dropped without a stop', (ctx) => {
  async function dropped(args, limits = MAX_BYTES_DROPPED) {
    // Many: the allocator takes memory in steps of megabytes, also when nothing is lost.
    const count = 5000;
    const seen = await measure('forgotten', ctx.store, { warmUp: count, count, ...args });
    assert.deepStrictEqual(grown(seen, count, limits), [], JSON.stringify(seen));
  }

  linux(same)('leave nothing behind: never started', () => dropped({ start: false }));

  linux(ours.redis)('leave nothing behind: never started, all on one app', () =>
    // A listener on the app's emitter, with what it holds, is some 800 bytes.
    dropped({ start: false, shared: true }, { ...MAX_BYTES_DROPPED, heap: 300 }),
  );

  // No server listens on port 1.
  linux(same.redis)('leave nothing behind: their start failed', () =>
    dropped({ start: true, unusable: { host: '127.0.0.1', port: 1, max_attempts: 1 } }),
  );

  linux(ours.embedded)('leave nothing behind: their start failed', () =>
    dropped({ start: true, unusable: ctx.store.unusable() }),
  );
});
