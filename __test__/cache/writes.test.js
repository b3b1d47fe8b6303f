'use strict';

/**
 * Own writes beside cached reads: a read sees the writes that were called before it and none that were called after it, and
 * callbacks come in call order. Writes of others are in reads.test.js, churn in order.test.js.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const { K, counted, either, fill, hit, onDouble, reading, result } = require('./schedule');
const { createApp, pushed } = require('../support/app');
const { invoke, ok } = require('../support/call');
const { area, ours } = require('../support/rows');
const { started } = require('../support/service');

const ROUNDS = 50;
const PIPELINES = 5000;

describe('Cache: own writes, frame by frame', () => {
  for (const pushesFirst of [false, true]) {
    const server = pushesFirst ? 'as Redis 6' : 'as Redis 7';
    const persona = { pushesFirst };

    onDouble(
      `own write after a candidate, next batch (${server})`,
      async ({ double, service }) => {
        double.other('SADD', K, 'u');
        await fill(service);
        double.hold();
        const touched = double.next('TOUCH', K);
        const record = reading(service);
        await either(touched, record);
        const removed = double.next('SREM', K);
        const leaving = invoke(service, 'leave', 'n', 'u', 's1');
        await removed;
        // The barrier, the write and its own push in one chunk: the list is not to be served any
        // more, and reading it again now would be too late.
        double.flow();
        assert.deepStrictEqual(await result(record), ['u']);
        assert.ifError((await leaving.done).err);
        assert.deepStrictEqual(await result(reading(service)), []);
      },
      { persona },
    );

    onDouble(
      `a write that is unanswered: a read after it does not use the cache (${server})`,
      async ({ double, service }) => {
        double.other('SADD', K, 'u');
        await fill(service);
        double.hold();
        const added = double.next('SADD', K);
        const adding = invoke(service, 'add', 'n', 'v', 's1');
        await added;
        const asked = double.next('SMEMBERS', K);
        const record = reading(service);
        await asked;
        double.flow();
        assert.deepStrictEqual(await result(record), ['u', 'v']);
        assert.ifError((await adding.done).err);
      },
      { persona },
    );
  }

  onDouble('callbacks keep their order when a list is read again', async (ctx) => {
    const { double, service } = ctx;
    double.other('SADD', K, 'u');
    await fill(service);
    await fill(service, 'other');
    double.hold();
    double.other('SADD', K, 'v');
    const order = [];
    const note = (name) => (record) => {
      order.push(name);
      return record;
    };
    const touched = double.next('TOUCH', K);
    const calls = [
      invoke(service, 'add', 'j', 'x', 's1').done.then(note('write before')),
      reading(service).done.then(note('read again')),
      invoke(service, 'add', 'j', 'y', 's1').done.then(note('write after')),
      reading(service, 'other').done.then(note('hit')),
    ];
    await either(touched, { done: Promise.race(calls) });
    // All is answered but the second question for n.
    double.flow();
    await Promise.all(calls);
    assert.deepStrictEqual(order, ['write before', 'read again', 'write after', 'hit']);
  });
});

area('Cache: own writes on a real server', {}, (ctx) => {
  /** A service whose channel n holds `members`, cached on all frontends. */
  async function cached(members, opts = {}) {
    const app = createApp();
    const service = await started(ctx.redis, opts, app);
    const refill = async () => {
      for (const [sid, uids] of Object.entries(members)) await ok(service, 'add', 'n', uids, sid);
      for (const sid of ['s1', 's2', 's3']) await fill(service, 'n', sid);
      app.rpcCalls.length = 0;
    };
    return { app, service, refill };
  }

  ours('own write after a candidate, same batch: read and leave', async () => {
    const { service, refill } = await cached({ s1: ['u'] });
    for (let i = 0; i < ROUNDS; i += 1) {
      await refill();
      const record = reading(service);
      const leaving = invoke(service, 'leave', 'n', 'u', 's1');
      const after = reading(service);
      assert.deepStrictEqual(await result(record), ['u'], `round ${i}`);
      assert.ifError((await leaving.done).err);
      assert.deepStrictEqual(await result(after), [], `round ${i}`);
    }
  });

  ours('own write after a candidate, same batch: pushMessage and leave', async () => {
    const { app, service, refill } = await cached({ s1: ['u'], s2: ['v'] });
    for (let i = 0; i < ROUNDS; i += 1) {
      await refill();
      const push = invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
      const leaving = invoke(service, 'leave', 'n', 'u', 's1');
      assert.ifError((await push.done).err);
      assert.ifError((await leaving.done).err);
      const expected = [
        ['s1', ['u']],
        ['s2', ['v']],
      ];
      assert.deepStrictEqual(pushed(app), expected, `round ${i}`);
    }
  });

  ours('own write after a candidate, same batch: pushMessage and destroyChannel', async () => {
    const { app, service, refill } = await cached({ s1: ['u'], s3: ['v'] });
    for (let i = 0; i < ROUNDS; i += 1) {
      await refill();
      const push = invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
      const destroying = invoke(service, 'destroyChannel', 'n');
      assert.ifError((await push.done).err);
      assert.ifError((await destroying.done).err);
      const expected = [
        ['s1', ['u']],
        ['s3', ['v']],
      ];
      assert.deepStrictEqual(pushed(app), expected, `round ${i}`);
    }
  });

  ours('leaveAll after a candidate, which may be about any key', async () => {
    const { service, refill } = await cached({ s1: ['u'] }, { membership: 'session' });
    for (let i = 0; i < ROUNDS; i += 1) {
      await refill();
      const record = reading(service);
      const leaving = invoke(service, 'leaveAll', 'u', 's1');
      const after = reading(service);
      assert.deepStrictEqual(await result(record), ['u'], `round ${i}`);
      assert.ifError((await leaving.done).err);
      assert.deepStrictEqual(await result(after), [], `round ${i}`);
    }
  });

  ours('add, pushMessage and leave in one tick: the push has the user', async () => {
    const { app, service, refill } = await cached({ s1: ['u'] });
    for (let i = 0; i < ROUNDS; i += 1) {
      await refill();
      invoke(service, 'add', 'n', 'w', 's2');
      const push = invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
      const leaving = invoke(service, 'leave', 'n', 'w', 's2');
      assert.ifError((await push.done).err);
      await leaving.done;
      assert.deepStrictEqual(pushed(app)[1], ['s2', ['w']], `round ${i}`);
    }
  });

  ours('clean and a read in one tick: the list is empty', async () => {
    const { service, refill } = await cached({ s1: ['u'] });
    for (let i = 0; i < 5; i += 1) {
      await refill();
      const before = reading(service);
      const cleaning = invoke(service, 'clean');
      const after = reading(service);
      assert.deepStrictEqual(await result(before), ['u']);
      assert.ifError((await cleaning.done).err);
      assert.deepStrictEqual(await result(after), []);
    }
  });

  ours('pushes handled in another task: every own write is seen at once', async () => {
    const { service, refill } = await cached({ s1: ['u'] });
    await refill();
    let last;
    const counts = await counted(service, async () => {
      for (let i = 0; i < PIPELINES; i += 1) {
        // The answer of the write is there, its push came just before or after it.
        await ok(service, i % 2 ? 'leave' : 'add', 'n', 'v', 's1');
        last = await ok(service, 'getMembersBySid', 'n', 's1');
        assert.strictEqual(last.includes('v'), i % 2 === 0, `round ${i}: ${last}`);
      }
    });
    assert.ok(counts.invalidations >= PIPELINES / 2, JSON.stringify(counts));
    assert.deepStrictEqual((await hit(service)).sort(), last.sort());
  });

  ours(
    'pushes handled in another task: in flight, every read has all writes before it',
    async () => {
      const service = await started(ctx.redis);
      await fill(service);
      const members = new Set();
      const reads = [];
      for (let i = 0; i < PIPELINES; i += 1) {
        const uid = `u${i % 7}`;
        invoke(service, members.has(uid) ? 'leave' : 'add', 'n', uid, 's1');
        if (!members.delete(uid)) members.add(uid);
        // Some in the tick of the write, some in the next one, and now and then a pause for answers.
        if (i % 3 === 0) await new Promise(setImmediate);
        reads.push({ expected: [...members].sort(), record: reading(service) });
        if (i % 50 === 0) await reads[i].record.done;
      }
      for (const [i, { expected, record }] of reads.entries()) {
        assert.deepStrictEqual(await result(record), expected, `read ${i}`);
      }
    },
  );

  ours('another client of this process: every acknowledged write is seen at once', async () => {
    const service = await started(ctx.redis);
    const other = await started(ctx.redis, { cache: false });
    await fill(service);
    for (let i = 0; i < PIPELINES; i += 1) {
      await ok(other, i % 2 ? 'leave' : 'add', 'n', 'v', 's1');
      const members = await ok(service, 'getMembersBySid', 'n', 's1');
      assert.deepStrictEqual(members, i % 2 ? [] : ['v'], `round ${i}`);
      // Twice: the first one filled it.
      const again = await ok(service, 'getMembersBySid', 'n', 's1');
      assert.deepStrictEqual(again, i % 2 ? [] : ['v'], `round ${i}`);
    }
    const { hits, misses, rereads } = service.stats().cache;
    assert.ok(hits >= PIPELINES, JSON.stringify({ hits, misses, rereads }));
  });
});
