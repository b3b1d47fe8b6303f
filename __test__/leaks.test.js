'use strict';

/**
 * Nothing grows: not the heap, not the process, not its handles, threads or files, over a million
 * calls and over hundreds of instances. Each limit is proved by a run that leaks on purpose.
 * LEAK_CALLS=n makes another number of calls. The measured process is leaks/child.js.
 */

const assert = require('node:assert');
const path = require('path');
const { it } = require('node:test');
const { area, IMPL } = require('./support/rows');
const child = require('./support/child');

const FILE = path.join(__dirname, 'leaks/child.js');
const MB = 1024 * 1024;
const CALLS = Number(process.env.LEAK_CALLS) || 1000000;
const WARM_UP = 200000;

// The least leak there can be is some 50 bytes per call: a closure, a reference.
const MAX_BYTES_PER_CALL = { heap: 6, rss: 15 };
// Here the least is an instance; allocators and their arenas settle over the first hundreds.
const MAX_BYTES_PER_CYCLE = { heap: 3000, rss: 30000 };
const MAX_BYTES_DROPPED = { heap: 1000, rss: 3000 };
// Else V8 doubles its young generation some time, which is a step of 16 MB in the resident size.
const NODE_ARGS = ['--expose-gc', '--max-semi-space-size=4'];

/** Linux only, for it reads /proc. The time is for a slow machine or a debug build. */
const linux = (title, fn, options) => {
  const skip = process.platform !== 'linux' && 'reads /proc';
  it(title, { timeout: 120000, skip, ...options }, fn);
};

async function measure(job, redis, args) {
  const body = `(tools) => require(${JSON.stringify(FILE)}).${job}(tools)`;
  // The source of the function is all that gets there.
  const fn = { toString: () => body };
  const run = await child.run(fn, { redis, args, nodeArgs: NODE_ARGS, deadline: 110000 });
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

area('a million calls', {}, (ctx) => {
  const calls = (args) => measure('calls', ctx.redis, args);

  linux('leave nothing behind', async () => {
    const count = CALLS - WARM_UP;
    const seen = await calls({ warmUp: WARM_UP, count });
    assert.deepStrictEqual(grown(seen, count, MAX_BYTES_PER_CALL), [], JSON.stringify(seen));
    assert.ok(seen.after.rss < 400 * MB, `${seen.after.rss} bytes resident`);
  });

  const failing = async () => {
    const count = 200000;
    await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:wrong:s1', 'a string');
    const seen = await measure('failures', ctx.redis, { warmUp: 100000, count });
    assert.deepStrictEqual(grown(seen, count, MAX_BYTES_PER_CALL), [], JSON.stringify(seen));
  };
  const skip = IMPL === 'old' && '0.0.7 has no promises';
  linux('that fail, and promises, leave nothing behind either', failing, skip ? { skip } : {});

  const few = { warmUp: 100000, count: 200000 };

  linux('the limits notice one kept callback per call', async () => {
    const seen = await calls({ ...few, leak: 'callback' });
    assert.ok(names(grown(seen, few.count, MAX_BYTES_PER_CALL)).includes('heap'));
  });

  linux('the limits notice 64 bytes of native memory per call', async () => {
    const seen = await calls({ ...few, leak: 'native' });
    const limit = { rss: MAX_BYTES_PER_CALL.rss };
    assert.deepStrictEqual(names(grown(seen, few.count, limit)), ['rss'], JSON.stringify(seen));
  });
});

area('200 instances, one after the other', {}, (ctx) => {
  const cycles = (args) => measure('cycles', ctx.redis, args);

  linux('leave nothing behind', async () => {
    const count = 200;
    const seen = await cycles({ warmUp: 50, count });
    assert.deepStrictEqual(grown(seen, count, MAX_BYTES_PER_CYCLE), [], JSON.stringify(seen));
    await ctx.redis.untilClients(0);
  });

  linux('the limits notice instances that were never stopped', async () => {
    const count = 40;
    const seen = await cycles({ warmUp: 5, count, leak: true });
    const found = names(grown(seen, count, MAX_BYTES_PER_CYCLE));
    assert.ok(found.includes('files') || found.includes('handles'), JSON.stringify(seen));
  });
});

area('instances that are dropped without a stop', {}, (ctx) => {
  for (const [what, start] of [
    ['never started', false],
    ['their start failed', true],
  ]) {
    const dropped = async () => {
      // Many: the allocator takes memory in steps of megabytes, also when nothing is lost.
      const count = 5000;
      const seen = await measure('forgotten', ctx.redis, { warmUp: count, count, start });
      assert.deepStrictEqual(grown(seen, count, MAX_BYTES_DROPPED), [], JSON.stringify(seen));
    };
    linux(`leave nothing behind: ${what}`, dropped);
  }
});
