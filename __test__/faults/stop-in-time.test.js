'use strict';

/**
 * pomelo gives `stop` 3 s and then ends the process, so that other components are not stopped. Whatever delays the calls, all
 * are answered and `stop` calls back well before. What becomes of each call, and of the process, is in stop.test.js.
 */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { CODE } = require('./flight');
const { delay, proxy } = require('./wire');
const { createApp } = require('../support/app');
const { create, started } = require('../support/service');
const { invoke, call, ok } = require('../support/call');
const { recordingManager, startedWith } = require('../support/manager');
const { report } = require('../support/report');
const { STORES } = require('../support/stores');

// A second to drain, and another for a custom manager's own stop; pomelo's limit is 3 s.
const LIMIT = 2900;

/** Stops with these calls under way: says how long it took, and what the calls were answered with. */
async function stop(service, calls) {
  const records = calls();
  const { ms } = await call(service, 'stop', true);
  assert.ok(ms < LIMIT, `stop took ${ms} ms`);
  assert.deepStrictEqual(new Set(records.map(({ n }) => n)), new Set([1]), 'answered, once');
  await Promise.all(records.map(({ done }) => done));
  const codes = new Set(records.map(({ err }) => (err ? err.code : 'done')));
  return { ms, codes: [...codes] };
}

const adds = (service) => () =>
  Array.from({ length: 100 }, (_, i) => invoke(service, 'add', 'n', i, 's1'));

area('stop, whatever holds it up', {}, (ctx) => {
  const STOPPED = [CODE('STOPPED')];

  const cases = {
    'a slow Redis (0.6 s for an answer)': async (closing) => {
      const wire = await proxy(ctx.redis.port);
      closing(() => wire.close());
      const service = await started(wire);
      delay(wire, () => 300);
      return [await stop(service, adds(service)), ['done']];
    },
    'a Redis that hangs': async (closing) => {
      const wire = await proxy(ctx.redis.port);
      closing(() => wire.close());
      const service = await started(wire);
      wire.toServer = () => undefined;
      return [await stop(service, adds(service)), STOPPED];
    },
    'a Redis that is down': async (closing) => {
      const wire = await proxy(ctx.redis.port);
      closing(() => wire.close());
      const service = await started(wire);
      await wire.close();
      return [await stop(service, adds(service)), STOPPED];
    },
    'pushes whose RPCs are not answered': async () => {
      const service = await started(ctx.redis, {}, createApp({ rpc: () => {} }));
      await ok(service, 'add', 'n', 'u', 's1');
      const push = () => invoke(service, 'pushMessage', 'connector', 'r', {}, 'n', {});
      return [await stop(service, () => Array.from({ length: 100 }, push)), STOPPED];
    },
    'a custom manager that hangs, in its stop too': async () => {
      const manager = recordingManager();
      const service = await startedWith(manager);
      manager.add = manager.stop = () => {};
      return [await stop(service, adds(service)), STOPPED];
    },
    'a start that waits for Redis': async (closing) => {
      const wire = await proxy(ctx.redis.port);
      closing(() => wire.close());
      wire.toServer = () => undefined;
      const service = create({ host: '127.0.0.1', port: wire.port });
      return [await stop(service, () => [invoke(service, 'start')]), STOPPED];
    },
    'an embedded store whose lock another process holds': async (closing) => {
      const store = await STORES.embedded.open();
      closing(() => store.close());
      const service = await started(store);
      await store.hang();
      closing(() => store.resume());
      return [await stop(service, adds(service)), STOPPED];
    },
  };

  for (const [what, run] of Object.entries(cases)) {
    fault(`${what}: all calls are answered and stop calls back before pomelo's 3 s`, async () => {
      const endings = [];
      try {
        const [{ ms, codes }, expected] = await run((fn) => endings.unshift(fn));
        assert.deepStrictEqual(codes, expected);
        const sees = expected === STOPPED ? 'ERR_GLOBAL_CHANNEL_STOPPED' : 'all calls are done';
        report({ topic: 'Stop', fault: what, sees, recovered: `stop took ${ms} ms` });
      } finally {
        for (const end of endings) await end();
      }
    });
  }
});
