'use strict';

/**
 * One process of the suite, or one of its worker threads: its GlobalChannels (instance.js), and its worker threads with theirs.
 * It reports its progress to run.js; a thread reports to its process, which passes it on.
 */

const { EventEmitter, once } = require('events');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');
const { instance } = require('./instance');

const REPORT = 20;

/** From the outside like an instance. */
class Thread {
  constructor(jobs) {
    this.reads = 0;
    this.worker = new Worker(__filename, { workerData: { jobs, threads: [] } });
    // Fails with the worker's own words.
    this.worker.on('error', failed);
    this.worker.on('message', (message) => {
      this.reads = message.reads ?? this.reads;
      if (message.ready) this.isReady();
      if (message.results) this.isDone(message.results);
    });
  }

  start() {
    return new Promise((resolve) => (this.isReady = resolve));
  }

  begin() {
    this.worker.postMessage('begin');
  }

  grow() {
    this.worker.postMessage('grow');
  }

  save() {}

  finish() {
    this.worker.postMessage('finish');
    return new Promise((resolve) => (this.isDone = resolve));
  }
}

/** Does as `port` says (`begin`, any number of `grow`, `finish`), and says how far it is: `{ready}`, `{reads}`, `{results}`. */
async function serve({ jobs, threads }, port, say) {
  const words = new EventEmitter();
  port.on('message', (word) => words.emit(word));
  // They may come in one go.
  const [begun, finished] = [once(words, 'begin'), once(words, 'finish')];
  const parts = [...jobs.map(instance), ...threads.map((each) => new Thread(each))];
  await Promise.all(parts.map((part) => part.start()));
  say({ ready: true });
  await begun;
  for (const part of parts) part.begin();
  words.on('grow', () => parts[Math.floor(Math.random() * parts.length)].grow());
  const sum = () => parts.reduce((reads, part) => reads + part.reads, 0);
  const report = setInterval(() => {
    for (const part of parts) part.save();
    say({ reads: sum() });
  }, REPORT);
  await finished;
  clearInterval(report);
  const results = await Promise.all(parts.map((part) => part.finish()));
  say({ reads: sum(), results: results.flat() });
}

function failed(err) {
  console.error(err);
  process.exit(1);
}

const abandoned = () => process.exit(1);

async function main() {
  // The parent is gone.
  process.on('disconnect', abandoned);
  await serve(JSON.parse(process.argv[2]), process, (message) => process.send(message));
  process.off('disconnect', abandoned).disconnect();
}

async function thread() {
  await serve(workerData, parentPort, (message) => parentPort.postMessage(message));
  parentPort.close();
}

(isMainThread ? main() : thread()).catch(failed);
