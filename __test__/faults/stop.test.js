'use strict';

/**
 * Stopping with commands in flight, and while the store is down or hangs: every call is answered within the drain time, and
 * the process ends by itself. An ordinary stop is in contract/.
 */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { Flight, hold, held, CODE } = require('./flight');
const { started } = require('../support/service');
const { call } = require('../support/call');
const child = require('../support/child');
const { until } = require('../support/until');

// A second of drain time, and a busy machine.
const LIMIT = 4500;

/** Stops in mid-flight. All is answered when stop is, and nothing later. */
async function stopInFlight(flight, ...codes) {
  const { ms, argc } = await call(flight.service, 'stop', true);
  assert.ok(ms < LIMIT, `stop took ${ms} ms`);
  assert.strictEqual(argc, 0);
  assert.strictEqual(flight.service.state, 2);
  const open = flight.entries.filter(({ record }) => record.n === 0);
  assert.strictEqual(open.length, 0, `${open.length} calls unanswered when stop was`);
  await flight.answered();
  flight.check(...codes);
  return flight;
}

area('stop with 500 commands in flight', {}, (ctx) => {
  fault('all are done first', async () => {
    const service = await started(ctx.redis);
    const flight = new Flight(service).send(500);
    await stopInFlight(flight);
    await flight.checkStore(ctx.redis);
    await ctx.redis.untilClients(0);
  });

  fault('while the server hangs: STOPPED', async () => {
    const service = await started(ctx.redis);
    const flight = new Flight(service);
    await flight.send(300).answered();
    ctx.redis.pause();
    try {
      await stopInFlight(flight.send(500), 'STOPPED');
      assert.strictEqual(flight.failed(300).length, 500);
    } finally {
      ctx.redis.resume();
    }
    await ctx.redis.untilClients(0);
    await flight.checkStore(ctx.redis);
  });

  fault('some executed, the rest held by the server: each gets its own result', async () => {
    const service = await started(ctx.redis);
    const flight = new Flight(service);
    await flight.send(300).answered();
    await hold(ctx.redis);
    flight.send(500);
    await held(ctx.redis);
    try {
      await stopInFlight(flight, 'STOPPED');
    } finally {
      await ctx.redis.run(0, 'client', 'unpause');
    }
    await ctx.redis.untilClients(0);
    await flight.checkStore(ctx.redis);
  });

  fault('while the server is down: STOPPED, and quiet afterwards', async () => {
    const service = await started(ctx.redis);
    await ctx.redis.kill();
    const flight = new Flight(service);
    await stopInFlight(flight.send(500), 'STOPPED', 'DISCONNECTED');
    assert.strictEqual(flight.failed().length, 500);
    // It must not come back to a server that does.
    await ctx.redis.up();
    let seen = 0;
    const end = Date.now() + 500;
    await until(async () => {
      seen += (await ctx.redis.clients()).length;
      return Date.now() > end;
    }, 'half a second');
    assert.strictEqual(seen, 0);
  });

  fault('stop twice: both are answered within the drain time', async () => {
    const service = await started(ctx.redis);
    ctx.redis.pause();
    try {
      const flight = new Flight(service).send(500);
      const stops = await Promise.all([call(service, 'stop', true), call(service, 'stop', false)]);
      for (const { ms } of stops) assert.ok(ms < LIMIT, `stop took ${ms} ms`);
      await flight.answered();
      flight.check('STOPPED');
    } finally {
      ctx.redis.resume();
    }
  });
});

area('the process ends by itself', {}, (ctx) => {
  /** A child that starts, says so, waits for a line from here, then stops with 500 in flight. */
  const stopping = async ({ started: start, call: ask, emit }) => {
    const service = await start();
    process.on('unhandledRejection', (err) => emit({ noise: String(err) }));
    process.on('uncaughtException', (err) => emit({ noise: String(err) }));
    emit('started');
    await new Promise((resolve) => process.stdin.once('data', resolve));
    process.stdin.destroy();
    let answered = 0;
    for (let i = 0; i < 500; i += 1) service.add('n', i, 's1', () => (answered += 1));
    const { ms } = await ask(service, 'stop', true);
    const stopped = Date.now();
    setImmediate(() => emit({ ms, answered }));
    process.on('exit', () => emit({ ended: Date.now() - stopped }));
  };

  async function stopsInChild(fault_) {
    const run = child.start(stopping, { store: ctx.store });
    const timer = setTimeout(() => run.child.kill('SIGKILL'), 8000);
    try {
      await run.message('started');
      await fault_();
      run.child.stdin.write('go\n');
      await run.closed;
    } finally {
      clearTimeout(timer);
    }
    assert.deepStrictEqual([run.code, run.signal], [0, null], run.output);
    const seen = Object.assign({}, ...run.messages.slice(1));
    assert.strictEqual(seen.noise, undefined);
    assert.strictEqual(seen.answered, 500);
    assert.ok(seen.ms < LIMIT, `stop took ${seen.ms} ms`);
    assert.ok(seen.ended < 4500, `the process ended ${seen.ended} ms after stop`);
  }

  fault('after stop with the server hanging', async () => {
    try {
      await stopsInChild(() => ctx.redis.pause());
    } finally {
      ctx.redis.resume();
    }
  });

  fault('after stop with the server down', () => stopsInChild(() => ctx.redis.kill()));

  fault('after stop before the server ever answered', async () => {
    await ctx.redis.kill();
    const early = async ({ create, call: ask, invoke, opts, emit }) => {
      const service = create(opts);
      const start = invoke(service, 'start');
      start.done.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 300));
      const { ms } = await ask(service, 'stop', true);
      await start.done;
      emit({ ms, code: start.err && start.err.code, n: start.n });
    };
    const run = await child.run(early, { store: ctx.store, deadline: 8000 });
    assert.deepStrictEqual([run.code, run.signal], [0, null], run.output);
    const [{ ms, code, n }] = run.messages;
    assert.ok(ms < LIMIT, `stop took ${ms} ms`);
    assert.deepStrictEqual([code, n], [CODE('STOPPED'), 1]);
  });

  fault('after a start that failed', async () => {
    await ctx.redis.kill();
    const failing = async ({ create, call: ask, opts, emit }) => {
      const { err } = await ask(create({ ...opts, startTimeout: 300 }), 'start');
      emit(err && err.code);
    };
    const run = await child.run(failing, { store: ctx.store, deadline: 8000 });
    assert.deepStrictEqual([run.code, run.signal], [0, null], run.output);
    assert.deepStrictEqual(run.messages, [CODE('UNREACHABLE')]);
  });
});
