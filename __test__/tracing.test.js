'use strict';

/**
 * Calls on Node's diagnostics channels (Node 20 and later): each is published once, from the call to its callback, without the
 * names of channels and uids; answers are the same as without a subscriber. The example of docs/OPERATE.md makes spans with the
 * real OpenTelemetry SDK.
 */

const assert = require('node:assert');
const diagnostics = require('node:diagnostics_channel');
const fs = require('node:fs');
const path = require('node:path');
const { createApp } = require('./support/app');
const { call, ok } = require('./support/call');
const { memoryManager } = require('./support/manager');
const { create, started } = require('./support/service');
const { stores, ours } = require('./support/rows');

const EVENTS = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];
const options = {
  skip: typeof diagnostics.tracingChannel !== 'function' && 'this Node has no TracingChannel',
};
const traced = (title, fn) => ours(title, fn, options);
const nextTick = () => new Promise(setImmediate);

/** Runs `body(log)` while the events of a channel are logged as `[event, context]`. */
async function subscribed(name, body) {
  const channel = diagnostics.tracingChannel(`globalchannel:${name}`);
  const log = [];
  const handlers = Object.fromEntries(
    EVENTS.map((event) => [event, (context) => log.push([event, context])]),
  );
  channel.subscribe(handlers);
  try {
    await body(log);
  } finally {
    channel.unsubscribe(handlers);
  }
}

stores('tracing', (ctx) => {
  traced('a call is start, end, asyncStart and asyncEnd of one context', async () => {
    await subscribed('command', async (log) => {
      const service = await started(ctx.store);
      await ok(service, 'add', 'secret-room', 'secret-user', 's1');
      const contexts = new Set(log.map(([, context]) => context));
      assert.strictEqual(contexts.size, 1);
      assert.deepStrictEqual(
        log.map(([event]) => event),
        ['start', 'end', 'asyncStart', 'asyncEnd'],
      );
      const [context] = contexts;
      assert.deepStrictEqual({ ...context }, { method: 'add', hasCallback: true, sid: 's1' });
      assert.deepStrictEqual([context.name, context.uid], ['secret-room', 'secret-user']);
    });
  });

  traced('answers and counts are those of calls that are not traced', async () => {
    const service = await started(ctx.store);
    const answers = async () => [
      await service.promises.add('n', ['u', 'v'], 's1'),
      await service.promises.getMembersBySid('n', 's1'),
      (await call(service, 'add', 'n', 'w', 's1')).args,
      await service.promises.destroyChannel('n').catch(({ code }) => code),
      (await call(service, 'isMember', 'n', 'u', 's1')).args,
      await service.promises.add(undefined, 'u', 's1').catch(({ code }) => code),
    ];
    const plain = await answers();
    assert.strictEqual(plain[0], 2);
    await subscribed('command', async (log) => {
      await service.promises.getCountBySid('n', 's1'); // noticed in this tick
      assert.deepStrictEqual(await answers(), plain);
      const counts = log.filter(([event]) => event === 'asyncEnd').map(([, { count }]) => count);
      assert.deepStrictEqual(counts.slice(0, 2), [2, 2]);
      assert.strictEqual(log.filter(([event]) => event === 'error').length, 1);
    });
    assert.deepStrictEqual(await answers(), plain);
  });

  traced('a call without a callback is start and end', async () => {
    const service = await started(ctx.store);
    await subscribed('command', async (log) => {
      await ok(service, 'getCountBySid', 'n', 's1');
      log.length = 0;
      service.leave('n', 'u', 's1');
      await nextTick();
      assert.deepStrictEqual(
        log.map(([event, { hasCallback }]) => [event, hasCallback]),
        [
          ['start', false],
          ['end', false],
        ],
      );
    });
  });

  traced('pushes are on a channel of their own', async () => {
    const service = await started(ctx.store, {}, createApp());
    await ok(service, 'add', 'n', 'u', 's1');
    await subscribed('push', async (log) => {
      await ok(service, 'getCountBySid', 'n', 's1');
      const { args } = await call(service, 'pushMessage', 'connector', 'onChat', {}, 'n', {});
      assert.strictEqual(args[0], null);
      assert.strictEqual(log.length, 4);
      const [[, context]] = log;
      assert.strictEqual(context.method, 'pushMessage');
      assert.strictEqual(context.route, 'onChat');
      assert.strictEqual(context.count, args[1].length);
      assert.ok(!JSON.stringify(context).includes('"n"'));
    });
  });

  traced(
    'calls of a custom manager are traced, too, and a function that is no callback is an argument',
    async () => {
      const service = create({ channelManager: memoryManager() }, createApp());
      await ok(service, 'start');
      await subscribed('command', async (log) => {
        await ok(service, 'add', 'n', 'u', 's1'); // noticed by this call
        await ok(service, 'add', 'n', 'v', 's1');
        assert.deepStrictEqual(
          log.map(([event]) => event),
          ['start', 'end', 'asyncStart', 'asyncEnd'],
        );
        log.length = 0;
        const other = await started(ctx.store);
        const { err } = await call(other, 'add', 'n', () => {}, 's1');
        assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT');
        assert.ok(log.some(([event, { hasCallback }]) => event === 'error' && hasCallback));
      });
    },
  );

  traced(
    'a method that the app has replaced stays; the others are back without subscribers',
    async () => {
      const service = await started(ctx.store);
      const { prototype } = service.constructor;
      const { add, leave } = prototype;
      const own = function (...args) {
        return add.apply(this, args);
      };
      prototype.add = own;
      try {
        await subscribed('command', async () => {
          await ok(service, 'getCountBySid', 'n', 's1');
          assert.strictEqual(prototype.add, own);
          assert.notStrictEqual(prototype.leave, leave);
          assert.strictEqual(prototype.leave.length, leave.length);
        });
        await ok(service, 'getCountBySid', 'n', 's1');
        assert.strictEqual(prototype.leave, leave);
      } finally {
        prototype.add = add;
      }
    },
  );
});

/** The example of docs/OPERATE.md for OpenTelemetry. */
function example() {
  const text = fs.readFileSync(path.join(__dirname, '../docs/OPERATE.md'), 'utf8');
  const blocks = [...text.matchAll(/```js\n([^]*?)```/g)].map(([, code]) => code);
  const found = blocks.filter((code) => code.includes('@opentelemetry/api'));
  assert.strictEqual(found.length, 1);
  return found[0];
}

stores('tracing with OpenTelemetry', (ctx) => {
  traced('the example makes a span of each call, below the active one, without names', async () => {
    const { context, trace, SpanStatusCode } = require('@opentelemetry/api');
    const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
    const sdk = require('@opentelemetry/sdk-trace-base');
    const exporter = new sdk.InMemorySpanExporter();
    const spanProcessors = [new sdk.SimpleSpanProcessor(exporter)];
    context.disable();
    trace.disable();
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    trace.setGlobalTracerProvider(new sdk.BasicTracerProvider({ spanProcessors }));
    new Function('require', example())(require);
    const service = await started(ctx.store, {}, createApp());
    await trace.getTracer('app').startActiveSpan('request', async (parent) => {
      await ok(service, 'add', 'secret-room', ['secret-user', 'secret-other'], 's1');
      await ok(service, 'getMembersBySid', 'secret-room', 's1');
      await call(service, 'pushMessage', 'connector', 'onChat', {}, 'secret-room', {});
      await call(service, 'add', undefined, 'secret-user', 's1');
      parent.end();
    });
    const spans = exporter.getFinishedSpans();
    const parent = spans.find(({ name }) => name === 'request').spanContext().spanId;
    const seen = spans.filter(({ name }) => name !== 'request');
    assert.deepStrictEqual(
      seen.map(({ name }) => name),
      ['add', 'getMembersBySid', 'pushMessage', 'add'].map((method) => `globalchannel.${method}`),
    );
    for (const { parentSpanId, attributes, events } of seen) {
      assert.strictEqual(parentSpanId, parent);
      assert.ok(!JSON.stringify([attributes, events]).includes('secret'));
    }
    assert.strictEqual(seen[1].attributes['globalchannel.count'], 2);
    assert.strictEqual(seen[3].status.code, SpanStatusCode.ERROR);
    assert.strictEqual(seen[3].status.message, 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT');
  });
});
