'use strict';

/**
 * One process of the suite: a GlobalChannel of its own on the slow wire, which reads, or writes its
 * channels, or both, until it is told to stop; what it did is in its log. The parent is run.js, what
 * a writer does writer.js.
 */

const { createApp } = require('../support/app');
const { create } = require('../support/service');
const { ok } = require('../support/call');
const { now, Log } = require('./log');
const { SIDS, NAMES, CHANNELS, keyOf } = require('./keys');
const { write } = require('./writer');
const { makeStale } = require('./stale');

const IN_FLIGHT = 64;
const REPORT = 20;

const { name, port, file, reads, stale } = JSON.parse(process.argv[2]);
const log = new Log(file);
const counts = { reads: 0, failed: {}, slowest: 0 };
const state = { running: true };
const waiting = new Set();
let calls = 0;
let released = 0;

const pick = (list) => list[Math.floor(Math.random() * list.length)];

/** The pushes under way by their routes, which name them, with the uids that they were sent to. */
const pushes = new Map();
const app = createApp({
  rpc(sid, { args: [route, , uids] }, cb) {
    app.rpcCalls.length = 0;
    const push = pushes.get(route);
    // A push is released when its RPCs are made, which is before it is answered.
    if (push.uids.length === 0) inOrder(push.op, now());
    push.uids.push(...uids);
    cb(null, []);
  },
});
// Nothing is to fail for want of time, and no time to be spent without a connection.
const opts = { host: '127.0.0.1', port, commandTimeout: 20000, retry_max_delay: 100 };
const service = create(opts, app);

/** Calls a method and notes when; `op` is known before the answer, and `end` set if it succeeds. */
function call(method, ...args) {
  const op = { seq: (calls += 1), start: now() };
  op.done = new Promise((resolve) => {
    service[method](...args, (err, value) => {
      const answered = now();
      counts.slowest = Math.max(counts.slowest, answered - op.start);
      if (err) {
        op.err = err;
        counts.failed[err.code] = (counts.failed[err.code] || 0) + 1;
      } else {
        op.end = answered;
        op.value = value;
      }
      if (method !== 'pushMessage') inOrder(op, answered);
      resolve(op);
    });
  });
  return op;
}

function inOrder(op, at) {
  if (op.seq < released) {
    log.strange('', { ...op, end: at }, `answered after call ${released}`);
  }
  released = Math.max(released, op.seq);
}

/** Reads one key, or all keys of a channel in one of two ways. */
async function read(method, channel, sid) {
  const one = method === 'getMembersBySid';
  const keys = one ? [keyOf(channel, sid)] : SIDS.map((id) => keyOf(channel, id));
  let op;
  if (one) {
    op = call(method, channel, sid);
  } else if (method === 'getMembersByChannelName') {
    op = call(method, 'connector', channel);
  } else {
    const route = `push-${calls}`;
    const push = { uids: [] };
    pushes.set(route, push);
    op = push.op = call(method, 'connector', route, {}, channel, {});
    await op.done;
    pushes.delete(route);
    op.value = push.uids;
  }
  await op.done;
  if (op.err) return;
  counts.reads += 1;
  wake();
  log.read(keys, op, op.value);
}

const METHODS = ['getMembersBySid', 'getMembersBySid', 'getMembersByChannelName', 'pushMessage'];

const running = () => state.running;

/** After so many more reads, or at the end. */
function passed(reads) {
  const enough = counts.reads + reads;
  return new Promise((resolve) => waiting.add({ enough, resolve }));
}

function wake() {
  for (const wait of waiting) {
    if (running() && counts.reads < wait.enough) continue;
    waiting.delete(wait);
    wait.resolve();
  }
}

async function readOn() {
  while (running()) await read(pick(METHODS), pick(NAMES), pick(SIDS));
}

const abandoned = () => process.exit(1);

async function main() {
  // The parent is gone.
  process.on('disconnect', abandoned);
  await ok(service, 'start');
  if (stale) makeStale(service, stale);
  process.send({ ready: true });
  await new Promise((resolve) => process.once('message', resolve));
  const report = setInterval(() => process.send({ reads: counts.reads }), REPORT);
  process.once('message', () => {
    state.running = false;
    wake();
  });
  const jobs = reads ? Array.from({ length: IN_FLIGHT }, readOn) : [];
  for (const channel of CHANNELS[name] || []) {
    jobs.push(write(channel, { call, read, log, running, passed }));
  }
  await Promise.all(jobs);
  clearInterval(report);
  log.close();
  process.send({ done: true, ...counts, stats: service.stats() });
  await ok(service, 'stop', true);
  process.off('disconnect', abandoned).disconnect();
}

main().catch((err) => {
  console.error(err);
  process.exit(1);
});
