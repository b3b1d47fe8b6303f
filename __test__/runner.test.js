'use strict';

/**
 * `npm test` itself (scripts/test.js): it continues after a failed stage, and of a failed test it shows the name, the error and
 * the output of the test file.
 */

const assert = require('node:assert');
const { describe, it, before, after } = require('node:test');
const { spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const { root } = require('../scripts/lib/process');

const skip =
  parseInt(process.versions.node, 10) < 20 && 'the scripts of development take Node 20 or newer';

const FIXTURE = `
const { describe, it } = require('node:test');
describe('suite', () => {
  it('passes', () => {});
  it('fails', () => {
    console.log('said by the one that fails');
    throw new Error('on purpose');
  });
  it('is skipped', { skip: 'for a reason' }, () => {});
});`;

const COUNT = `
const { runNodeTests } = require('./scripts/lib/node-tests');
const result = runNodeTests([process.argv[1]], { concurrency: 1, timeout: 60000 });
require('fs').writeFileSync(process.argv[2], JSON.stringify(result));`;

describe('npm test', { skip }, () => {
  let folder;
  before(() => (folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-runner-'))));
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** As from a shell, without what a test runner above leaves in the environment. */
  function node(args, more) {
    const { NODE_TEST_CONTEXT, ...env } = process.env;
    const options = { cwd: root, env: { ...env, ...more }, encoding: 'utf8' };
    return spawnSync(process.execPath, args, options);
  }

  it('continues after a failed stage, names its log, and fails at the end', () => {
    // Without cargo on PATH the first of them fails.
    const env = { PATH: path.dirname(process.execPath), TEST_LOGS: folder };
    const { status, stdout } = node(['scripts/test.js', 'fmt', 'types'], env);
    assert.strictEqual(status, 1, stdout);
    assert.match(stdout, /^fmt .* 0 passed {2}1 FAILED$/m);
    assert.match(stdout, /^types .* 1 passed$/m);
    assert.match(stdout, /The end of .*fmt\.log:[^]*cargo: spawnSync cargo ENOENT/);
    assert.match(stdout, /^Only these: npm test -- fmt$/m);
    assert.match(stdout, /\n1 passed, 1 failed\n$/);
  });

  it('counts tests, and reports name, error and output of a failed one', () => {
    const [fixture, result] = ['fixture.js', 'result'].map((name) => path.join(folder, name));
    fs.writeFileSync(fixture, FIXTURE);
    const { stderr } = node(['-e', COUNT, fixture, result]);
    assert.ok(fs.existsSync(result), stderr);
    const { failures, ...counts } = JSON.parse(fs.readFileSync(result, 'utf8'));
    assert.deepStrictEqual(counts, { passed: 1, failed: 1, skipped: 1 });
    assert.deepStrictEqual(
      failures.map(({ title }) => title),
      ['suite > fails'],
    );
    assert.match(failures[0].text, /Error: on purpose[^]*fixture\.js printed last:/);
    assert.match(failures[0].text, /said by the one that fails/);
  });
});
