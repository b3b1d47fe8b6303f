'use strict';

/**
 * A process that is stopped (SIGSTOP) while it holds the write lock, and threads that are terminated: writes of other
 * processes time out, everything else goes on, and no write is executed after later ones.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const path = require('path');
const { Worker } = require('worker_threads');
const { place, fault, clearing } = require('./place');
const { call, ok } = require('../support/call');
const { started, create } = require('../support/service');
const { until, pause } = require('../support/until');

const JOBS = path.join(__dirname, '../workers/jobs.js');
const TIMEOUT = 'ERR_GLOBAL_CHANNEL_TIMEOUT';

/** Has the gate nearly all the time: fills and cleans in large steps. */
const holder = async ({ started: start, ok: must, emit }) => {
  const service = await start({ prefix: 'HOLDER', commandTimeout: 60000 });
  const uids = Array.from({ length: 16000 }, (_, i) => `${i}`.padStart(400, '0'));
  emit('there');
  for (;;) {
    await Promise.all(['a', 'b', 'c', 'd'].map((name) => must(service, 'add', name, uids, 's1')));
    await must(service, 'clean');
  }
};

/** Stopped while it holds the write lock: the write of another process, the `probe`, is not executed. */
async function stopAtWork(store, service) {
  const run = store.start(holder);
  await run.message('there');
  let probes = 0;
  await until(
    async () => {
      probes += 1;
      run.child.kill('SIGSTOP');
      const { err } = await call(service, 'add', 'probe', `p${probes}`, 's1');
      if (err) return true;
      run.child.kill('SIGCONT');
      await pause(Math.random() * 50);
      return false;
    },
    'a stop with the gate',
    30000,
  );
  return { run, probe: `p${probes}` };
}

describe('a process that stops', () => {
  clearing();

  fault('with the write lock: writes time out, reads go on, the order holds', async () => {
    const store = place();
    // Less than the default of 5 s, and longer than a busy machine takes for a write: one that is late is taken for one that waits.
    const limit = 1500;
    const service = await started(store, { commandTimeout: limit });
    const reader = await started(store);
    await ok(service, 'add', 'n', ['a', 'b', 'x'], 's1');
    const { run, probe } = await stopAtWork(store, service);

    let [blocked, last] = [0, Date.now()];
    const beat = setInterval(() => {
      blocked = Math.max(blocked, Date.now() - last);
      last = Date.now();
    }, 10);
    // All of them timed out: none may be executed later.
    for (let i = 0; i < 3; i += 1) {
      const overdue = await call(service, 'leave', 'n', ['a', 'b', 'x'], 's1');
      assert.strictEqual(overdue.err && overdue.err.code, TIMEOUT, 'it waits for the write lock');
      assert.ok(overdue.ms >= limit - 20 && overdue.ms < 4500, `${overdue.ms} ms`);
      const read = await call(reader, 'getMembersBySid', 'n', 's1');
      assert.deepStrictEqual([read.err, read.value.sort()], [null, ['a', 'b', 'x']]);
      assert.ok(read.ms < 4500, `${read.ms} ms for a read`);
    }
    // It holds up nothing either; there is something left to read, so it was not done.
    const cleaned = await call(service, 'clean');
    assert.strictEqual(cleaned.err && cleaned.err.code, TIMEOUT);
    assert.ok(cleaned.ms >= limit - 20 && cleaned.ms < 4500, `${cleaned.ms} ms`);
    const stopping = await started(store, { commandTimeout: 60000 });
    const waiting = call(stopping, 'add', 'n', 'never', 's1');
    const stop = await call(stopping, 'stop', true);
    assert.ok(stop.ms < 4500, `${stop.ms} ms for a stop`);
    assert.ok((await waiting).err);
    clearInterval(beat);
    // Less than the time that a stop may take, in which it must not stand still.
    assert.ok(blocked < 900, `the event loop stood still for ${blocked} ms`);

    // These wait for the gate when it is free again, behind all that was given up.
    const patient = await started(store, { commandTimeout: 20000 });
    const adds = ['a', 'b', 'c'].map((uid) => call(patient, 'add', 'n', uid, 's1'));
    run.child.kill('SIGCONT');
    for (const { err } of await Promise.all(adds)) assert.strictEqual(err, null);
    run.child.kill('SIGKILL');
    await run.closed;
    await until(async () => !(await call(service, 'add', 'n', 'd', 's1')).err, 'writes again');
    const uids = await ok(reader, 'getMembersBySid', 'n', 's1');
    assert.deepStrictEqual(uids.sort(), ['a', 'b', 'c', 'd', 'x']);
    const probes = await ok(reader, 'getMembersBySid', 'probe', 's1');
    assert.ok(
      !probes.includes(probe),
      'a write that waited for the gate was done when it was given up',
    );
    await store.audit();
  });

  fault('stopped at 40 moments while others read and write: reads go on', async () => {
    const store = place();
    const busy = async ({ started: start, emit }) => {
      const service = await start();
      const again = () => service.getMembersBySid('n', 's1', again);
      for (let i = 0; i < 4; i += 1) again();
      setTimeout(emit, 20, 'there');
    };
    // Long, because this process may get no time on a busy machine.
    const reader = await started(store, { commandTimeout: 10000, cache: false });
    await ok(reader, 'add', 'n', 'u', 's1');
    const run = store.start(busy, { more: { cache: false } });
    await run.message('there');
    for (let i = 0; i < 40; i += 1) {
      run.child.kill('SIGSTOP');
      // A call is answered or overdue.
      const reads = await Promise.race([call(reader, 'getMembersBySid', 'n', 's1'), pause(15000)]);
      run.child.kill('SIGCONT');
      assert.ok(reads, `read ${i} was neither answered nor overdue`);
      assert.strictEqual(reads.err, null);
      await pause(Math.random() * 5);
    }
  });

  fault('threads that are terminated in the middle leave nothing held', async () => {
    const store = place();
    const service = await started(store);
    for (let i = 0; i < 10; i += 1) {
      const worker = new Worker(JOBS, { workerData: { job: 'flood', opts: store.options() } });
      await new Promise((resolve) => worker.once('message', resolve));
      await pause(Math.random() * 10);
      await worker.terminate();
      const { err, ms } = await call(service, 'add', 'mine', `u${i}`, 's1');
      assert.strictEqual(err, null);
      assert.ok(ms < 4500, `${ms} ms`);
    }
    assert.strictEqual((await ok(service, 'getMembersBySid', 'mine', 's1')).length, 10);
    const other = create(store.options());
    await ok(other, 'start');
    await ok(other, 'add', 'n', 'again', 's1');
    await store.audit();
  });
});
