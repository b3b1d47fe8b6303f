'use strict';

/**
 * Starting while the store is down, slow, or another kind of server. Wrong options and wrong passwords, which fail at once, are
 * tested in contract/.
 */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { Flight, words, CODE } = require('./flight');
const { listen } = require('./wire');
const { create } = require('../support/service');
const { invoke, call } = require('../support/call');
const { until, pause } = require('../support/until');

const at = ({ port }, opts) => create({ host: '127.0.0.1', port, ...opts });

area('the store is down at start', {}, (ctx) => {
  async function works(service) {
    const flight = new Flight(service);
    await flight.send(500).answered();
    await flight.check().checkStore(ctx.redis);
  }

  fault('and comes up: start succeeds, once', async () => {
    await ctx.redis.kill();
    const service = at(ctx.redis);
    const start = invoke(service, 'start');
    await pause(500);
    assert.strictEqual(start.n, 0);
    await ctx.redis.up();
    assert.ifError((await start.done).err);
    await works(service);
    assert.strictEqual(start.n, 1);
  });

  fault(
    'for longer than startTimeout: UNREACHABLE once, and start can be called again',
    async () => {
      await ctx.redis.kill();
      const service = at(ctx.redis, { startTimeout: 600 });
      const start = invoke(service, 'start');
      const { err, ms } = await start.done;
      assert.strictEqual(err && err.code, CODE('UNREACHABLE'));
      assert.match(words(err), /refused/i);
      assert.ok(ms >= 570 && ms < 10000, `${ms} ms`);
      assert.strictEqual(service.state, 0);
      const again = invoke(service, 'start');
      await ctx.redis.up();
      assert.ifError((await again.done).err);
      assert.strictEqual(service.state, 1);
      await works(service);
      assert.deepStrictEqual([start.n, again.n], [1, 1]);
    },
  );

  fault('two starts under way: both fail the same, both once', async () => {
    await ctx.redis.kill();
    const service = at(ctx.redis, { startTimeout: 300 });
    const starts = [invoke(service, 'start'), invoke(service, 'start')];
    await Promise.all(starts.map(({ done }) => done));
    assert.deepStrictEqual(
      starts.map(({ err }) => err && err.code),
      [CODE('UNREACHABLE'), CODE('UNREACHABLE')],
    );
    await pause(100);
    assert.deepStrictEqual([starts[0].n, starts[1].n], [1, 1]);
  });
});

area('the server hangs at start', {}, (ctx) => {
  fault('for a second: start succeeds', async () => {
    ctx.redis.pause();
    try {
      const start = invoke(at(ctx.redis), 'start');
      await pause(1000);
      assert.strictEqual(start.n, 0);
      ctx.redis.resume();
      assert.ifError((await start.done).err);
    } finally {
      ctx.redis.resume();
    }
  });
});

area('the port belongs to something else', {}, () => {
  /** The failed start on a port where `accept` answers, and what is left of it. */
  async function failedStart(accept, opts) {
    const wire = await listen(accept);
    try {
      const service = at(wire, { startTimeout: 700, ...opts });
      const start = invoke(service, 'start');
      const { err, ms } = await start.done;
      assert.ok(err, 'start must fail');
      assert.ok(ms < 4500, `${ms} ms`);
      assert.strictEqual(service.state, 0);
      await until(() => wire.open.size === 0, 'its connections to be closed');
      assert.strictEqual(start.n, 1);
      return { err, wire };
    } finally {
      await wire.close();
    }
  }

  fault('that never answers: each attempt ends after connectTimeout', async () => {
    const { err, wire } = await failedStart(() => {}, { connectTimeout: 200, startTimeout: 2000 });
    assert.strictEqual(err.code, CODE('UNREACHABLE'));
    assert.match(words(err), /time/i);
    // Each takes 200 ms, or longer on a busy machine.
    assert.ok(wire.times.length >= 2 && wire.times.length <= 10, `${wire.times.length} attempts`);
  });

  fault('that closes at once: UNREACHABLE', async () => {
    const { err, wire } = await failedStart((socket) => socket.destroy(), { startTimeout: 2000 });
    assert.strictEqual(err.code, CODE('UNREACHABLE'));
    assert.ok(wire.times.length >= 3, `${wire.times.length} attempts`);
  });

  const answers = {
    HTTP: 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    'random bytes': Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) % 256)),
    'only errors': '-ERR what\r\n'.repeat(20),
    'half a reply': '*3\r\n$5\r\nhel',
    'a length beyond all memory': '$9223372036854775807\r\n',
    'a negative length': '$-7\r\n*-9\r\n%-1\r\n',
    'arrays within arrays': '*1\r\n'.repeat(200000),
    'an endless line': '+' + 'x'.repeat(2000000),
  };
  for (const [what, answer] of Object.entries(answers)) {
    fault(`that answers ${what}: start fails in time and nothing else happens`, async () => {
      const { err } = await failedStart((socket) => socket.on('data', () => socket.write(answer)));
      assert.ok(
        [CODE('UNREACHABLE'), CODE('STORE')].includes(err.code),
        `${err.code} ${words(err)}`,
      );
    });
  }
});

area('stop while start is under way', {}, (ctx) => {
  fault('start and stop are both answered, once', async () => {
    await ctx.redis.kill();
    const service = at(ctx.redis, { startTimeout: 0 });
    const start = invoke(service, 'start');
    await pause(200);
    const stop = await call(service, 'stop', true);
    assert.ok(stop.ms < 4500, `${stop.ms} ms`);
    const { err } = await start.done;
    assert.strictEqual(err && err.code, CODE('STOPPED'));
    assert.strictEqual(service.state, 2);
    await ctx.redis.up();
    await pause(300);
    assert.deepStrictEqual(await ctx.redis.clients(), []);
    assert.strictEqual(start.n, 1);
  });
});
