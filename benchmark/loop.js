'use strict';
/**
 * The closed loop: keeps a number of calls in flight (each answer makes the next call) and measures meanwhile. What is
 * called is in workload.js.
 */

const { setTimeout: pause } = require('node:timers/promises');
const clocks = require('./clocks');

class Loop {
  constructor(workload, inFlight) {
    this.workload = workload;
    this.underWay = inFlight;
    this.finished = 0;
    this.running = true;
    this.mark = Infinity;
    // One function for all calls, so that the loop allocates nothing.
    this.answer = (err, result) => this.#answered(err, result);
  }

  start() {
    for (let i = this.underWay; i > 0; i -= 1) this.workload.call(this.answer);
  }

  #answered(err, result) {
    this.finished += 1;
    if (err || !this.workload.check(result)) this.#fail(err || new Error('a wrong result'));
    if (this.finished === this.mark) this.onMark();
    if (this.running) {
      this.workload.call(this.answer);
      return;
    }
    this.underWay -= 1;
    if (this.underWay === 0 && this.onEnd) this.onEnd();
  }

  #fail(err) {
    this.running = false;
    this.failure = this.failure || err;
    if (this.onFailure) this.onFailure(this.failure);
  }

  /** Resolves to what `take` returns when it is called within the `count`-th answer. */
  at(count, take) {
    return new Promise((resolve, reject) => {
      if (this.failure) reject(this.failure);
      this.onFailure = reject;
      this.onMark = () => resolve(take());
      this.mark = count;
    });
  }

  /** Resolves when all calls are answered. */
  async end() {
    this.running = false;
    await new Promise((resolve) => {
      this.onEnd = resolve;
      if (this.underWay === 0) resolve();
    });
    if (this.failure) throw this.failure;
  }
}

/**
 * Measures with `inFlight` calls in flight: after at least `warmUp` seconds and `warmUpCalls` calls, about `seconds` are
 * measured, then the load continues for `coolDown` seconds.
 *
 * Answers may arrive in bursts of all calls in flight. So the measurement begins and ends with an answer, a multiple of
 * `inFlight` answers apart: at the same position in a burst.
 */
async function closedLoop(workload, { inFlight }, { warmUp, warmUpCalls, seconds, coolDown = 0 }) {
  const loop = new Loop(workload, inFlight);
  loop.start();
  await pause(warmUp * 1000);
  const begin = Math.max(loop.finished + 1, warmUpCalls);
  const from = await loop.at(begin, clocks.read);
  await pause(seconds * 1000);
  const turns = Math.floor((loop.finished - begin) / inFlight) + 1;
  const ops = turns * inFlight;
  const spent = await loop.at(begin + ops, () => clocks.since(from));
  if (coolDown) await pause(coolDown * 1000);
  await loop.end();
  return { ops, ...spent };
}

/** Measures `reads` calls one after the other, with a garbage collection before each. */
async function oneByOne(workload, { reads }) {
  const once = () =>
    new Promise((resolve, reject) => {
      workload.call((err, result) => {
        if (err || !workload.check(result)) reject(err || new Error('a wrong result'));
        else resolve();
      });
    });
  const total = { ops: reads, seconds: 0, mainCpu: 0, processCpu: 0 };
  // Not counted: it compiles the code for the others.
  await once();
  for (let i = 0; i < reads; i += 1) {
    global.gc();
    const from = clocks.read();
    await once();
    const spent = clocks.since(from);
    for (const name of Object.keys(spent)) {
      total[name] = spent[name] === null ? null : total[name] + spent[name];
    }
  }
  return total;
}

module.exports = { closedLoop, oneByOne };
