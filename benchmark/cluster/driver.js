'use strict';
/**
 * What runs inside the servers of the benchmark's cluster (an extension of demo/app/control.js):
 * pushes as the app's own logic would make them, the bytes of the RPC sockets, a CPU profile. Times
 * are milliseconds of the system's monotonic clock. When to call what is round.js's business.
 */

const { Session } = require('inspector');
const { share } = require('./profile');

const now = () => Number(process.hrtime.bigint()) / 1e6;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function push(app, channel, n) {
  const msg = { n, text: 'a chat message of an ordinary length', from: 'chat-1' };
  const at = now();
  return new Promise((resolve, reject) => {
    app
      .get('globalChannelService')
      .pushMessage('connector', 'onChat', msg, channel, {}, (error, failed) => {
        if (error) return reject(error);
        if (failed.length > 0) return reject(new Error(`${failed.length} users were not reached`));
        resolve({ n, at, answered: now() });
      });
  });
}

/** One push in flight: each waits for the answer to the one before, and then a little. */
async function pushOneByOne(app, { channel, first, count, gap }) {
  const pushes = [];
  for (let n = first; n < first + count; n += 1) {
    pushes.push(await push(app, channel, n));
    await pause(gap);
  }
  return pushes;
}

/** One push every `interval` ms, whether the ones before were answered or not. */
async function pushAtRate(app, { channel, first, count, interval }) {
  const pushes = [];
  const start = now();
  for (let i = 0; i < count; i += 1) {
    pushes.push(push(app, channel, first + i));
    await pause(Math.max(0, start + (i + 1) * interval - now()));
  }
  return Promise.all(pushes);
}

/** What went over the sockets on which this server calls others. */
function rpcTraffic(app) {
  const { mailboxes } = app.components['__proxy__'].client['_station'];
  const streams = Object.values(mailboxes).map(({ socket }) => socket.stream);
  const sum = (key) => streams.reduce((total, stream) => total + stream[key], 0);
  return { out: sum('bytesWritten'), in: sum('bytesRead'), at: streams.map((s) => s.localPort) };
}

let session;

function startProfile() {
  session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 200 });
  session.post('Profiler.start');
}

/** How the main thread's busy time is spread, as shares of 1. */
function stopProfile() {
  return new Promise((resolve, reject) => {
    session.post('Profiler.stop', (error, result) => {
      session.disconnect();
      if (error) reject(error);
      else resolve(share(result.profile));
    });
  });
}

module.exports = { pushOneByOne, pushAtRate, rpcTraffic, startProfile, stopProfile };
