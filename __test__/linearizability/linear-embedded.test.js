'use strict';

/** Linearizability (linear.test.js) in the folder of the embedded store. */

const assert = require('node:assert');
const { describe, it } = require('node:test');
const { READS, noneWrong } = require('./verdict');
const { inFolder } = require('./places');
const { run } = require('./run');
const { cacheOf } = require('./excerpt');

const FOLDER_REMOVALS = ['clean', 'destroy'];
const BLOWS = ['freeze', 'die'];
const FOLDER_RUNS = [
  { title: 'writers and readers alone' },
  { title: 'channels removed by others', kinds: FOLDER_REMOVALS },
  { title: 'a store that grows', kinds: ['grow'] },
  { title: 'processes stopped, and killed and started again', kinds: BLOWS },
  { title: 'all of it at the same time', kinds: [...FOLDER_REMOVALS, 'grow', ...BLOWS] },
];

for (const durability of ['process', 'os']) {
  describe(`the embedded store, durability ${durability}`, () => {
    for (const { title, kinds = [] } of FOLDER_RUNS) {
      it(title, async (t) => {
        const reads = Math.ceil(READS / 10);
        // Each kind as often as there are reads for it.
        const times = Math.ceil(READS / 30000);
        const result = await run(inFolder(durability), { reads, kinds, every: 100, times });
        noneWrong(result, t, []);
        // Who was killed cannot say how much it had in memory.
        if (kinds.includes('die')) return;
        const { hits } = cacheOf(result.processes);
        assert.ok(hits > result.keyReads / 2, 'at least half of the reads are hits');
      });
    }
  });
}
