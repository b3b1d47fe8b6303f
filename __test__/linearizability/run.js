'use strict';

/**
 * One run: a few processes on one store, with faults, until they have read enough; then its history is checked. Stores are in
 * places.js, processes in process.js, faults in chaos.js. The test files define the runs.
 */

const { fork } = require('child_process');
const { once } = require('events');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { until } = require('../support/until');
const { chaos } = require('./chaos');
const { emptyHistory, addLog } = require('./log');
const { check } = require('./checker');

const STALE = 'reader-b';
const DEADLINE = 300000;
/** What the deadline of a run has for each fault: an election on a busy machine takes some seconds. */
const PER_FAULT = 15000;

class Process {
  /** `what` is for process.js. */
  constructor(what, { nodeArgs = [], env = {} }) {
    Object.assign(this, { what, nodeArgs, env, results: null, readBefore: 0 });
    this.launch();
  }

  launch() {
    Object.assign(this, { ready: false, count: 0, end: null, output: '' });
    const child = fork(path.join(__dirname, 'process.js'), [JSON.stringify(this.what)], {
      execArgv: this.nodeArgs,
      env: { ...process.env, ...this.env },
      silent: true,
    });
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => (this.output += chunk));
    }
    child.on('message', ({ ready, reads, results }) => {
      if (child !== this.child) return;
      if (ready) this.ready = true;
      if (reads !== undefined) this.count = reads;
      if (results) this.results = results;
    });
    this.closed = once(child, 'exit').then(([code, signal]) => {
      if (child === this.child) this.end = { code, signal };
    });
  }

  get reads() {
    return this.readBefore + this.count;
  }

  /** True once `condition` is; a process that ended before fails the run. */
  has(condition) {
    if (this.end && !this.results && !this.renewing) {
      const names = this.what.jobs.map(({ name }) => name);
      throw new Error(`${names} ended: ${JSON.stringify(this.end)} ${this.output}`);
    }
    return Boolean(condition(this));
  }

  /** Killed, and started again. */
  async renew() {
    this.renewing = true;
    this.child.kill('SIGKILL');
    await this.closed;
    this.readBefore += this.count;
    this.launch();
    this.renewing = false;
    await until(() => this.has(({ ready }) => ready), 'a process to start again', DEADLINE);
    this.child.send('begin');
  }
}

/**
 * `open` opens a place (places.js); `reads` calls that read, over all processes. `chaos` are kinds of
 * chaos.js, one each `every` reads, each kind at least so many `times`; `stale` makes one reader answer from copies of that age, `nodeArgs` and
 * `env` are for all processes, so that another addon can be loaded. Resolves to the answer of the checker,
 * with the counts and stats of the GlobalChannels as `processes` and how often which chaos came as `met`.
 */
async function run(open, { reads, kinds = [], every = 700, times = 1, stale, nodeArgs, env }) {
  const place = await open();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'linear-'));
  const fileOf = (name) => path.join(folder, name);
  const names = [];
  const job = (options) => {
    const { name } = options;
    names.push(name);
    return { ...options, file: fileOf(name), ...(name === STALE && { stale }) };
  };
  const processes = place.processes.map(({ jobs, threads }) => {
    const what = { jobs: jobs.map(job), threads: threads.map((each) => each.map(job)) };
    return new Process(what, { nodeArgs, env });
  });
  const all = (condition, what) =>
    until(() => processes.every((each) => each.has(condition)), what, DEADLINE);
  const history = emptyHistory();
  let running = true;
  let trouble = Promise.resolve();
  try {
    await all(({ ready }) => ready, 'the processes to start');
    for (const { child } of processes) child.send('begin');
    const met = {};
    const sum = () => processes.reduce((sum, process) => sum + process.reads, 0);
    const world = { ...place.world, processes, history, met, reads: sum, running: () => running };
    let failure;
    trouble = chaos(kinds, every, world).catch((err) => (failure = err));
    const enough = () => {
      if (failure) throw failure;
      processes.forEach((each) => each.has(() => true));
      return sum() >= reads && Object.values(met).every((count) => count >= times);
    };
    const what = `${reads} reads, and each fault ${times} times`;
    await until(enough, what, DEADLINE + PER_FAULT * times * kinds.length);
    running = false;
    await trouble;
    if (failure) throw failure;
    for (const { child } of processes) child.send('finish');
    await all(({ results }) => results, 'the processes to finish');
    await Promise.all(processes.map(({ closed }) => closed));
    for (const name of names) addLog(history, name, fileOf(name));
    // A call that is sent again may read what was called after it. It is if a node leaves while it is asked.
    const strict = !['kill', 'cut', 'visit'].some((kind) => kinds.includes(kind));
    const results = processes.flatMap((each) => each.results);
    return { ...check(history, { strict }), met, processes: results };
  } finally {
    // After a failure as well: the next run has the same store.
    running = false;
    await trouble;
    for (const { child } of processes) child.kill('SIGKILL');
    await place.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** How often a fault is looked for. */
const RUNS = 5;

/**
 * Runs of something broken, until `found` of a result has elements: mostly in the first, by dozens of reads; but chance has a
 * hand in it, the more so where a busy machine lets one process read before the others write. So each run has twice the reads
 * of the one before. Resolves to what was found; `tell` is called with each result.
 */
async function detected(open, { reads, ...options }, found, tell = () => {}) {
  for (let i = 0; i < RUNS; i += 1) {
    const result = await run(open, { ...options, reads: reads * 2 ** i });
    tell(result);
    if (found(result).length > 0) return found(result);
  }
  return [];
}

module.exports = { detected, run };
