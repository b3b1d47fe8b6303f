'use strict';

/**
 * getCountBySid: the number of members on one frontend, in every store, in call order with all else; from
 * custom managers that have it and from those that do not.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { invoke, call, ok } = require('../support/call');
const { started, stopAll } = require('../support/service');
const { recordingManager, startedWith } = require('../support/manager');
const { stores, ours } = require('../support/rows');

const INVALID_ARGUMENT = 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT';
const KEY = 'POMELO:CHANNEL:n:s1';

stores('C getCountBySid', (ctx) => {
  ours('the members of one frontend are counted; 0 where there are none', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', ['a', 'b', 'c', 'ü', Buffer.from([0xff])], 's1');
    await ok(service, 'add', 'n', 'd', 's2');
    assert.deepStrictEqual((await call(service, 'getCountBySid', 'n', 's1')).args, [null, 5]);
    assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's2'), 1);
    assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's3'), 0);
    assert.strictEqual(await service.promises.getCountBySid('n', 's1'), 5);
    await ok(service, 'leave', 'n', ['a', 'b', 'nobody'], 's1');
    assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), 3);
    await ok(service, 'destroyChannel', 'n');
    assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), 0);
    assert.strictEqual(service.stats().commands.getCountBySid, 6);
  });

  ours('it sees the calls made before it and none made after it, in one tick', async () => {
    const service = await started(ctx.store);
    const counts = [];
    const count = () => invoke(service, 'getCountBySid', 'n', 's1').done;
    for (let i = 0; i < 100; i += 1) {
      service.add('n', [i, `${i}-more`], 's1');
      counts.push(count());
      service.leave('n', i, 's1');
      service.getMembersBySid('n', 's1');
      counts.push(count());
    }
    service.destroyChannel('n');
    counts.push(count());
    const values = (await Promise.all(counts)).map(({ value }) => value);
    const expected = Array.from({ length: 100 }, (_, i) => [i + 2, i + 1]).flat();
    assert.deepStrictEqual(values, [...expected, 0]);
  });

  ours('what another process has changed is counted, whatever is in memory', async () => {
    const [service, other] = [await started(ctx.store), await started(ctx.store)];
    for (let i = 0; i < 50; i += 1) {
      // Twice, so that the list is kept.
      await ok(service, 'getMembersBySid', 'n', 's1');
      await ok(service, 'getMembersBySid', 'n', 's1');
      await ok(other, 'add', 'n', i, 's1');
      assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), i + 1);
    }
  });

  ours('lists and counts do not go back in call order while another process adds', async () => {
    const [service, other] = [await started(ctx.store), await started(ctx.store)];
    await ok(other, 'add', 'n', 'first', 's1');
    const job = { isOn: true };
    const adds = (async () => {
      for (let i = 0; job.isOn; i += 1) await ok(other, 'add', 'n', i, 's1');
    })();
    const sizes = [];
    for (let round = 0; round < 100; round += 1) {
      const list = invoke(service, 'getMembersBySid', 'n', 's1').done;
      const count = invoke(service, 'getCountBySid', 'n', 's1').done;
      const all = invoke(service, 'getMembersByChannelName', 'connector', 'n').done;
      const answers = await Promise.all([list, count, all]);
      for (const { err, value } of answers) {
        assert.ifError(err);
        sizes.push(typeof value === 'number' ? value : value.length);
      }
    }
    job.isOn = false;
    await adds;
    const sorted = sizes.slice().sort((a, b) => a - b);
    assert.deepStrictEqual(sizes, sorted);
  });

  ours('arguments that are no text are refused as by getMembersBySid', async () => {
    const service = await started(ctx.store);
    for (const [args, name] of [
      [[undefined, 's1'], 'name'],
      [['n', null], 'sid'],
      [[{}, 's1'], 'name'],
    ]) {
      const refused = await call(service, 'getCountBySid', ...args);
      const { err, argc, sync, value } = refused;
      assert.deepStrictEqual([err.code, argc, sync, value], [INVALID_ARGUMENT, 2, true, undefined]);
      assert.match(err.message, new RegExp(`^argument ${name} `));
      const same = await call(service, 'getMembersBySid', ...args);
      assert.strictEqual(err.message, same.err.message);
    }
    assert.strictEqual(service.stats().commands.getCountBySid, 0);
  });

  ours.redis('it is one SCARD, also where the list is in memory', async () => {
    const service = await started(ctx.store);
    await ok(service, 'add', 'n', 'u', 's1');
    await ok(service, 'getMembersBySid', 'n', 's1');
    await ok(service, 'getMembersBySid', 'n', 's1');
    const monitor = await ctx.redis.monitor();
    assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), 1);
    assert.deepStrictEqual(await monitor.commands(), [['0', 'SCARD', KEY]]);
  });

  ours.redis("an error of the store is the call's own", async () => {
    const service = await started(ctx.store);
    await ctx.redis.run(0, 'set', KEY, 'x');
    const [spoilt, good] = await Promise.all([
      call(service, 'getCountBySid', 'n', 's1'),
      call(service, 'getCountBySid', 'n', 's2'),
    ]);
    assert.strictEqual(spoilt.err.code, 'ERR_GLOBAL_CHANNEL_STORE');
    assert.match(spoilt.err.message, /^WRONGTYPE /);
    assert.deepStrictEqual([spoilt.argc, spoilt.value], [2, undefined]);
    assert.deepStrictEqual(good.args, [null, 0]);
  });
});

describe('C getCountBySid of custom managers', () => {
  afterEach(stopAll);

  ours('a manager that has it is asked', async () => {
    const manager = recordingManager();
    manager.getCountBySid = function (name, sid, cb) {
      manager.log.push(['getCountBySid', name, sid, this === manager]);
      cb(null, 7);
    };
    const service = await startedWith(manager);
    assert.deepStrictEqual((await call(service, 'getCountBySid', 'n', 's1')).args, [null, 7]);
    assert.deepStrictEqual(manager.log.pop(), ['getCountBySid', 'n', 's1', true]);
  });

  ours('of another one the members are counted', async () => {
    const manager = recordingManager();
    const service = await startedWith(manager);
    assert.deepStrictEqual((await call(service, 'getCountBySid', 'n', 's1')).args, [null, 1]);
    assert.deepStrictEqual(manager.log.pop(), ['getMembersBySid', 'n', 's1', 'function']);
    const error = new Error('of its own');
    for (const [given, expected] of [
      [[null, []], 0],
      [[null], 0],
      [[null, ['a', ['b', 'c']]], 2],
    ]) {
      manager.getMembersBySid = (name, sid, cb) => cb(...given);
      assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), expected);
    }
    manager.getMembersBySid = (name, sid, cb) => cb(error);
    assert.deepStrictEqual((await call(service, 'getCountBySid', 'n', 's1')).args, [
      error,
      undefined,
    ]);
    const { proxy, revoke } = Proxy.revocable([], {});
    revoke();
    manager.getMembersBySid = (name, sid, cb) => cb(null, proxy);
    const { err } = await call(service, 'getCountBySid', 'n', 's1');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_INTERNAL');
  });
});
