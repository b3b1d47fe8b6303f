'use strict';
/**
 * What runs inside the servers of the benchmark's cluster (an extension of demo/app/control.js):
 * pushes as the app's own logic would make them, the bytes of the RPC sockets, a CPU profile, how
 * pushes left a frontend, and what the native calls took for that. Times are milliseconds of the system's monotonic clock. When to call what
 * is round.js's business.
 *
 * BENCHMARK_FAULT (for the test of the check) breaks the third push: `twice` makes it again, `swap` gives
 * it the number of the fourth, `drop` takes a member away before it.
 */

const fs = require('node:fs');
const path = require('node:path');
const { Session } = require('node:inspector');
const { message } = require('./message');

const now = () => Number(process.hrtime.bigint()) / 1e6;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
// Node takes a stack trace at each of a process's first 10,000 `new Buffer`, which pomelo calls for each message and
// RPC. A server has left that behind after minutes; so has this one, by the warning that ends it (and is not shown).
process.noDeprecation = true;
// oxlint-disable-next-line unicorn/no-new-buffer, no-deprecated-api
Buffer(0);

const FAULT = process.env.BENCHMARK_FAULT;
const service = (app) => app.get('globalChannelService');

function push(app, channel, n) {
  if (FAULT && n === 3) return faulty(app, channel, n);
  return send(app, channel, FAULT === 'swap' && n === 4 ? 3 : n);
}

async function faulty(app, channel, n) {
  if (FAULT === 'drop') service(app).leave(channel, 'user-1-00000', 'connector-1');
  if (FAULT === 'twice') await send(app, channel, n);
  return send(app, channel, FAULT === 'swap' ? 4 : n);
}

function send(app, channel, n) {
  const at = now();
  return new Promise((resolve, reject) => {
    const answered = (error, failed) => {
      if (error) return reject(error);
      if (failed.length > 0) return reject(new Error(`${failed.length} users were not reached`));
      resolve({ n, at, answered: now() });
    };
    service(app).pushMessage('connector', 'onChat', message(n), channel, {}, answered);
  });
}

/**
 * One push every `interval` ms, whether the ones before were answered or not. `mayFail`: where servers cannot keep up,
 * an answer may come too late for `pushTimeout`; such a push has no times, but `failed`.
 */
async function pushAtRate(app, { channel, first, count, interval, mayFail }) {
  const pushes = [];
  const start = now();
  for (let i = 0; i < count; i += 1) {
    const n = first + i;
    const made = push(app, channel, n);
    pushes.push(mayFail ? made.catch((error) => ({ n, failed: error.message })) : made);
    await pause(Math.max(0, start + (i + 1) * interval - now()));
  }
  return Promise.all(pushes);
}

/** Before each push one member leaves the channel, or comes back: away for the first, the third, … */
async function pushWithChanges(app, { channel, first, count, interval, uid, sid }) {
  const pushes = [];
  for (let n = first; n < first + count; n += 1) {
    const change = (n - first) % 2 === 0 ? 'leave' : 'add';
    await new Promise((resolve, reject) => {
      service(app)[change](channel, uid, sid, (error) => (error ? reject(error) : resolve()));
    });
    pushes.push(await push(app, channel, n));
    await pause(interval);
  }
  return pushes;
}

/** Returns the bytes on the sockets on which this server calls others. */
function rpcTraffic(app) {
  const { mailboxes } = app.components['__proxy__'].client['_station'];
  const streams = Object.values(mailboxes).map(({ socket }) => socket.stream);
  const sum = (key) => streams.reduce((total, stream) => total + stream[key], 0);
  return { out: sum('bytesWritten'), in: sum('bytesRead') };
}

/** Returns `stats().fanOut`; null if the plugin has none. */
const fanOut = (app) => service(app).stats?.().fanOut ?? null;

/** The CPU time of the native calls of the fan-out since `timeSends`, in µs; undefined while it is not taken. */
let spent;

/** Wraps the plugin's native call before the plugin is loaded; false if it has none. */
const hasSends = (() => {
  const file = path.join(process.env.GLOBALCHANNEL_PLUGIN || '', 'lib/native.js');
  if (!fs.existsSync(file)) return false;
  const native = require(file);
  const { sendToAll } = native;
  if (!sendToAll) return false;
  const cpu = () => {
    const { user, system } = process.cpuUsage();
    return user + system;
  };
  native.sendToAll = (...args) => {
    if (spent === undefined) return sendToAll(...args);
    const before = cpu();
    const result = sendToAll(...args);
    spent += cpu() - before;
    return result;
  };
  return true;
})();

function timeSends() {
  spent = 0;
}

/** Returns the milliseconds since `timeSends`, and ends it; null without native calls. */
function timeOfSends() {
  const ms = spent / 1000;
  spent = undefined;
  return hasSends ? ms : null;
}

let session;

function startProfile() {
  session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.setSamplingInterval', { interval: 200 });
  session.post('Profiler.start');
}

/** Writes a .cpuprofile, which Chromium's developer tools and editors open. */
function stopProfile(app, file) {
  return new Promise((resolve, reject) => {
    session.post('Profiler.stop', (error, result) => {
      session.disconnect();
      if (error) return reject(error);
      fs.writeFileSync(file, JSON.stringify(result.profile));
      resolve();
    });
  });
}

module.exports = {
  fanOut,
  pushAtRate,
  pushWithChanges,
  rpcTraffic,
  startProfile,
  stopProfile,
  timeOfSends,
  timeSends,
};
