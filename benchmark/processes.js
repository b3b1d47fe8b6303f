'use strict';
/**
 * The contestants of one round as one asks them: `measure` a cell, `end`. All but the limit are
 * child processes, alive during the whole round and idle while another one is measured.
 */

const { fork } = require('node:child_process');
const path = require('node:path');
const { commandOf, measureLimit } = require('./limit');

// Far above any cell; what hangs so long counts as failed.
const PATIENCE = 90000;

class ContestantProcess {
  constructor(port, contestant) {
    this.port = port;
    this.contestant = contestant;
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
      this.end();
      return { error: err.message };
    }
  }

  async #start() {
    this.child = fork(
      path.join(__dirname, 'child.js'),
      [JSON.stringify({ port: this.port, contestant: this.contestant })],
      { execArgv: ['--expose-gc'] },
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

  end() {
    if (this.child) this.child.kill('SIGKILL');
    this.child = null;
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

  end() {}
}

const create = (port, contestant) =>
  contestant.impl ? new ContestantProcess(port, contestant) : new Limit(port);

module.exports = { create };
