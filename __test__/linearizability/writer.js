'use strict';

/**
 * The only writer of one channel: on each of its keys it adds the next version and removes the last one, sometimes in one
 * tick, with reads of its own among unanswered writes; now and then it destroys the channel. Other removals are in chaos.js.
 */

const { SIDS, keyOf, memberOf } = require('./keys');
const { pause } = require('../support/until');

/**
 * How many reads of this process pass between two steps on a key: some keys change often, some
 * seldom. Counted in reads, so that the share of hits does not hang on the speed of the machine.
 */
const PAUSES = [500, 2000, 6000];
const DESTROY = 0.03;

const chance = (p) => Math.random() < p;

/**
 * `io` is `{call, read, log, running, passed, last}` of instance.js. Ends when `running` says so. Each write is
 * in the log before it is called: a process that is killed cannot say afterwards what may have taken effect.
 */
async function write(channel, io) {
  await Promise.all(SIDS.map((sid, i) => steps(channel, sid, PAUSES[i % PAUSES.length], io)));
}

async function steps(channel, sid, mean, io) {
  const key = keyOf(channel, sid);
  /** One of two ways to write a version; the second tells how many members it changed. */
  const write = (kind, n) =>
    chance(0.5)
      ? { kind, n, method: kind, args: [channel, memberOf(key, n), sid] }
      : { kind, n, method: `${kind}Many`, args: [channel, [{ uid: memberOf(key, n), sid }]] };
  const own = () => io.read(ownRead(), channel, sid);
  const first = (io.last.get(key) || 0) + 1;
  for (let n = first; io.running(); n += 1) {
    if (n > 1) await io.passed(2 * mean * Math.random());
    const adding = write('add', n);
    const add = io.call(adding.method, adding.args, begun(io, 'add', key, { version: n }));
    const jobs = [add.done];
    if (chance(0.5)) jobs.push(own());
    if (chance(0.5)) {
      await Promise.all(jobs.splice(0));
      await pause(40 * Math.random());
    }
    // Members of an earlier life of this process stay until the channel is destroyed.
    if (n > first) {
      jobs.push(leave(key, write('leave', n - 1), io));
      if (chance(0.5)) jobs.push(own());
    }
    if (chance(DESTROY)) jobs.push(destroy(channel, io), own());
    await Promise.all(jobs);
    io.log.write('add', key, { ...add, version: n });
    tell(io, key, adding, add);
  }
}

/** To be called before the call is made. */
const begun = (io, kind, key, more) => (op) => io.log.begin(kind, key, { ...op, ...more });

const ownRead = () => ['getMembersBySid', 'getMembersByChannelName'][chance(0.3) ? 1 : 0];

/** Notes how many members a write changed, if it says so. */
function tell(io, key, { kind, n, method }, op) {
  if (!op.err && method !== kind) io.log.changed(kind, key, op, n, op.value);
}

/** Until it is acknowledged, or every read to come would have to expect this member. */
async function leave(key, leaving, io) {
  const { method, args, n: version } = leaving;
  let start;
  for (;;) {
    const isFirst = start === undefined;
    const op = io.call(method, args, begun(io, 'leave', key, { version, ...(start && { start }) }));
    start ??= op.start;
    await op.done;
    // What failed before may have taken effect.
    if (isFirst) tell(io, key, leaving, op);
    if (!op.err || !io.running()) {
      io.log.write('leave', key, { ...op, start, version });
      return;
    }
    await pause(20);
  }
}

async function destroy(channel, io) {
  const keys = SIDS.map((sid) => keyOf(channel, sid));
  const op = io.call('destroyChannel', [channel], (op) => {
    for (const key of keys) io.log.begin('wipe', key, op);
  });
  await op.done;
  for (const key of keys) io.log.write('wipe', key, op);
}

module.exports = { write };
