'use strict';
/**
 * Another process that writes to the same store: a service of the same contestant, which adds and removes the users that
 * it is told. For the churn that a process does not make itself.
 *
 * This file is both sides: `OtherProcess` for child.js, and, run by fork, the process.
 */

const { fork } = require('node:child_process');

class OtherProcess {
  /** `argument` is that of child.js. */
  constructor(argument) {
    this.told = [];
    this.done = () => {};
    this.underWay = 0;
    this.child = fork(__filename, [argument], { execArgv: [] });
    this.child.on('message', ({ count, error }) => {
      if (error) this.error = error;
      this.underWay -= count;
      if (this.underWay <= 0 || this.error) this.done();
    });
    this.child.once('exit', (code) => {
      this.error = this.error || `the other process ended with ${code}`;
      this.done();
    });
  }

  add(name, uid, sid) {
    this.#tell('add', name, uid, sid);
  }

  leave(name, uid, sid) {
    this.#tell('leave', name, uid, sid);
  }

  /** Sends the writes of one turn of the event loop as one message, so that telling costs little. */
  #tell(...write) {
    this.told.push(write);
    this.underWay += 1;
    if (this.told.length > 1) return;
    setImmediate(() => {
      const told = this.told;
      this.told = [];
      if (this.child.connected) this.child.send(told);
    });
  }

  /** Resolves when all writes are done. */
  async idle() {
    if (this.underWay > 0 && !this.error) await new Promise((resolve) => (this.done = resolve));
    this.done = () => {};
    if (this.error) throw new Error(this.error);
  }
}

async function serve() {
  const { started } = require('../__test__/support/service');
  const { serviceOptions } = require('./managers');
  const { options, contestant } = JSON.parse(process.argv[2]);
  const store = { options: () => options };
  const { impl } = contestant;
  const service = await started(store, serviceOptions(contestant), undefined, impl);
  process.on('disconnect', () => process.exit());
  process.on('message', (told) => {
    let missing = told.length;
    for (const [method, name, uid, sid] of told) {
      service[method](name, uid, sid, (err) => {
        missing -= 1;
        if (err) process.send({ count: 0, error: String(err) });
        if (missing === 0) process.send({ count: told.length });
      });
    }
  });
}

if (require.main === module) serve();

module.exports = { OtherProcess };
