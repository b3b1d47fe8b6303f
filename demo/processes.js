'use strict';
/**
 * The child processes of a run and their temporary folder: starts them, reads their output, ends them by pid. Nothing
 * outlives the run: not after an error, not after Ctrl-C or SIGTERM, not when a child hangs (SIGKILL after 3 s), not
 * when the run itself is killed (watchdog.js).
 */

const fs = require('fs');
const os = require('os');
const path = require('path');
const { once } = require('events');
const { spawn } = require('child_process');
const { setTimeout: pause } = require('timers/promises');

const LOOPBACK = '127.0.0.1';
const GRACE = 3000;
const LOG_LIMIT = 200000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Polls until `condition` is true; throws an error that says what was awaited if it is not in time. */
async function until(condition, what, timeout = 15000) {
  const deadline = Date.now() + timeout;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`after ${timeout} ms still waiting for ${what}`);
    await pause(10);
  }
}

class Processes {
  constructor() {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), 'pome-cluster-'));
    this.running = new Map();
    this.stopping = null;
    /** Can be set: called when all processes have ended, before the folder is removed; may return a promise. */
    this.afterAll = undefined;
    const watchdog = [path.join(__dirname, 'watchdog.js'), this.directory];
    this.watchdog = spawn(process.execPath, watchdog, {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    this.onExit = () => this.#leaveNothing();
    this.onSignal = (signal) => {
      // The terminal and npm both send SIGINT on Ctrl-C, so a second one is ignored.
      if (this.stopping) return;
      this.stopAll().finally(() => process.exit(128 + os.constants.signals[signal]));
    };
    process.on('exit', this.onExit);
    for (const signal of SIGNALS) process.on(signal, this.onSignal);
  }

  /**
   * Starts a process. The result has `name`, `pid`, `log()` (the end of its output), `exit` (null, then
   * `{code, signal, expected}`), `onMessage` (can be set) and `send`.
   */
  start(name, command, args, { env = {}, ipc = false } = {}) {
    if (this.stopping) throw new Error('stopping');
    const child = spawn(command, args, {
      cwd: this.directory,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? ['ipc'] : [])],
    });
    let log = '';
    const entry = {
      name,
      child,
      pid: child.pid,
      expected: false,
      exit: null,
      log: () => log,
      send: (message) => child.connected && child.send(message, () => {}),
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        log = (log + text).slice(-LOG_LIMIT);
      });
    }
    child.on('message', (message) => entry.onMessage?.(message));
    entry.exited = new Promise((resolve) => {
      const ended = (exit) => {
        entry.exit = { ...exit, expected: entry.expected };
        this.running.delete(child);
        this.#tellWatchdog({ ended: child.pid });
        resolve(entry.exit);
      };
      child.once('exit', (code, signal) => ended({ code, signal }));
      child.once('error', (error) => !child.pid && ended({ code: null, signal: null, error }));
    });
    this.running.set(child, entry);
    this.#tellWatchdog({ started: child.pid });
    return entry;
  }

  /** Ends a process with `signal`, after 3 s with SIGKILL; resolves to how it ended. */
  async stop(entry, signal = 'SIGTERM') {
    entry.expected = true;
    entry.child.kill(signal);
    const timer = setTimeout(() => entry.child.kill('SIGKILL'), GRACE);
    const exit = await entry.exited;
    clearTimeout(timer);
    return exit;
  }

  /** Ends all processes and removes the folder; later calls return the same promise. */
  stopAll() {
    this.stopping ??= this.#stopAll();
    return this.stopping;
  }

  async #stopAll() {
    await Promise.all([...this.running.values()].map((entry) => this.stop(entry)));
    try {
      await this.afterAll?.();
    } finally {
      fs.rmSync(this.directory, { recursive: true, force: true });
      process.off('exit', this.onExit);
      for (const signal of SIGNALS) process.off(signal, this.onSignal);
      if (this.watchdog.connected) {
        this.watchdog.disconnect();
        await once(this.watchdog, 'exit');
      }
    }
  }

  #tellWatchdog(message) {
    if (this.watchdog.connected) this.watchdog.send(message, () => {});
  }

  /** Kills all processes synchronously, for the `exit` event, where nothing can be awaited. */
  #leaveNothing() {
    for (const { child } of this.running.values()) child.kill('SIGKILL');
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

module.exports = { LOOPBACK, Processes, until };
