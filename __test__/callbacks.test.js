'use strict';

/**
 * What holds for the callbacks of every method: called in order, once, and one that throws does not affect the others; the
 * bounded queue. Results of single methods are tested in contract/, promises in promises.test.js.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { createApp } = require('./support/app');
const { invoke, call, ok, settled, failed, METHODS } = require('./support/call');
const child = require('./support/child');
const { started } = require('./support/service');
const { stores, ours } = require('./support/rows');

const QUEUE_FULL = 'ERR_GLOBAL_CHANNEL_QUEUE_FULL';
const INVALID_STATE = 'ERR_GLOBAL_CHANNEL_INVALID_STATE';

stores('callbacks that throw', (ctx) => {
  ours(
    'in the middle of a batch: all others are called, one uncaughtException per throw',
    async () => {
      const body = async ({ started, settled, call, emit }) => {
        const uncaught = [];
        process.on('uncaughtException', (err) => uncaught.push(err.message));
        const service = await started();
        const called = [];
        for (let i = 0; i < 200; i += 1) {
          service.add('n', i, 's1', () => {
            called.push(i);
            if (i % 50 === 10) throw new Error(`thrown by ${i}`);
          });
        }
        await settled(service);
        emit([called.length, called.every((each, i) => each === i), uncaught]);
        await call(service, 'stop', true);
      };
      const { code, messages, output } = await child.run(body, { store: ctx.store });
      const thrown = [10, 60, 110, 160].map((i) => `thrown by ${i}`);
      assert.deepStrictEqual([code, messages], [0, [[200, true, thrown]]], output);
    },
  );

  ours('of every method, start and stop: the service works on, exceptions arrive', async () => {
    const body = async ({ create, settled, call, emit, opts, METHODS, until }) => {
      const uncaught = [];
      process.on('uncaughtException', (err) => uncaught.push(err.message));
      const throwing = (method) => () => {
        throw new Error(method);
      };
      const service = create(opts);
      service.start(throwing('start'));
      await until(() => service.state === 1, 'the service to start');
      for (const method of Object.keys(METHODS)) {
        service[method](...METHODS[method], throwing(method));
      }
      await settled(service);
      await settled(service);
      service.stop(true, throwing('stop'));
      const count = Object.keys(METHODS).length + 2;
      await until(() => uncaught.length === count, 'all exceptions');
      emit(uncaught.sort());
      emit((await call(service, 'add', 'n', 'u', 's1')).err.code);
    };
    const { code, messages, output } = await child.run(body, { store: ctx.store });
    const expected = [...Object.keys(METHODS), 'start', 'stop'].sort();
    assert.deepStrictEqual([code, messages], [0, [expected, INVALID_STATE]], output);
  });

  ours('the thrown value arrives unchanged, also when it is not an Error', async () => {
    const body = async ({ started, settled, call, emit }) => {
      const uncaught = [];
      process.on('uncaughtException', (thrown) => uncaught.push(thrown));
      const service = await started();
      for (const thrown of ['text', null, 5, { a: 1 }]) {
        service.add('n', 'u', 's1', () => {
          throw thrown;
        });
      }
      await settled(service);
      emit(uncaught);
      await call(service, 'stop', true);
    };
    const { code, messages, output } = await child.run(body, { store: ctx.store });
    assert.deepStrictEqual([code, messages], [0, [['text', null, 5, { a: 1 }]]], output);
  });

  ours('without a handler the process ends with the error and a non-zero code', async () => {
    const body = async ({ started }) => {
      const service = await started();
      for (let i = 0; i < 20; i += 1) {
        service.add('n', i, 's1', () => {
          if (i === 10) throw new Error('this is not caught');
        });
      }
    };
    const { code, signal, output } = await child.run(body, { store: ctx.store });
    assert.ok(code > 0 && signal === null, `${code} ${signal}`);
    assert.match(output, /this is not caught/);
  });

  ours('a fire-and-forget call that fails is no unhandledRejection', async () => {
    const body = async ({ create, started, call, settled, opts, METHODS, emit }) => {
      process.on('unhandledRejection', () => emit('unhandledRejection'));
      const everything = (service) => {
        for (const method of Object.keys(METHODS)) service[method](...METHODS[method]);
      };
      const unstarted = create(opts);
      everything(unstarted);
      const service = await started();
      await call(service, 'add', ['not a name'], 'u', 's1');
      everything(service);
      await settled(service);
      await call(service, 'stop', true);
      everything(service);
      service.start();
      service.stop();
    };
    const { code, messages, output } = await child.run(body, { store: ctx.store });
    assert.deepStrictEqual([code, messages], [0, []], output);
  });
});

stores('callbacks in order', (ctx) => {
  ours(
    'maxQueue: calls beyond it are refused synchronously, the others answered once',
    async () => {
      const service = await started(ctx.store, { maxQueue: 100 });
      const records = [];
      // No answer can come in between.
      for (let i = 0; i < 150; i += 1) records.push(invoke(service, 'add', 'n', i, 's1'));
      const refused = records.filter(({ n }) => n === 1);
      assert.deepStrictEqual(refused, records.slice(100));
      for (const { err, argc } of refused) {
        assert.deepStrictEqual([err.code, argc], [QUEUE_FULL, 1]);
      }
      await Promise.all(records.map((record) => record.done));
      await settled(service);
      assert.deepStrictEqual(
        records.map(({ err, n }) => [err === null, n]),
        records.map((_, i) => [i < 100, 1]),
      );
      assert.strictEqual((await ctx.store.members('POMELO:CHANNEL:n:s1')).length, 100);
    },
  );

  ours('maxQueue: every method is refused in its form, then accepted again', async () => {
    const service = await started(ctx.store, { maxQueue: 1 });
    const first = invoke(service, 'add', 'n', 'u', 's1');
    const records = await Promise.all(
      Object.keys(METHODS).map((m) => call(service, m, ...METHODS[m])),
    );
    assert.deepStrictEqual(
      records.map(({ err, argc, sync, value }) => [err.code, argc, sync, value]),
      Object.keys(METHODS).map((method) => {
        const [argc, value] = failed(method);
        return [QUEUE_FULL, argc, true, value];
      }),
    );
    await first.done;
    for (const method of Object.keys(METHODS)) {
      assert.strictEqual((await call(service, method, ...METHODS[method])).err, null);
    }
  });

  ours('any mix of operations: callbacks and RPCs come in call order', async () => {
    const order = [];
    const app = createApp({
      rpc: (sid, msg, cb) => {
        order.push(msg.args[1]);
        setImmediate(cb, null, []);
      },
    });
    const service = await started(ctx.store, {}, app);
    await ok(service, 'add', 'full', 'u', 's1');
    // `i` is noted when the call is answered; for a push when its one RPC is made.
    const operations = {
      add: (i, done) => service.add('n', i, 's1', done),
      bulk: (i, done) => service.add('n', ['a', 'b'], 's2', done),
      leave: (i, done) => service.leave('n', 'a', 's2', done),
      get: (i, done) => service.getMembersBySid('n', 's1', done),
      getAll: (i, done) => service.getMembersByChannelName('connector', 'n', done),
      destroy: (i, done) => service.destroyChannel('n', done),
      push: (i) => service.pushMessage('connector', 'r', i, 'full', {}),
    };
    if (ctx.redis) {
      await ctx.redis.run(0, 'set', 'POMELO:CHANNEL:spoilt:s1', 'x');
      operations.wrongType = (i, done) => service.add('spoilt', 'u', 's1', done);
    }
    const step = fc.constantFrom(...Object.keys(operations), 'turn', 'wait');
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        order.length = 0;
        const expected = [];
        for (const [i, name] of steps.entries()) {
          if (name === 'turn') await new Promise(setImmediate);
          else if (name === 'wait') await call(service, 'getMembersBySid', 'n', 's3');
          else {
            expected.push(i);
            operations[name](i, () => order.push(i));
          }
        }
        await settled(service);
        assert.deepStrictEqual(order, expected);
      }),
      { numRuns: 100 },
    );
  });

  ours('a call made in a callback is answered after all earlier calls', async () => {
    const service = await started(ctx.store);
    const order = [];
    for (let i = 0; i < 20; i += 1) {
      service.add('n', i, 's1', () => {
        order.push(i);
        if (i === 5) service.getMembersBySid('n', 's1', () => order.push('inner'));
      });
    }
    await settled(service);
    await settled(service);
    assert.deepStrictEqual(order, [...Array(20).keys(), 'inner']);
  });
});
