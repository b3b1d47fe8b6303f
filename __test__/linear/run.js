'use strict';

/**
 * One run: four processes against one server through the slow proxy, with chaos, until they have
 * read enough; its history is checked. What the processes do is process.js, what is done to them
 * chaos.js. Which runs there are is for the test files to say.
 */

const { fork } = require('child_process');
const { once } = require('events');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { until } = require('../support/until');
const { slowProxy } = require('./delays');
const { chaos } = require('./chaos');
const { emptyHistory, addLog } = require('./log');
const { check } = require('./checker');

/** Both writers read as well, so that own and foreign writes meet in one cache. */
const PROCESSES = [
  { name: 'writer-a', reads: true },
  { name: 'writer-b', reads: true },
  { name: 'reader-a', reads: true },
  { name: 'reader-b', reads: true },
];
const STALE = 'reader-b';
const DEADLINE = 300000;

class Process {
  constructor(options, { nodeArgs = [], env = {} }) {
    Object.assign(this, options, { count: 0, ready: false, result: null });
    this.child = fork(path.join(__dirname, 'process.js'), [JSON.stringify(options)], {
      execArgv: nodeArgs,
      env: { ...process.env, ...env },
      silent: true,
    });
    this.output = '';
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.on('data', (chunk) => (this.output += chunk));
    }
    this.child.on('message', ({ ready, done, reads, ...result }) => {
      if (ready) this.ready = true;
      if (reads !== undefined) this.count = reads;
      if (done) this.result = { reads, ...result };
    });
    this.closed = once(this.child, 'exit').then(([code, signal]) => (this.end = { code, signal }));
  }

  /** True once `condition` is; a process that ended before fails the run. */
  has(condition) {
    if (this.end && !this.result) {
      throw new Error(`${this.name} ended: ${JSON.stringify(this.end)} ${this.output}`);
    }
    return Boolean(condition(this));
  }
}

/**
 * `reads` calls that read, over all processes. `chaos` are kinds of chaos.js, one each `every` reads;
 * `stale` makes one reader answer from copies of that age, `nodeArgs` and `env` are for all processes,
 * so that another addon can be loaded. Resolves to the answer of the checker, with the
 * processes' counts and stats as `processes` and how often which chaos came as `met`.
 */
async function run(redis, { reads, kinds = [], every = 500, stale, nodeArgs, env }) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'linear-'));
  const wire = await slowProxy(redis.port);
  const fileOf = (name) => path.join(folder, name);
  const processes = PROCESSES.map(({ name, ...options }) => {
    const job = { ...options, name, port: wire.port, file: fileOf(name) };
    if (name === STALE) job.stale = stale;
    return new Process(job, { nodeArgs, env });
  });
  const all = (condition, what) =>
    until(() => processes.every((each) => each.has(condition)), what, DEADLINE);
  const history = emptyHistory();
  try {
    await all(({ ready }) => ready, 'the processes to start');
    for (const { child } of processes) child.send('go');
    let running = true;
    const met = {};
    const sum = () => processes.reduce((sum, { count }) => sum + count, 0);
    const world = { redis, wire, history, met, reads: sum, running: () => running };
    const trouble = chaos(kinds, every, world);
    const enough = () => {
      processes.forEach((each) => each.has(() => true));
      return sum() >= reads && Object.values(met).every((count) => count > 0);
    };
    await until(enough, `${reads} reads`, DEADLINE);
    running = false;
    await trouble;
    for (const { child } of processes) child.send('stop');
    await all(({ result }) => result, 'the processes to finish');
    await Promise.all(processes.map(({ closed }) => closed));
    for (const { name } of processes) addLog(history, name, fileOf(name));
    // A call that is sent again may read what was called after it.
    const strict = !kinds.includes('kill') && !kinds.includes('cut');
    return { ...check(history, { strict }), met, processes: processes.map(({ result }) => result) };
  } finally {
    for (const { child } of processes) child.kill('SIGKILL');
    await wire.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { run };
