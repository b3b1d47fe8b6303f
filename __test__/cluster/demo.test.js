'use strict';
/**
 * `npm run demo`, after set-up: what it shows, that its check can fail, and that it leaves neither
 * a process nor a file behind, however it ends. Runs the real demo in a process of its own.
 */

const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { beforeEach, afterEach, describe } = require('node:test');
const { same, until } = require('./support');

const RUN = path.join(__dirname, '../../demo/run.js');
const GOOD = 'Every client got each message due exactly once, and no other.';
// master, 3 connectors, 2 chat servers, Redis, the watchdog
const PROCESSES = 8;

/** Pids of all descendants of a process. */
function descendants(pid) {
  const rows = execFileSync('ps', ['-A', '-o', 'ppid=,pid='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found = [pid];
  // The list grows while it is walked.
  for (const parent of found) {
    found.push(...rows.filter(([ppid]) => ppid === parent).map(([, child]) => child));
  }
  return found.slice(1);
}

/** Also false for a process that is dead and only waits for its parent to notice. */
function isAlive(pid) {
  try {
    const state = execFileSync('ps', ['-p', String(pid), '-o', 'stat='], { encoding: 'utf8' });
    return !state.trim().startsWith('Z');
  } catch {
    return false;
  }
}

describe('the demo', () => {
  let temp;
  let demo;

  beforeEach(() => {
    temp = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-demo-test-'));
  });

  afterEach(() => {
    demo.child.kill('SIGTERM');
    fs.rmSync(temp, { recursive: true, force: true });
  });

  function run(env = {}) {
    const child = spawn(process.execPath, [RUN], {
      env: { ...process.env, TMPDIR: temp, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    demo = { child, output: '', end: null };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (demo.output += text));
    }
    child.once('close', (code, signal) => (demo.end = { code, signal }));
    demo.said = (text) =>
      until(() => demo.output.includes(text) || demo.end, `the demo to say ${text}`, 30000);
    demo.ended = () => until(() => demo.end, 'the demo to end', 30000);
    return demo;
  }

  /** `ps` does not see the folder; the processes are gone by their pids, the files by name. */
  async function assertNothingLeft(pids) {
    await until(() => !pids.some(isAlive), 'the processes of the demo to end', 5000);
    assert.deepStrictEqual(fs.readdirSync(temp), []);
  }

  same('ends by itself with exit code 0 and shows every connector', async () => {
    const { ended } = run();
    await ended();
    assert.deepStrictEqual(demo.end, { code: 0, signal: null }, demo.output);
    assert.ok(demo.output.includes(GOOD), demo.output);
    for (const connector of ['connector-1', 'connector-2', 'connector-3']) {
      // | connector | clients | members | got it | ms to last |
      const row = new RegExp(`${connector}\\D+20\\D+20\\D+20\\D+\\d`);
      assert.match(demo.output, row);
    }
    await assertNothingLeft([]);
  });

  const faults = {
    drop: /user-60 got 0 copies of message 1, expected 1/,
    twice: /user-21 got 2 copies of message 2, expected 1/,
    stray: /user-1 got 1 copies of message 2, expected 0/,
  };
  for (const [fault, problem] of Object.entries(faults)) {
    same(`ends with exit code 1 and says who was wronged (${fault})`, async () => {
      await run({ DEMO_FAULT: fault }).ended();
      assert.strictEqual(demo.end.code, 1, demo.output);
      assert.match(demo.output, problem);
      assert.ok(!demo.output.includes(GOOD));
      await assertNothingLeft([]);
    });
  }

  same('Ctrl-C in the middle leaves no process and no file', async () => {
    await run().said('message 2');
    const pids = descendants(demo.child.pid);
    assert.strictEqual(pids.length, PROCESSES, demo.output);
    demo.child.kill('SIGINT');
    await demo.ended();
    assert.strictEqual(demo.end.code, 130, demo.output);
    await assertNothingLeft(pids);
  });

  same('SIGTERM while the cluster starts leaves no process and no file', async () => {
    run();
    let pids = [];
    const some = () => (pids = descendants(demo.child.pid)).length >= 4;
    await until(() => some() || demo.end, 'servers to start');
    assert.strictEqual(demo.end, null, demo.output);
    demo.child.kill('SIGTERM');
    await demo.ended();
    assert.strictEqual(demo.end.code, 143, demo.output);
    await assertNothingLeft(pids);
  });

  same('Ctrl-C ends processes that hang as well', async () => {
    await run().said('message 1');
    const pids = descendants(demo.child.pid);
    assert.strictEqual(pids.length, PROCESSES, demo.output);
    for (const pid of pids.slice(1, 4)) process.kill(pid, 'SIGSTOP');
    demo.child.kill('SIGINT');
    await demo.ended();
    assert.strictEqual(demo.end.code, 130, demo.output);
    await assertNothingLeft(pids);
  });

  same('a demo that is killed leaves no process and no file', async () => {
    await run().said('message 1');
    const pids = descendants(demo.child.pid);
    assert.strictEqual(pids.length, PROCESSES, demo.output);
    demo.child.kill('SIGKILL');
    await demo.ended();
    await assertNothingLeft(pids);
  });

  same('without redis-server it says what to install', async () => {
    await run({ REDIS_SERVER: path.join(temp, 'no-such-file') }).ended();
    assert.strictEqual(demo.end.code, 1);
    assert.match(demo.output, /redis-server was not found.*apt-get install redis-server/s);
    await assertNothingLeft([]);
  });
});
