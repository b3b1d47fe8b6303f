'use strict';

/**
 * Leases in the embedded store end with the process that holds them, and not while it lives: killed, stopped, and with the
 * number of a dead process.
 */

const assert = require('node:assert');
const { describe, it, before, beforeEach, after, afterEach } = require('node:test');
const child = require('../support/child');
const { Leases } = require('../support/leases');
const { started, stopAll } = require('../support/service');
const { STORES } = require('../support/stores');

/** A frontend in a process of its own, with a user and a lease for so long. */
async function frontend({ emit, args, started: start }) {
  const { Leases: Own } = require(args.leases);
  const own = new Own(await start({ prefix: 'P' }));
  await own.claim('s1', 'e1', args.ttl);
  await own.add('s1', 'u1');
  emit('claimed');
  process.on('message', () => {});
  setInterval(() => {}, 1000);
}

describe('leases of processes, embedded', { timeout: 60000 }, () => {
  let store;
  let running;
  before(async () => {
    store = await STORES.embedded.open();
  });
  beforeEach(() => store.empty());
  afterEach(async () => {
    if (running) {
      running.child.kill('SIGKILL');
      await running.closed;
      running = undefined;
    }
    await stopAll();
  });
  after(() => store.close());

  const begin = async (ttl) => {
    const args = { ttl, leases: require.resolve('../support/leases') };
    running = child.start(frontend, { store, args });
    await running.message('claimed');
    return running.child;
  };
  const open = async () => new Leases(await started(store, { prefix: 'P' }));

  it('a killed process holds no lease, however long it was for', async () => {
    const process = await begin(3600000);
    const other = await open();
    assert.strictEqual((await other.found('s1')).epoch, 'e1');
    assert.deepStrictEqual(await other.sweep('s1'), { swept: false, removed: 0 });
    process.kill('SIGKILL');
    await running.closed;
    assert.deepStrictEqual(await other.list(), [
      { sid: 's1', epoch: null, ttl: 0, ends: false, isSwept: false, age: Infinity },
    ]);
    assert.deepStrictEqual(await other.sweep('s1'), { swept: true, removed: 1 });
    assert.deepStrictEqual(await store.keys(), []);
  });

  it('after a kill of the only process the next one finds the lease expired', async () => {
    const process = await begin(3600000);
    process.kill('SIGKILL');
    await running.closed;
    const other = await open();
    assert.strictEqual((await other.found('s1')).epoch, null);
    assert.deepStrictEqual(await other.claim('s1', 'e2'), { previous: null, removed: 1 });
  });

  it('a stopped process holds its lease for its time, and learns that it has lost it', async () => {
    const process = await begin(3000);
    const other = await open();
    process.kill('SIGSTOP');
    assert.strictEqual((await other.found('s1')).epoch, 'e1');
    await other.untilExpired('s1');
    assert.deepStrictEqual(await other.sweep('s1'), { swept: true, removed: 1 });
    process.kill('SIGCONT');
  });
});
