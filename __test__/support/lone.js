'use strict';

/** What tests of lone calls have in common: getting into that state, and seeing whether it lasts. */

const assert = require('node:assert');
const fs = require('fs');
const { ok } = require('./call');

/** Enough lone calls for the state to begin. */
const ENOUGH = 20;

/** Makes calls one at a time. */
async function lone(service, count = ENOUGH) {
  for (let i = 0; i < count; i += 1) await ok(service, 'add', 'n', `u${i}`, 's1');
}

/** How often the runtime's thread has slept; on Linux. */
function sleeps() {
  const tasks = fs.readdirSync('/proc/self/task').map((id) => `/proc/self/task/${id}`);
  const own = tasks.filter((task) =>
    fs.readFileSync(`${task}/comm`, 'utf8').startsWith('globalchan'),
  );
  assert.strictEqual(own.length, 1, 'one runtime');
  return Number(
    /voluntary_ctxt_switches:\s+(\d+)/.exec(fs.readFileSync(`${own[0]}/status`, 'utf8'))[1],
  );
}

/** Blocks the event loop. */
const block = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** Runs `count` ticks, in which calls are sent but nothing is read. */
async function ticks(count = 6) {
  for (let i = 0; i < count; i += 1) await new Promise(process.nextTick);
}

module.exports = { ENOUGH, block, lone, sleeps, ticks };
