'use strict';

/**
 * The jobs of the worker threads of workers.test.js: `workerData` is `{job, opts, …}`. Each job reports by messages its progress
 * and its results.
 */

const { parentPort, workerData } = require('worker_threads');
const service = require('../support/service');
const { createApp, pushed } = require('../support/app');
const { call, ok } = require('../support/call');
const { Flight } = require('../faults/flight');

const { job, opts, uid = 'u', code } = workerData;
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port, not a window
const say = (message) => parentPort.postMessage(message);
const started = (options = opts) => service.started({ options: () => options }, {}, createApp());

/** Some of everything; answers what it read and pushed. */
async function use(channel) {
  await ok(channel, 'destroyChannel', 'n');
  channel.app.rpcCalls.length = 0;
  await ok(channel, 'add', 'n', uid, 's1');
  await ok(channel, 'add', 'n', `${uid}2`, 's2');
  await ok(channel, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
  const all = await ok(channel, 'getMembersByChannelName', 'connector', 'n');
  await ok(channel, 'leave', 'n', uid, 's1');
  const left = await ok(channel, 'getMembersBySid', 'n', 's1');
  return { all, left, pushed: pushed(channel.app) };
}

/** Keeps 500 commands in flight for ever. */
async function flood() {
  const channel = await started();
  let answered = 0;
  const again = (i) => {
    channel.add('n', i, 's1', () => {
      answered += 1;
      if (answered === 500) say('flooding');
      again(i);
    });
  };
  for (let i = 0; i < 500; i += 1) again(i);
}

const jobs = {
  bare: () => say(typeof service.factory()),

  async work() {
    const channel = await started();
    const seen = await use(channel);
    await call(channel, 'stop', true);
    say(seen);
  },

  async two() {
    const channels = await Promise.all(workerData.places.map(started));
    const seen = await Promise.all(channels.map(use));
    await call(channels[0], 'stop', true);
    seen.push(await use(channels[1]));
    await call(channels[1], 'stop', true);
    say(seen);
  },

  async inFlight() {
    const channel = await started();
    new Flight(channel, workerData.seed).send(500);
    setImmediate(say, 'in flight');
  },

  flood,

  async idle() {
    await started();
    say('started');
  },

  starting() {
    service.create({ ...opts, startTimeout: 0 }).start(() => say('answered'));
    setTimeout(say, 200, 'starting');
  },

  async stopping() {
    const channel = await started();
    for (let i = 0; i < 500; i += 1) channel.add('n', i, 's1', () => {});
    channel.stop(true, () => {});
    setTimeout(say, 100, 'stopping');
  },

  async exit() {
    const channel = await started();
    for (let i = 0; i < 500; i += 1) channel.add('n', i, 's1', () => {});
    process.exit(code);
  },

  async throws() {
    const channel = await started();
    for (let i = 0; i < 500; i += 1) {
      channel.add('n', i, 's1', () => {
        if (i === 250) throw new Error('thrown in a callback');
      });
    }
  },
};

Promise.resolve(jobs[job]()).catch((err) => {
  // As a message, for an Error thrown here would look like one of the plugin.
  say({ failed: String(err && err.stack) });
  process.exit(98);
});
