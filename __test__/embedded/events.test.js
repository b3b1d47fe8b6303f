'use strict';

/**
 * Events of channels in the embedded store, over processes that are killed and stopped (SIGSTOP): each change is one event, or
 * there is a gap. Without faults: ../events/follow.test.js.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const { place, fault, clearing, later } = require('./place');
const { call, ok } = require('../support/call');
const { started } = require('../support/service');
const { pause, until } = require('../support/until');
const { Follower } = require('../events/follower');
const { change, startWriter } = require('../events/writer');

const NAMES = ['a', 'b', 'a:b'];
const SIDS = ['s1', 's2', 'gone'];
const EVENTS = { events: true, leaveDelay: 0 };
const FOREVER = 1e9;

/** A strict follower that has begun. */
async function following(store) {
  const service = await started(store, { ...EVENTS, commandTimeout: 30000 });
  const follower = new Follower(service, NAMES, SIDS);
  await until(() => follower.isThere(), 'the follower to begin');
  follower.isStrict = true;
  return follower;
}

/** Until the follower has caught up with writers that are done. */
const settled = (follower) => until(() => follower.isThere(), 'the follower', 20000);

/** A process that changes channels until it is killed. */
function writing(store) {
  const run = startWriter(store.options(EVENTS), FOREVER, NAMES, SIDS);
  later(() => run.child.kill('SIGKILL'));
  return run;
}

/**
 * A process that follows, and says `[gaps, changes, isThere]` for each line of its input; `gaps` are the reasons. An event that
 * does not fit ends it.
 */
const watcher = async ({ started: start, args, emit }) => {
  const { Follower: Its } = require(args.follower);
  const service = await start(args.more);
  const follower = new Its(service, args.names, args.sids);
  const gaps = [];
  follower.watch.on('gap', ({ reason }) => {
    gaps.push(reason);
    follower.isStrict = false;
  });
  const look = async () => {
    const isThere = await follower.isThere();
    if (isThere && gaps.length > 0) follower.isStrict = true;
    emit([gaps, follower.changes, isThere]);
  };
  process.stdin.on('data', () => look());
  process.stdin.resume();
  emit('there');
};

/** Starts one; `look()` asks it. */
async function watching(store) {
  const follower = require.resolve('../events/follower');
  const more = { ...EVENTS, commandTimeout: 30000 };
  const run = store.start(watcher, { follower, names: NAMES, sids: SIDS, more });
  await run.message('there');
  const look = async () => {
    const { length } = run.messages;
    run.child.stdin.write('\n');
    await until(() => run.messages.length > length, `an answer ${run.output}`, 20000);
    return run.messages[length];
  };
  const untilThere = () => until(async () => (await look())[2], 'the watcher', 30000);
  await untilThere();
  return { ...run, look, untilThere };
}

describe('events over processes', () => {
  clearing();

  fault('writers that are killed and stopped: each change is one event', async () => {
    const store = place();
    const follower = await following(store);
    const writers = [writing(store), writing(store)];
    for (let n = 0; n < 12; n += 1) {
      const { changes } = follower;
      await until(() => follower.changes > changes, 'a change', 20000);
      await pause(Math.random() * 100);
      const at = n % writers.length;
      if (n % 3 === 0) {
        writers[at].child.kill('SIGSTOP');
        await pause(100);
        writers[at].child.kill('SIGCONT');
      } else {
        writers[at].child.kill('SIGKILL');
        await writers[at].ended;
        writers[at] = writing(store);
      }
    }
    for (const { child, ended } of writers) {
      child.kill('SIGKILL');
      await ended;
    }
    await settled(follower);
    assert.strictEqual(follower.gaps, 1);
  });

  fault('watchers that are killed and stopped: the others miss nothing, nor do they', async () => {
    const store = place();
    const follower = await following(store);
    const [stopped, killed] = [await watching(store), await watching(store)];
    const own = await started(store, { ...EVENTS, commandTimeout: 30000 });
    for (let n = 0; n < 5; n += 1) {
      stopped.child.kill('SIGSTOP');
      await change(own, 100, NAMES, SIDS);
      if (n === 2) killed.child.kill('SIGKILL');
      await change(own, 100, NAMES, SIDS);
      stopped.child.kill('SIGCONT');
      await change(own, 20, NAMES, SIDS);
    }
    await killed.closed;
    await settled(follower);
    await stopped.untilThere();
    const [gaps, changes] = await stopped.look();
    assert.deepStrictEqual(gaps, ['start']);
    assert.deepStrictEqual([follower.gaps, follower.changes], [1, changes]);
  });

  fault('a watcher that is stopped for too long has one gap, and goes on', async () => {
    const store = place();
    const stopped = await watching(store);
    const own = await started(store, { ...EVENTS, commandTimeout: 30000 });
    await change(own, 50, NAMES, SIDS);
    await stopped.untilThere();
    stopped.child.kill('SIGSTOP');
    await call(own, 'add', 'a', 'while it is stopped', 's1');
    // More than is kept, of channels that nothing watches.
    const uids = Array.from({ length: 1000 }, (_, n) => `${n}`.padStart(400, '0'));
    for (let n = 0; n < 15; n += 1) {
      await ok(own, 'add', 'large', uids, 's1');
      await ok(own, 'leave', 'large', uids, 's1');
    }
    stopped.child.kill('SIGCONT');
    await until(async () => (await stopped.look())[0].length === 2, 'a gap', 20000);
    await change(own, 200, NAMES, SIDS);
    await stopped.untilThere();
    assert.deepStrictEqual((await stopped.look())[0], ['start', 'overrun']);
  });
});
