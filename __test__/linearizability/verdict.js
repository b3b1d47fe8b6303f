'use strict';

/** What the runs of the suite are judged by, and how many reads they make. */

const assert = require('node:assert');
const { smallest, summary } = require('./excerpt');

const READS = Number(process.env.LINEAR_READS) || 100000;

/** What a call may fail with where connections break. */
const BROKEN = ['ERR_GLOBAL_CHANNEL_DISCONNECTED', 'ERR_GLOBAL_CHANNEL_TIMEOUT'];

function noneWrong(result, t, allowed) {
  t.diagnostic(summary(result));
  const { violations } = result;
  assert.strictEqual(violations.length, 0, violations.length > 0 && smallest(violations));
  const failed = result.processes.flatMap(({ failed }) => Object.keys(failed));
  assert.deepStrictEqual(
    failed.filter((code) => !allowed.includes(code)),
    [],
    'calls failed',
  );
}

module.exports = { BROKEN, READS, noneWrong };
