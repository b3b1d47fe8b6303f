'use strict';

/**
 * Every public method with every kind of value in every position, and random calls: no crash, no hang, no abort; a clear error;
 * each callback once; and the service keeps working. Values are in values.js, the checks in calls.js, the jobs in jobs.js.
 * FUZZ_RUNS=n sets the number of random calls, FUZZ_SEED=n repeats a failure.
 */

const assert = require('node:assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { optionTable } = require('../../lib/native');
const child = require('../support/child');
const { stores, ours } = require('../support/rows');
const { removeFolder } = require('../support/remove');

const FILE = path.join(__dirname, 'jobs.js');
const RUNS = Number(process.env.FUZZ_RUNS) || 100;
const SEED = Number(process.env.FUZZ_SEED) || 0;
/** For a slow machine, or many runs. */
const PATIENCE = 120000 + RUNS * 100;

/** The names of all options that have an effect, and of some of the others, which are all read in one way. */
function names() {
  const rows = optionTable();
  const ignored = rows.filter((row) => row.ignored);
  return [...rows.filter((row) => !row.ignored), ...ignored.slice(0, 5), ...ignored.slice(-1)].map(
    ({ name }) => name,
  );
}

async function fuzz(job, store) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'fuzz-'));
  const file = path.join(folder, 'last call');
  try {
    const body = `(tools) => require(${JSON.stringify(FILE)}).${job}(tools)`;
    const args = { file, names: names(), patience: PATIENCE, runs: RUNS, seed: SEED };
    const options = { store, args, deadline: PATIENCE + 20000 };
    const run = await child.run({ toString: () => body }, options);
    const last = () => `${run.output}\nlast call: ${fs.readFileSync(file, 'utf8')}`;
    assert.deepStrictEqual([run.code, run.signal], [0, null], last());
    assert.deepStrictEqual(run.messages[0].wrong, [], last());
    return run.messages[0].count;
  } finally {
    removeFolder(folder);
  }
}

/** [job, title] */
const EVERYWHERE = [
  ['table', 'every method, every position, every value'],
  ['nested', 'every value inside of arrays, members and options: named, and nothing is written'],
  ['random', 'random calls'],
];
/** What has little to do with the store. */
const ONCE = [
  ['life', 'start, stop, constructors, and methods on what they are not made for'],
  ['options', 'every option with every value'],
  ['apps', 'an app, frontends and managers that give junk'],
  ['inside', 'getters that call the service while it reads their array'],
];

stores('Fuzz', (ctx) => {
  const declare = (row, [job, title]) =>
    row(title, async () => assert.ok((await fuzz(job, ctx.store)) > 10), {
      timeout: PATIENCE + 30000,
    });
  for (const each of EVERYWHERE) declare(ours, each);
  for (const each of ONCE) declare(ours.embedded, each);
});
