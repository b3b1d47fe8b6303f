'use strict';
/**
 * The contestants of one round as one asks them: `measure` a cell, `end`. All but the limit are
 * child processes, alive during the whole round and idle while another one is measured.
 */

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { commandOf, measureLimit } = require('./limit');

// Far above any cell; what hangs so long counts as failed.
const PATIENCE = 90000;
const GRACE = 5000;

class ContestantProcess {
  /** `profiles` is a folder for CPU profiles, if they are wanted. */
  constructor(port, contestant, profiles) {
    this.port = port;
    this.contestant = contestant;
    this.execArgv = ['--expose-gc'];
    if (profiles) this.execArgv.push('--cpu-prof', `--cpu-prof-dir=${profiles}`);
    if (profiles) this.execArgv.push(`--cpu-prof-name=${contestant.id}-${Date.now()}.cpuprofile`);
    this.child = null;
  }

  /** Is there anything to measure? */
  takes() {
    return true;
  }

  async measure(cell, timing) {
    try {
      if (!this.child) await this.#start();
      return await this.#ask({ cell, timing });
    } catch (err) {
      // A contestant that failed starts afresh with the next cell.
      await this.end();
      return { error: err.message };
    }
  }

  async #start() {
    this.child = fork(
      path.join(__dirname, 'child.js'),
      [JSON.stringify({ port: this.port, contestant: this.contestant })],
      { execArgv: this.execArgv },
    );
    await this.#ask(null);
  }

  #ask(message) {
    const { child } = this;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle({ error: 'no answer' }), PATIENCE);
      const onExit = (code, signal) => settle({ error: `ended with ${signal || code}` });
      function settle({ result, error }) {
        clearTimeout(timer);
        child.off('message', settle);
        child.off('exit', onExit);
        if (error) reject(new Error(error));
        else resolve(result);
      }
      child.on('message', settle);
      child.on('exit', onExit);
      if (message) child.send(message);
    });
  }

  /** Lets it go by itself, as it must to write a profile; one that hangs is killed. */
  async end() {
    const { child } = this;
    this.child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const timer = setTimeout(() => child.kill('SIGKILL'), GRACE);
    const exit = once(child, 'exit');
    if (child.connected) child.disconnect();
    await exit;
    clearTimeout(timer);
  }
}

class Limit {
  constructor(port) {
    this.port = port;
  }

  takes(cell) {
    return commandOf(cell) !== null;
  }

  measure(cell, timing) {
    return measureLimit(this.port, cell, timing).catch((err) => ({ error: err.message }));
  }

  async end() {}
}

const create = (port, contestant, profiles) =>
  contestant.impl ? new ContestantProcess(port, contestant, profiles) : new Limit(port);

module.exports = { create };
