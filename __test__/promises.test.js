'use strict';

/**
 * Promises: `util.promisify` of the methods, `channel.promises`, rejections, and AsyncLocalStorage, which promises keep
 * (callbacks do not, as in 0.0.7).
 */

const assert = require('node:assert');
const { AsyncLocalStorage } = require('async_hooks');
const { promisify } = require('util');
const { createApp, answering } = require('./support/app');
const { METHODS } = require('./support/call');
const { create, started } = require('./support/service');
const { stores, same, ours } = require('./support/rows');

const INVALID_STATE = 'ERR_GLOBAL_CHANNEL_INVALID_STATE';

stores('promises', (ctx) => {
  same('util.promisify works on the methods', async () => {
    const service = await started(ctx.store);
    const promised = (method) => promisify(service[method]).bind(service);
    assert.strictEqual(await promised('add')('n', 'u', 's1'), undefined);
    assert.deepStrictEqual(await promised('getMembersBySid')('n', 's1'), ['u']);
    assert.deepStrictEqual(await promised('getMembersByChannelName')('connector', 'n'), ['u']);
    assert.deepStrictEqual(await promised('pushMessage')('connector', 'r', {}, 'n', {}), []);
    assert.strictEqual(await promised('leave')('n', 'u', 's1'), undefined);
    assert.strictEqual(await promised('destroyChannel')('n'), undefined);
    await assert.rejects(promised('start')(), /invalid state/);
  });

  ours('channel.promises has every method', async () => {
    const app = createApp({ rpc: answering({ s1: ['failed'] }) });
    const service = create(ctx.store.options(), app);
    const { promises } = service;
    assert.strictEqual(await promises.start(), undefined);
    assert.strictEqual(await promises.add('n', ['u', 'v'], 's1'), 2);
    assert.strictEqual(await promises.leave('n', 'v', 's1'), 1);
    assert.deepStrictEqual(await promises.getMembersBySid('n', 's1'), ['u']);
    assert.deepStrictEqual(await promises.getMembersByChannelName('connector', 'n'), ['u']);
    assert.deepStrictEqual(await promises.pushMessage('connector', 'r', {}, 'n'), ['failed']);
    const opts = { filter: 'x' };
    assert.deepStrictEqual(await promises.pushMessage('connector', 'r', {}, 'n', opts), ['failed']);
    const userOptions = app.rpcCalls.map(({ msg }) => msg.args[3].userOptions);
    assert.deepStrictEqual(userOptions, [{}, opts]);
    assert.strictEqual(await promises.destroyChannel('n'), undefined);
    assert.strictEqual(await promises.clean(), undefined);
    assert.deepStrictEqual(await promises.getMembersByChannelName('no such type', 'n'), []);
    assert.strictEqual(await promises.stop(true), undefined);
    assert.strictEqual(service.state, 2);
    assert.strictEqual(await promises.stop(), undefined);
  });

  ours('a rejection carries the code, for every method', async () => {
    const { promises } = create(ctx.store.options());
    for (const method of [...Object.keys(METHODS), 'clean']) {
      const promise = promises[method](...(METHODS[method] || []));
      await assert.rejects(promise, { code: INVALID_STATE, message: 'invalid state' }, method);
    }
    const service = await started(ctx.store);
    await assert.rejects(service.promises.start(), { code: INVALID_STATE });
    await assert.rejects(service.promises.add('n', undefined, 's1'), {
      code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT',
    });
  });

  ours.redis('… also when the error is that of the store', async () => {
    const service = await started(ctx.store);
    await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:n:s1', 'x');
    for (const method of ['add', 'getMembersBySid', 'getMembersByChannelName']) {
      const promise = service.promises[method](...METHODS[method]);
      await assert.rejects(promise, { code: 'ERR_GLOBAL_CHANNEL_STORE' }, method);
    }
  });

  ours('promises keep the AsyncLocalStorage context', async () => {
    const storage = new AsyncLocalStorage();
    const service = await started(ctx.store);
    const seen = await Promise.all(
      ['a', 'b', 'c'].map((store) =>
        storage.run(store, async () => {
          await service.promises.add('n', store, 's1');
          const after = storage.getStore();
          return service.promises
            .getMembersBySid('n', 's1')
            .then(() => [after, storage.getStore()]);
        }),
      ),
    );
    assert.deepStrictEqual(seen, [
      ['a', 'a'],
      ['b', 'b'],
      ['c', 'c'],
    ]);
  });
});
