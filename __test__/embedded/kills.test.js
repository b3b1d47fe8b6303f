'use strict';

/**
 * kill -9 at any moment: of writers and readers, and of processes that open, close, clean, or make the map grow. Acknowledged
 * writes are there, the other processes go on, and nothing accumulates. KILLS is the number of kills (`npm run test:kills`:
 * 1,000).
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const fs = require('fs');
const { place, fault, clearing } = require('./place');
const jobs = require('./kill-jobs');
const { pause, until } = require('../support/until');

const KILLS = Number(process.env.KILLS) || 40;
/** commandTimeout's default. */
const LIMIT = 5000;
const SLOTS = ['writer', 'writer', 'reader', 'opener', 'cleaner', 'cleaner'];

/** What must be in the store of a writer that was killed: `[uid, there]`, where that is known. */
function known({ args, messages }) {
  const acknowledged = messages.length - 1;
  const called = acknowledged + 1 + jobs.WINDOW;
  const known = [];
  for (let i = 0; i <= acknowledged; i += 1) {
    const leave = jobs.leaveOf(i);
    if (leave === undefined) continue;
    if (leave <= acknowledged) known.push([`${args.name}-${i}`, false, i % 2]);
    else if (leave >= called) known.push([`${args.name}-${i}`, true, i % 2]);
  }
  return known;
}

async function read(store) {
  const job = async ({ started, ok, call, emit }) => {
    const service = await started();
    for (const name of ['c0', 'c1']) emit(await ok(service, 'getMembersBySid', name, 's1'));
    await call(service, 'stop', true);
  };
  const { messages } = await store.run(job);
  return messages.map((uids) => new Set(uids));
}

describe('kill -9', () => {
  clearing();

  fault(
    `${KILLS} times, at random moments`,
    async () => {
      const store = place();
      const survivor = store.start(jobs.survivor);
      await survivor.message('there');
      const begin = (slot, n) => {
        const args = { name: `w${n}`, slot, window: jobs.WINDOW, calls: jobs.CALLS };
        const run = store.start(jobs[SLOTS[slot]], args);
        const { child, messages, closed } = run;
        return { run, child, messages, closed, args };
      };
      const writers = [];
      const slots = SLOTS.map((_, slot) => begin(slot, slot));
      for (let n = 0; n < KILLS; n += 1) {
        const slot = Math.floor(Math.random() * SLOTS.length);
        // Mostly at work, else while it begins.
        if (n % 4) await until(() => slots[slot].messages.length, `${SLOTS[slot]} at work`);
        await pause(Math.random() * 60);
        const { child, messages, closed, args, run } = slots[slot];
        assert.strictEqual(child.exitCode, null, `${SLOTS[slot]} ended: ${run.output}`);
        child.kill('SIGKILL');
        await closed;
        if (SLOTS[slot] === 'writer') writers.push({ args, messages });
        slots[slot] = begin(slot, SLOTS.length + n);
      }
      for (const { child, closed } of slots) {
        child.kill('SIGKILL');
        await closed;
      }
      slots.forEach(({ args, messages }, slot) => {
        if (SLOTS[slot] === 'writer') writers.push({ args, messages });
      });
      const { readers } = await store.audit();
      survivor.child.stdin.end();
      const { code, messages, output } = await survivor.closed;
      assert.strictEqual(code, 0, output);
      const [, seen] = messages;

      const lists = await read(store);
      const expected = writers.flatMap(known);
      const wrong = expected.filter(([uid, there, n]) => lists[n].has(uid) !== there);
      assert.deepStrictEqual(wrong.slice(0, 5), [], `${wrong.length} of ${expected.length}`);
      assert.ok(expected.length > KILLS, `${expected.length} acknowledged writes`);
      assert.ok(seen.slowest < LIMIT && seen.blocked < LIMIT, JSON.stringify(seen));
      assert.ok(readers < 50, `${readers} readers`);
      assert.deepStrictEqual(store.processes(), []);
      const { size } = fs.statSync(store.file('data.mdb'));
      assert.ok(size < 512 << 20, `${size} bytes`);
      await store.audit();
    },
    { timeout: 30 * 60000 },
  );
});
