'use strict';
/**
 * Runs the real demo in a process of its own, with its own temporary folder: starts it with arguments, reads its output, and
 * checks what it leaves behind. The assertions are in demo.test.js and web.test.js.
 */

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { descendants, isAlive } = require('../support/processes');
const { until } = require('./support');

const RUN = path.join(__dirname, '../../demo/run.js');
const TIMEOUT = 30000;

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
    await until(() => !pids.some(isAlive), 'the processes of the demo to end', TIMEOUT);
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
