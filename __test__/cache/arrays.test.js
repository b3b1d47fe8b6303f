'use strict';

/**
 * Arrays given to the app are copies: changing one does not change the next answer, the answer of another callback
 * in the same tick, or what a frontend is sent. Which members an array holds is tested in the other files.
 */

const assert = require('node:assert');
const { counted, fill, reading, result } = require('./schedule');
const { createApp, pushed } = require('../support/app');
const { call, invoke, ok } = require('../support/call');
const { area, ours } = require('../support/rows');
const { started } = require('../support/service');

const UIDS = ['u0', 'u1', 'u2', 'u3'];
const sorted = (list) => list.slice().sort();

/** As a careless caller does it; a frozen array may refuse. */
function spoil(list) {
  try {
    list.reverse();
    list[0] = 'spoilt';
    list.push('another');
    list.length = 1;
  } catch (err) {
    assert.ok(err instanceof TypeError, err);
  }
}

area('Cache: arrays that are changed', {}, (ctx) => {
  async function cached(app) {
    const service = await started(ctx.redis, {}, app);
    await ok(service, 'add', 'n', UIDS, 's1');
    await ok(service, 'add', 'n', UIDS, 's2');
    for (const sid of ['s1', 's2', 's3']) await fill(service, 'n', sid);
    return service;
  }

  /** `n` on s1 still is what it was, from memory. */
  async function intact(service) {
    const counts = await counted(service, async () => {
      assert.deepStrictEqual(sorted(await ok(service, 'getMembersBySid', 'n', 's1')), UIDS);
    });
    assert.strictEqual(counts.hits, 1);
  }

  ours('lists of getMembersBySid may be sorted and filled like any array', async () => {
    const service = await cached();
    for (let i = 0; i < 3; i += 1) {
      const list = await ok(service, 'getMembersBySid', 'n', 's1');
      assert.strictEqual(list.sort().push('more'), UIDS.length + 1);
      spoil(list);
      await intact(service);
    }
  });

  ours('callbacks of one tick: one changes its list, the others have theirs', async () => {
    const service = await cached();
    for (let i = 0; i < 3; i += 1) {
      const seen = [];
      const records = Array.from({ length: 10 }, () => {
        const record = reading(service);
        return record.done.then(() => {
          seen.push(sorted(record.value));
          spoil(record.value);
        });
      });
      await Promise.all(records);
      assert.deepStrictEqual(
        seen,
        Array.from({ length: 10 }, () => UIDS),
      );
      await intact(service);
      // The next round's lists come from the store, and are shared there as well.
      await ok(service, 'add', 'n', 'x', 's1');
      await ok(service, 'leave', 'n', 'x', 's1');
    }
  });

  ours('a callback that changes its list before the next one is called', async () => {
    const service = await cached();
    const seen = [];
    await new Promise((resolve) => {
      const callback = (err, list) => {
        seen.push(sorted(list));
        spoil(list);
        if (seen.length === 5) resolve();
      };
      for (let i = 0; i < 5; i += 1) service.getMembersBySid('n', 's1', callback);
    });
    assert.deepStrictEqual(
      seen,
      Array.from({ length: 5 }, () => UIDS),
    );
  });

  ours('lists of getMembersByChannelName', async () => {
    const service = await cached();
    for (let i = 0; i < 3; i += 1) {
      const list = await ok(service, 'getMembersByChannelName', 'connector', 'n');
      assert.deepStrictEqual(sorted(list), sorted([...UIDS, ...UIDS]));
      spoil(list);
      await intact(service);
    }
  });

  ours('uids given to app.rpcInvoke, changed by it: other frontends, other pushes', async () => {
    const app = createApp({
      rpc: (sid, msg, cb) => {
        spoil(msg.args[2]);
        process.nextTick(cb, null, []);
      },
    });
    const rpcInvoke = app.rpcInvoke;
    const seen = [];
    app.rpcInvoke = (sid, msg, cb) => {
      seen.push([sid, sorted(msg.args[2])]);
      rpcInvoke(sid, msg, cb);
    };
    const service = await cached(app);
    for (let i = 0; i < 3; i += 1) {
      const pushes = Array.from({ length: 2 }, () =>
        invoke(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {}),
      );
      for (const { done } of pushes) assert.ifError((await done).err);
      await intact(service);
    }
    const push = [
      ['s1', UIDS],
      ['s2', UIDS],
    ];
    const expected = Array.from({ length: 6 }, () => push).flat();
    assert.deepStrictEqual(seen, expected);
  });

  ours('the same by an RPC that keeps the array and changes it later', async () => {
    const service = await cached(createApp());
    await ok(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
    for (const { msg } of service.app.rpcCalls) spoil(msg.args[2]);
    service.app.rpcCalls.length = 0;
    await ok(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
    const lists = pushed(service.app).map(([sid, list]) => [sid, sorted(list)]);
    assert.deepStrictEqual(lists, [
      ['s1', UIDS],
      ['s2', UIDS],
    ]);
    await intact(service);
  });

  ours('failed uids: those of a frontend that spoilt its list are all there', async () => {
    const app = createApp({
      rpc: (sid, msg, cb) => {
        spoil(msg.args[2]);
        process.nextTick(cb, sid === 's1' ? new Error('no') : null, []);
      },
    });
    const service = await cached(app);
    for (let i = 0; i < 3; i += 1) {
      const failed = await ok(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
      assert.deepStrictEqual(sorted(failed), UIDS);
      spoil(failed);
      await intact(service);
    }
  });

  ours('failed uids, changed in one callback: those of the next push', async () => {
    const app = createApp();
    app.removeServer('s2');
    const service = await cached(app);
    await ok(service, 'add', 'n', 'u', 's3');
    app.rpc = (sid, msg, cb) => process.nextTick(cb, sid === 's1' ? 'dead' : null, []);
    const records = await Promise.all(
      [0, 1, 2].map(async () => {
        const record = await call(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
        assert.ifError(record.err);
        const seen = sorted(record.value);
        spoil(record.value);
        return seen;
      }),
    );
    assert.deepStrictEqual(records, [UIDS, UIDS, UIDS]);
    await intact(service);
    assert.deepStrictEqual(await result(reading(service)), UIDS);
  });
});
