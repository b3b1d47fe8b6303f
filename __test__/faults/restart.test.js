'use strict';

/**
 * The server dies (SIGKILL) with commands in flight and comes back on the same port, with its data or without, soon, late or
 * still loading. Hanging servers and lost connections are in other files.
 */

const assert = require('node:assert');
const { area, fault, PASSWORD } = require('./fault');
const { Flight, recovers, hold, held, words, CODE } = require('./flight');
const { create, started } = require('../support/service');
const { call, ok } = require('../support/call');
const { report } = require('../support/report');
const { until } = require('../support/until');

const AOF = ['--appendonly', 'yes', '--appendfsync', 'always'];

/** Some writes that are acknowledged, then 500 commands that certainly meet the fault. */
async function inFlight(service, redis) {
  const flight = new Flight(service);
  await flight.send(300).answered();
  await hold(redis);
  flight.send(500);
  await held(redis);
  return flight;
}

area('the server is killed and keeps its data', { args: AOF, password: PASSWORD }, (ctx) => {
  fault('500 commands in flight are done after the restart, in the right db', async () => {
    const service = await started(ctx.redis, { db: 3, auth_pass: PASSWORD });
    const flight = await inFlight(service, ctx.redis);
    await ctx.redis.restart();
    await flight.answered();
    await flight.check().checkStore(ctx.redis, 3);
    const recovered = await recovers(service);
    const sees = 'calls wait; those in flight are sent again and done';
    report({ fault: 'kill -9, restart with its data', sees, recovered });
  });

  fault('killed again as soon as the service has come back: the same', async () => {
    const service = await started(ctx.redis, { auth_pass: PASSWORD });
    const flight = await inFlight(service, ctx.redis);
    for (let again = 0; again < 3; again += 1) {
      await ctx.redis.restart();
      flight.send(50);
      await ctx.redis.untilClients(1);
    }
    await flight.answered();
    await flight.check().checkStore(ctx.redis);
    await recovers(service);
  });

  fault('an idle service reconnects without a call', async () => {
    await started(ctx.redis, { auth_pass: PASSWORD });
    await ctx.redis.restart();
    await ctx.redis.untilClients(1);
  });

  fault('down for longer than commandTimeout: errors in time, then it recovers', async () => {
    const service = await started(ctx.redis, { auth_pass: PASSWORD, commandTimeout: 800 });
    const flight = new Flight(service);
    await flight.send(300).answered();
    await ctx.redis.kill();
    await flight.send(500).answered();
    flight.check('TIMEOUT', 'DISCONNECTED');
    assert.strictEqual(flight.failed(300).length, 500);
    // Not after the default commandTimeout of 5 s, that is.
    assert.ok(Math.max(...flight.times(300)) < 4500, `took ${Math.max(...flight.times(300))} ms`);
    for (const { record } of flight.failed()) assert.ok(record.err.cause, words(record.err));
    await ctx.redis.up();
    const recovered = await recovers(service);
    await flight.send(500).answered();
    await flight.check('TIMEOUT', 'DISCONNECTED').checkStore(ctx.redis);
    assert.strictEqual(flight.failed(800).length, 0);
    const sees = 'TIMEOUT or DISCONNECTED within commandTimeout, with the cause';
    report({ fault: 'down for longer than commandTimeout', sees, recovered });
  });
});

area('the server is killed and comes back empty', {}, (ctx) => {
  fault('500 commands in flight are answered with success and the service works', async () => {
    const service = await started(ctx.redis);
    const flight = await inFlight(service, ctx.redis);
    await ctx.redis.restart();
    await flight.answered();
    flight.check();
    const recovered = await recovers(service);
    await ctx.redis.flush();
    const next = new Flight(service, 2);
    await next.send(500).answered();
    await next.check().checkStore(ctx.redis);
    const sees = 'calls wait and are done; what Redis has lost is lost, without an error';
    report({ fault: 'kill -9, restart with an empty store', sees, recovered });
  });
});

// About a second to load: the values are larger than the step after which the server listens.
const SLOW = ['--key-load-delay', '3000', '--loading-process-events-interval-bytes', '1024'];
// About four seconds.
const SLOWER = SLOW.map((arg) => (arg === '3000' ? '12000' : arg));

area('the server comes back and is loading', { args: SLOW }, (ctx) => {
  const loading = () =>
    ctx.redis.run(0, 'ping').then(
      () => false,
      (err) => /LOADING/.test(err.message),
    );

  async function fill() {
    const value = 'x'.repeat(2000);
    const keys = Array.from({ length: 300 }, (_, i) => `other:${i}`);
    await Promise.all(keys.map((key) => ctx.redis.run(0, 'set', key, value)));
    await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:kept:s1', 'u');
    await ctx.redis.run(0, 'save');
  }

  fault('commands wait until it has loaded', async () => {
    const service = await started(ctx.redis);
    await fill();
    await ctx.redis.kill();
    const flight = new Flight(service);
    flight.send(500);
    const up = ctx.redis.up();
    await until(loading, 'the server to say LOADING');
    flight.send(500);
    await up;
    await flight.answered();
    await flight.check().checkStore(ctx.redis);
    const recovered = await recovers(service);
    const sees = 'calls wait until it has loaded, within commandTimeout';
    report({ fault: 'LOADING: a restart with a large dump', sees, recovered });
  });

  fault('start waits until it has loaded, and then sees the data', async () => {
    await fill();
    await ctx.redis.kill();
    const up = ctx.redis.up();
    await until(loading, 'the server to say LOADING');
    const service = create({ host: '127.0.0.1', port: ctx.redis.port });
    const { err } = await call(service, 'start');
    assert.ifError(err);
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'kept', 's1'), ['u']);
    await up;
  });

  fault('start gives up after startTimeout, with the cause', async () => {
    await fill();
    await ctx.redis.kill();
    ctx.redis.args = SLOWER;
    const up = ctx.redis.up();
    ctx.redis.args = SLOW;
    await until(loading, 'the server to say LOADING');
    // Loading takes longer, and an attempt less, also where the machine is busy.
    const service = create({ host: '127.0.0.1', port: ctx.redis.port, startTimeout: 2000 });
    try {
      const { err } = await call(service, 'start');
      assert.strictEqual(err && err.code, CODE('UNREACHABLE'));
      assert.match(words(err), /LOADING/);
    } finally {
      // Nothing knows the server before it is ready, so nothing would end it.
      await up;
    }
  });
});
