'use strict';

/**
 * One GlobalChannel of the suite, which reads, and writes its channels if it has some, until it is stopped; its calls are in
 * its log. The writer is writer.js, the process around it process.js.
 */

const { createApp } = require('../support/app');
const { create } = require('../support/service');
const { ok } = require('../support/call');
const { pause } = require('../support/until');
const { now, Log, leftBehind } = require('./log');
const { SIDS, NAMES, CHANNELS, keyOf, memberOf, parse } = require('./keys');
const { write } = require('./writer');
const { makeStale } = require('./stale');

const IN_FLIGHT = 64;
/** The share of reads after which a reader rests, and for how long at most, in ms. */
const RESTS = 0.2;
const REST = 20;

/** Members of `grow`, of half a kilobyte each: a tenth of the room that a store begins with. */
const LARGE = 3000;

const METHODS = [
  'getMembersBySid',
  'getMembersBySid',
  'getMembersByChannelName',
  'getMembersByChannelNameBySid',
  'pushMessage',
];
/** Methods that read no list, and the share of reads that they are. */
const QUESTIONS = ['getCountBySid', 'getCount', 'isMember'];
const ASKED = 0.15;

const pick = (list) => list[Math.floor(Math.random() * list.length)];

/** `job` is `{name, options, file, stale, rest}`. If the log is there, it goes on where that ends. */
function instance({ name, options, file, stale, rest = REST }) {
  const before = leftBehind(file);
  const log = new Log(file);
  const counts = { reads: 0, failed: {}, slowest: 0 };
  const waiting = new Set();
  let isRunning = true;
  let { calls } = before;
  let released = calls;
  let jobs = [];

  /** The last version of each key that this process has seen. */
  const latest = new Map();

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
  // Nothing is to fail for want of time.
  const service = create({ ...options, commandTimeout: 20000 }, app);

  /**
   * Calls a method and notes when; `op` is known before the answer, and `end` set if it succeeds. `note`
   * hears of it before it is called.
   */
  function call(method, args, note = () => {}) {
    const op = { seq: (calls += 1), start: now() };
    note(op);
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

  /** Reads one key, all keys of a channel in one of three ways, or those of two channels by one push. */
  async function read(method, channel, sid) {
    const one = method === 'getMembersBySid';
    const other = pick(NAMES);
    const isUnion = method === 'pushMessage' && other !== channel && Math.random() < 0.5;
    const names = isUnion ? [channel, other] : [channel];
    const all = names.flatMap((each) => SIDS.map((id) => keyOf(each, id)));
    const keys = one ? [keyOf(channel, sid)] : all;
    let op;
    if (one) {
      op = call(method, [channel, sid]);
    } else if (method !== 'pushMessage') {
      op = call(method, ['connector', channel]);
    } else {
      const route = `push-${calls}`;
      const push = { uids: [] };
      pushes.set(route, push);
      op = push.op = call(method, ['connector', route, {}, isUnion ? names : channel, {}]);
      await op.done;
      pushes.delete(route);
      op.value = push.uids;
    }
    await op.done;
    if (op.err) return;
    counts.reads += 1;
    wake();
    // Lists by frontend, or one.
    const lists = Array.isArray(op.value) ? [op.value] : Object.values(op.value);
    log.read(keys, op, lists.flat());
    for (const member of lists.flat()) {
      const { key, version } = parse(member);
      latest.set(key, Math.max(version, latest.get(key) || 0));
    }
  }

  /** Counts the members of one key or of a channel, or asks for the version that was seen last, or the next one. */
  async function ask(method, channel, sid) {
    const one = keyOf(channel, sid);
    const version = (latest.get(one) || 0) + Math.floor(Math.random() * 2);
    const op = {
      getCountBySid: () => call(method, [channel, sid]),
      getCount: () => call(method, [channel, 'connector']),
      isMember: () => call(method, [channel, memberOf(one, version), sid]),
    }[method]();
    await op.done;
    if (op.err) return;
    counts.reads += 1;
    wake();
    if (method === 'isMember') log.asked(one, op, version, op.value);
    else if (method === 'getCountBySid') log.count([one], op, op.value);
    else
      log.count(
        SIDS.map((id) => keyOf(channel, id)),
        op,
        op.value,
      );
  }

  const running = () => isRunning;

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
    while (running()) {
      if (Math.random() < ASKED) await ask(pick(QUESTIONS), pick(NAMES), pick(SIDS));
      else await read(pick(METHODS), pick(NAMES), pick(SIDS));
      // Else all calls would soon be answered at once and made again at once, in one batch.
      if (Math.random() < RESTS) await pause(Math.random() * rest);
    }
  }

  return {
    get reads() {
      return counts.reads;
    },
    async start() {
      await ok(service, 'start');
      if (stale) makeStale(service, stale);
    },
    begin() {
      jobs = Array.from({ length: IN_FLIGHT }, readOn);
      for (const channel of CHANNELS[name] || []) {
        jobs.push(write(channel, { call, read, log, running, passed, last: before.last }));
      }
    },
    /** Writes much at once, beside everything else. */
    grow() {
      const channel = `large-${name}`;
      const add = () => call('add', [channel, `${calls}`.padEnd(480, '.'), SIDS[0]]).done;
      if (Math.random() < 0.1) jobs.push(call('destroyChannel', [channel]).done);
      jobs.push(Promise.all(Array.from({ length: LARGE }, add)));
    },
    /** What it has read would be lost with the process. */
    save: () => log.flush(),
    async finish() {
      isRunning = false;
      wake();
      await Promise.all(jobs);
      log.close();
      const stats = service.stats();
      await ok(service, 'stop', true);
      return [{ name, ...counts, stats }];
    },
  };
}

module.exports = { instance };
