'use strict';
/**
 * The contestants of a round, with the methods `measure` and `end`. All but the limit are child processes that live for
 * the whole round and are idle while another one is measured.
 */

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { measureCrowd } = require('./crowd');
const { commandOf, measureLimit } = require('./limit');

// Far longer than any cell takes; a cell that takes longer has failed.
const PATIENCE = 90000;
const GRACE = 5000;

let profiled = 0;

class ContestantProcess {
  /** `store` is one of stores.js, `profiles` a folder for CPU profiles, if they are wanted. */
  constructor(store, contestant, profiles) {
    this.store = store;
    this.contestant = contestant;
    this.profiles = profiles;
    this.child = null;
  }

  /** Returns whether this contestant takes the cell. */
  takes(cell) {
    const { takes } = this.contestant;
    return !takes || takes(cell);
  }

  async measure(cell, timing) {
    try {
      if (cell.writers) return await measureCrowd(() => this.#another(), cell, timing);
      if (!this.child) await this.start();
      return await this.ask({ cell, timing });
    } catch (err) {
      // A contestant that failed is started again with the next cell.
      await this.end();
      return { error: err.message };
    }
  }

  #another() {
    return new ContestantProcess(this.store, this.contestant, this.profiles);
  }

  async start() {
    const { contestant, profiles } = this;
    const execArgv = ['--expose-gc'];
    if (profiles) execArgv.push('--cpu-prof', `--cpu-prof-dir=${profiles}`);
    if (profiles) execArgv.push(`--cpu-prof-name=${contestant.id}-${(profiled += 1)}.cpuprofile`);
    const argument = JSON.stringify({ options: this.store.options(), contestant });
    this.child = fork(path.join(__dirname, 'child.js'), [argument], { execArgv });
    await this.ask(null);
  }

  /** Sends `message`, if given, and resolves to the next result. */
  ask(message) {
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

  /** Waits until the process exits, so that it can write a profile; kills one that hangs. */
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
  constructor(store, { takes }) {
    this.store = store;
    this.mayTake = takes;
  }

  takes(cell) {
    return this.mayTake(cell) && commandOf(cell) !== null;
  }

  measure(cell, timing) {
    return measureLimit(this.store.options().port, cell, timing).catch((err) => ({
      error: err.message,
    }));
  }

  async end() {}
}

/** Creates a contestant on its store, one of `stores`. */
function create(stores, contestant, profiles) {
  const store = stores[contestant.store || 'redis'];
  return contestant.impl
    ? new ContestantProcess(store, contestant, profiles)
    : new Limit(store, contestant);
}

module.exports = { create };
