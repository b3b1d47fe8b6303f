'use strict';

/**
 * `npm test` itself (scripts/test.js): it continues after a failed stage, of a failed test it shows the name, the error and
 * the output of the test file, and when it is killed its tests end.
 */

const assert = require('node:assert');
const { describe, it, before, after } = require('node:test');
const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const { npmCommand, root } = require('../scripts/lib/process');
const { descendants, isAlive } = require('./support/processes');
const { until } = require('./support/until');

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

const RUN = `
require('./scripts/lib/end-with-parent');
const { runNodeTests } = require('./scripts/lib/node-tests');
runNodeTests([process.argv[1]], { concurrency: 1, timeout: 60000 }).then((result) => {
  require('fs').writeFileSync(process.argv[2], JSON.stringify(result));
});`;

/** Starts a server, a process that knows nothing of servers, and the servers of a cluster, and does not end. */
const ENDLESS = `
const { it } = require('node:test');
const { spawn } = require('child_process');
const { once } = require('events');
const fs = require('fs');
const { Processes } = require(${JSON.stringify(path.join(root, 'demo/processes'))});
const redis = require(${JSON.stringify(path.join(root, '__test__/support/redis'))});

const WAIT = ['-e', 'console.log(); setInterval(() => {}, 1000)'];

it('does not end', async () => {
  await redis.start();
  await once(spawn(process.execPath, WAIT).stdout, 'data');
  const server = new Processes().start('server', process.execPath, WAIT);
  await once(server.child.stdout, 'data');
  fs.writeFileSync(process.env.READY, '');
  await new Promise((resolve) => setTimeout(resolve, 600000));
});`;

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
    assert.match(stdout, /The end of .*fmt\.log:[^]*cargo: spawn cargo ENOENT/);
    assert.match(stdout, /^Only these: npm test -- fmt$/m);
    assert.match(stdout, /\n1 passed, 1 failed\n$/);
  });

  it('counts tests, and reports name, error and output of a failed one', () => {
    const [fixture, result] = ['fixture.js', 'result'].map((name) => path.join(folder, name));
    fs.writeFileSync(fixture, FIXTURE);
    const { stderr } = node(['-e', RUN, fixture, result]);
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

  /** Starts a command, kills its process when the endless test below it waits, and waits for the end of all others. */
  async function killed([program, args], cwd) {
    const { NODE_TEST_CONTEXT, NODE_OPTIONS, npm_lifecycle_event: _, ...env } = process.env;
    const ready = path.join(folder, 'ready');
    fs.rmSync(ready, { force: true });
    const options = { cwd, env: { ...env, READY: ready }, stdio: 'ignore' };
    const runner = spawn(program, args, options);
    let below = [];
    try {
      const isReady = () => runner.exitCode !== null || fs.existsSync(ready);
      await until(isReady, 'the test to begin', 60000);
      below = descendants(runner.pid);
      // The runner of the file, the file, its processes, and what ends these.
      assert.ok(below.length >= 7, `${below}`);
      runner.kill('SIGKILL');
      await until(() => !below.some(isAlive), 'all processes to end', 60000);
    } finally {
      for (const pid of [runner.pid, ...below]) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
    }
  }

  const noPs = { skip: process.platform === 'win32' && 'tells no parent that has ended' };

  it('ends its tests and what they have started when it is killed', noPs, async () => {
    const fixture = path.join(folder, 'endless.js');
    fs.writeFileSync(fixture, ENDLESS);
    await killed([process.execPath, ['-e', RUN, fixture, path.join(folder, 'result')]], root);
  });

  it(
    'ends them when npm is killed, whose shell goes on',
    {
      skip: process.platform !== 'linux' && 'takes /proc',
    },
    async () => {
      const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
      const direct = Object.values(scripts).filter((script) => script.includes('--test '));
      const [way] = /node --require \.\S+ --test /.exec(scripts['test:chaos']) || [];
      assert.ok(direct.length > 0 && direct.every((script) => script.includes(way)), `${direct}`);
      fs.writeFileSync(path.join(folder, 'endless.js'), ENDLESS);
      const test = `true && ${way.replace('./', `${root}/`)} endless.js`;
      fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ scripts: { test } }));
      await killed(npmCommand(['run', 'test']), folder);
    },
  );
});
