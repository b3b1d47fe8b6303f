'use strict';

/**
 * The processes that kills.test.js kills: they make calls in an order that the test knows, acknowledged in that order, so
 * that a number tells what must be in the store. Each is a job for support/child.js and must not use outer variables.
 */

/** How many calls of a writer wait at a time. */
const WINDOW = 32;

/** How long, in fours of calls, half of the members stay: so that lists do not grow with the number of kills. */
const STAY = 100;

/** What a writer does, in turn, and how many calls back the uid was made. */
const CALLS = [
  ['add', 0],
  ['add', 0],
  ['leave', 2 + 4 * STAY],
  ['leave', 2],
];

/** Which call takes away what call `i` adds; nothing if it adds nothing. */
const leaveOf = (i) => [i + CALLS[2][1], i + CALLS[3][1]][i % 4];

/** Call `i` of writer `name` is an add of uid `name-i`, or takes away that of a call before. */
async function writer({ started, args, emit }) {
  const service = await started();
  let called = 0;
  const next = () => {
    const i = called;
    called += 1;
    const [method, back] = args.calls[i % 4];
    const uid = `${args.name}-${i - back}`;
    service[method](`c${i % 2}`, uid, 's1', (err) => {
      if (err) throw err;
      // Each one: whatever is heard of was acknowledged. And at most a window of them is not heard of.
      emit(i, next);
    });
  };
  for (let n = 0; n < args.window; n += 1) next();
}

async function reader({ started, emit }) {
  const service = await started();
  const next = () =>
    service.getMembersBySid('c0', 's1', (err) => {
      if (err) throw err;
      setTimeout(next, 1);
    });
  emit('reading');
  for (let n = 0; n < 8; n += 1) next();
}

/** Opens and closes, with something to write. */
async function opener({ started, ok, call, emit }) {
  for (;;) {
    const service = await started();
    await ok(service, 'add', 'opened', `${process.pid}`, 's1');
    await call(service, 'stop', true);
    emit('once');
  }
}

/** Long cleans in many steps, and a store that grows and shrinks by 20 MB. */
async function cleaner({ started, ok, args, emit }) {
  const service = await started({ prefix: `CLEAN-${args.slot}` });
  const uids = Array.from({ length: 10000 }, (_, i) => `${i}`.padStart(500, '0'));
  for (;;) {
    for (let n = 0; n < 4; n += 1) await ok(service, 'add', `n${n}`, uids, 's1');
    emit('full');
    await ok(service, 'clean');
  }
}

/** Is never killed: says how long it ever waited, and whether it saw something wrong. */
async function survivor({ started, ok, call, emit }) {
  const service = await started();
  const seen = { slowest: 0, blocked: 0, calls: 0 };
  let last = Date.now();
  const beat = setInterval(() => {
    seen.blocked = Math.max(seen.blocked, Date.now() - last - 10);
    last = Date.now();
  }, 10);
  const ended = new Promise((resolve) => process.stdin.on('end', resolve).resume()).then(
    () => true,
  );
  const pause = () => new Promise((resolve) => setTimeout(resolve, 5));
  emit('there');
  for (let i = 0; (await Promise.race([ended, pause()])) !== true; i += 1) {
    const before = Date.now();
    await ok(service, 'add', 'mine', `u${i}`, 's1');
    const there = await ok(service, 'getMembersBySid', 'mine', 's1');
    await ok(service, 'leave', 'mine', `u${i}`, 's1');
    if (there.join() !== `u${i}`) throw new Error(`${i}: ${there}`);
    seen.slowest = Math.max(seen.slowest, Date.now() - before);
    seen.calls += 3;
  }
  clearInterval(beat);
  await call(service, 'stop', true);
  emit(seen);
}

module.exports = { WINDOW, CALLS, leaveOf, writer, reader, opener, cleaner, survivor };
