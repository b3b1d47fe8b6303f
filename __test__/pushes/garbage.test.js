'use strict';

/**
 * The lists of a push are garbage when it is over, for a minor collection too: as long as other pushes are under way, V8 must not
 * copy them to its old generation, where they cost a multiple and are found by major collections only.
 */

const assert = require('node:assert');
const { afterEach, describe } = require('node:test');
const v8 = require('node:v8');
const { createApp } = require('../support/app');
const { ok } = require('../support/call');
const { startedWith } = require('../support/manager');
const { ours, stores } = require('../support/rows');
const { started, stopAll } = require('../support/service');
const { until } = require('../support/until');

const MEMBERS = 500;
const PUSHES = 3000;
const IN_FLIGHT = 64;

/** Keeps 64 pushes in flight; resolves when all are answered. */
async function push(service) {
  let [made, answered] = [0, 0];
  const next = () => {
    made += 1;
    service.pushMessage('connector', 'r', {}, 'a', null, (err) => {
      assert.ifError(err);
      answered += 1;
      if (made < PUSHES) next();
    });
  };
  for (let n = 0; n < IN_FLIGHT; n += 1) next();
  await until(() => answered === made, 'the answers');
}

/** Returns how many bytes minor collections have moved to the old generation while `work` ran. */
async function promoted(work) {
  const profiler = new v8.GCProfiler();
  profiler.start();
  await work();
  const { statistics } = profiler.stop();
  const old = ({ heapSpaceStatistics }) =>
    heapSpaceStatistics.find(({ spaceName }) => spaceName === 'old_space').spaceUsedSize;
  return statistics
    .filter(({ gcType }) => gcType === 'Scavenge')
    .reduce((sum, { beforeGC, afterGC }) => sum + Math.max(0, old(afterGC) - old(beforeGC)), 0);
}

const uids = Array.from({ length: MEMBERS }, (_, i) => `user-${i}`);

/** Answers in a later turn, in which others are under way. */
function slowApp() {
  const app = createApp();
  app.rpcInvoke = (sid, msg, cb) => setImmediate(cb, null, []);
  return app;
}

async function check(service) {
  await push(service);
  const bytes = await promoted(() => push(service));
  // The characters alone.
  const all = PUSHES * uids.join('').length;
  assert.ok(bytes < all / 4, `${bytes} bytes of ${all} were taken for alive`);
}

stores('garbage of pushes', (ctx) => {
  ours('the lists of a push that is over are not kept', async () => {
    // Each list is a new one.
    const service = await started(ctx.store, { cache: false }, slowApp());
    await ok(service, 'add', 'a', uids, 's1');
    await check(service);
  });
});

describe('garbage of pushes with a custom manager', () => {
  afterEach(stopAll);

  ours('the lists of a push that is over are not kept', async () => {
    const text = JSON.stringify(uids);
    const getMembersBySid = (name, sid, cb) =>
      setImmediate(() => cb(null, sid === 's1' ? JSON.parse(text) : []));
    const manager = { getMembersBySid };
    for (const method of ['add', 'leave', 'destroyChannel']) manager[method] = () => {};
    await check(await startedWith(manager, {}, slowApp()));
  });
});
