'use strict';
/**
 * Runs the real demo in a process of its own, with its own temporary folder: starts it with arguments, reads its output, and
 * checks what it leaves behind. The assertions are in demo.test.js and web.test.js.
 */

const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { until } = require('./support');

const RUN = path.join(__dirname, '../../demo/run.js');
const TIMEOUT = 30000;

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

class DemoRun {
  constructor() {
    this.temp = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-demo-test-'));
  }

  start(args = [], env = {}) {
    this.child = spawn(process.execPath, [RUN, ...args], {
      env: { ...process.env, TMPDIR: this.temp, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.output = '';
    this.end = null;
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => (this.output += text));
    }
    this.child.once('close', (code, signal) => (this.end = { code, signal }));
    return this;
  }

  async said(text) {
    await until(() => this.output.includes(text) || this.end, `the demo to say ${text}`, TIMEOUT);
    assert.ok(this.output.includes(text), this.output);
  }

  ended() {
    return until(() => this.end, 'the demo to end', TIMEOUT);
  }

  /** Pids of the processes that it has started and that live. */
  descendants() {
    return descendants(this.child.pid);
  }

  /** `ps` does not see the folder; the processes are gone by their pids, the files by name. */
  async assertNothingLeft(pids) {
    await until(() => !pids.some(isAlive), 'the processes of the demo to end', 5000);
    assert.deepStrictEqual(fs.readdirSync(this.temp), []);
  }

  /** For `after`: it ends, whatever the test did. */
  async close() {
    this.child?.kill('SIGTERM');
    if (this.child) await this.ended();
    fs.rmSync(this.temp, { recursive: true, force: true });
  }
}

module.exports = { DemoRun };
