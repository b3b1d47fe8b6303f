'use strict';

/**
 * The tests of the cache detect each broken rule: one rule at a time is broken by name, in a test build of the addon,
 * and the test of that rule must fail. Without a broken rule the same build passes all of them.
 */

const assert = require('node:assert');
const { spawn } = require('child_process');
const { once } = require('events');
const fs = require('fs');
const path = require('path');
const { describe, it, before } = require('node:test');
const { ADDON, rules } = require('./use-broken');
const { IMPL } = require('../support/rows');

const MINUTES = 60 * 1000;

/** name → [file, the schedule that must fail] */
const BROKEN = {
  'no-barrier': ['reads', 'no barrier'],
  'no-token': ['reads', 'no token'],
  'no-place': ['reads', 'no token'],
  'place-too-late': ['reads', 'no token'],
  'null-keeps-loads': ['reads', 'null push keeps loads'],
  'joins-sent-load': ['reads', 'joins a load already sent'],
  'shares-sent-barrier': ['reads', 'shares a barrier already sent'],
  'not-together': ['reads', 'one frontend of a channel changed: all are read'],
  'by-reference': ['reads', 'candidate held by reference'],
  'no-fallback-for-reads': ['reads', 'a later read is not older'],
  'no-fallback-same-batch': ['writes', 'own write after a candidate, same batch'],
  'no-fallback-next-batch': ['writes', 'own write after a candidate, next batch'],
  'no-fallback-open': ['writes', 'leaveAll after a candidate'],
  'barrier-ignores-count': ['barrier', 'barrier ignores count'],
  'barrier-ignores-empty': ['table', 'barrier ignores empty'],
  'barrier-ignores-redirect': ['../topology/cluster-cache', 'of a slot that moved'],
  'barrier-one-sum': ['table', 'barrier one sum'],
  'fills-untracked': ['table', 'fills untracked'],
  'caching-not-sent': ['table', 'caching not sent'],
  'caching-unanswered': ['table', 'caching unanswered'],
  'keeps-dead-keys': ['table', 'keeps debts'],
  'cache-on-resp2': ['off', 'RESP2 fallback'],
};
/** Found by histories of the model only (src/cache/tests/rules.rs): they take several batches that wait for one another. */
const IN_MODEL = [
  'joins-older-load',
  'joins-over-candidate',
  'joins-over-command',
  'joins-over-reread',
  'serves-moved',
];
/** What goes wrong here must do no harm: these schedules must pass. */
const HARMLESS = { 'panicking-closure': 'panic' };

const FILES = [...new Set(Object.values(BROKEN).map(([file]) => file))];

/** A pattern of Node's test runner for titles with this text. */
const withText = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');

/**
 * Runs one file of schedules on the test build, or only those with `schedule` in their title: `{passed, failed}`, titles
 * each.
 */
async function run(file, broken, schedule) {
  const args = ['-r', path.join(__dirname, 'use-broken.js'), '--test-reporter=tap'];
  if (schedule) args.push(`--test-name-pattern=${withText(schedule)}`);
  const env = { ...process.env, GLOBALCHANNEL_TEST_BUILD: '1', GLOBALCHANNEL_BROKEN: broken };
  // Set by the runner of this file: the child would report to it instead of to its output.
  delete env.NODE_TEST_CONTEXT;
  if (!broken) delete env.GLOBALCHANNEL_BROKEN;
  const child = spawn(process.execPath, [...args, path.join(__dirname, `${file}.test.js`)], {
    env,
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  const timer = setTimeout(() => child.kill('SIGKILL'), 3 * MINUTES);
  await once(child, 'close');
  clearTimeout(timer);
  const titles = (start) =>
    Array.from(output.matchAll(new RegExp(`^ *${start} \\d+ - (.*)$`, 'gm')), (match) => match[1]);
  return { passed: titles('ok'), failed: titles('not ok'), output };
}

describe('Broken caches', { skip: IMPL === 'old' && 'not about 0.0.7', concurrency: 3 }, () => {
  before(() => {
    assert.ok(fs.existsSync(ADDON), 'make it with: node scripts/build.js --broken');
  });

  for (const file of FILES) {
    it(`nothing broken: all of ${file}.test.js passes`, { timeout: 4 * MINUTES }, async () => {
      const { passed, failed, output } = await run(file);
      assert.deepStrictEqual(failed, [], output);
      assert.ok(passed.length > 0, output);
    });
  }

  it('every rule that can be broken has its schedule', () => {
    const names = rules().filter((name) => !name.startsWith('embedded-'));
    const known = [...Object.keys(BROKEN), ...IN_MODEL, ...Object.keys(HARMLESS)];
    assert.deepStrictEqual(names.sort(), known.sort());
  });

  for (const [name, file] of Object.entries(HARMLESS)) {
    it(`${name}: all of ${file}.test.js passes`, { timeout: 4 * MINUTES }, async () => {
      const { passed, failed, output } = await run(file, name);
      assert.deepStrictEqual(failed, [], output);
      assert.ok(passed.length > 0 && !output.includes('# SKIP'), output);
    });
  }

  for (const [name, [file, schedule]] of Object.entries(BROKEN)) {
    it(`${name} is caught by: ${schedule}`, { timeout: 4 * MINUTES }, async () => {
      const { failed, output } = await run(file, name, schedule);
      assert.ok(
        failed.some((title) => title.startsWith(schedule)),
        `it passed: ${output}`,
      );
    });
  }
});
