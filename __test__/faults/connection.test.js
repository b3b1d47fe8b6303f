'use strict';

/**
 * The server is up but the service's connection is lost: killed by the administrator, refused after a change of password, cut
 * within a reply, or carrying bytes that are not a reply.
 */

const assert = require('node:assert');
const { area, fault, PASSWORD } = require('./fault');
const { Flight, recovers, hold, held, words } = require('./flight');
const { proxy } = require('./wire');
const { started } = require('../support/service');
const { report } = require('../support/report');

area('the own connection is killed', {}, (ctx) => {
  fault('with 500 commands in flight: all are sent again and succeed', async () => {
    const service = await started(ctx.redis);
    const flight = new Flight(service);
    await flight.send(300).answered();
    await hold(ctx.redis);
    flight.send(500);
    await held(ctx.redis);
    await ctx.redis.killClients();
    await ctx.redis.run(0, 'client', 'unpause');
    await flight.answered();
    await flight.check().checkStore(ctx.redis);
    await recovers(service);
  });

  fault('ten times in a row, commands in flight each time: all succeed', async () => {
    const service = await started(ctx.redis);
    const flight = new Flight(service);
    for (let round = 0; round < 10; round += 1) {
      flight.send(50);
      await ctx.redis.killClients();
      flight.send(50);
      await ctx.redis.untilClients(1);
    }
    await flight.answered();
    await flight.check().checkStore(ctx.redis);
    await recovers(service);
  });
});

area('the password changes', { password: PASSWORD }, (ctx) => {
  const config = (...args) => ctx.redis.run(0, 'config', ...args);

  async function connections() {
    const stats = await ctx.redis.run(0, 'info', 'stats');
    return Number(/total_connections_received:(\d+)/.exec(stats)[1]);
  }

  fault('while connected, and the connection is killed: WRONGPASS is named in time', async () => {
    // Long enough for an attempt to connect, which is refused, on a busy machine.
    const service = await started(ctx.redis, { auth_pass: PASSWORD, commandTimeout: 2000 });
    const flight = new Flight(service);
    await flight.send(300).answered();
    await hold(ctx.redis);
    flight.send(500);
    await held(ctx.redis);
    await config('set', 'requirepass', 'another');
    try {
      const before = await connections();
      await ctx.redis.killClients();
      await ctx.redis.run(0, 'client', 'unpause');
      await flight.answered();
      flight.check('TIMEOUT', 'DISCONNECTED');
      const failed = flight.failed();
      // Reads before the first write were answered before the change.
      assert.ok(failed.length > 400, `${failed.length} failed`);
      for (const { record } of failed) assert.match(words(record.err), /WRONGPASS/);
      // Not after the default commandTimeout of 5 s, that is.
      assert.ok(Math.max(...flight.times()) < 4500, `took ${Math.max(...flight.times())} ms`);
      const attempts = (await connections()) - before;
      assert.ok(attempts < 20, `${attempts} attempts to log in within 2 s`);
    } finally {
      await config('set', 'requirepass', PASSWORD);
    }
    const recovered = await recovers(service);
    await flight.send(500).answered();
    assert.deepStrictEqual(flight.failed(800), []);
    await flight.check('TIMEOUT', 'DISCONNECTED').checkStore(ctx.redis);
    const sees = 'nothing while connected; after a reconnect TIMEOUT, with WRONGPASS as cause';
    report({ fault: 'password rotated, connections killed, rotated back', sees, recovered });
  });
});

area('replies', {}, (ctx) => {
  /** A flight through a proxy that `spoil(wire)` makes unreliable after the service has started. */
  async function through(spoil, fn) {
    const wire = await proxy(ctx.redis.port);
    try {
      const service = await started(wire);
      const flight = new Flight(service);
      await flight.send(300).answered();
      spoil(wire);
      await fn(flight.send(500), wire);
      return await recovers(service);
    } finally {
      await wire.close();
    }
  }

  fault('cut in the middle, five connections in a row: all commands succeed', async () => {
    const cut = (wire) => {
      const first = wire.links.length;
      wire.toClient = (chunk, link) => {
        const round = link.number - first;
        if (round > 5) return chunk;
        // Each connection gets further, and each ends within a reply.
        link.left = (link.left === undefined ? 1 + 997 * round : link.left) - chunk.length;
        if (link.left > 0) return chunk;
        link.client.end(chunk.subarray(0, chunk.length + link.left));
        link.server.destroy();
        return undefined;
      };
    };
    const recovered = await through(cut, async (flight, wire) => {
      await flight.answered();
      await flight.check().checkStore(ctx.redis);
      assert.ok(wire.links.length > 3, `${wire.links.length} connections`);
    });
    const sees = 'nothing: calls are sent again and done';
    report({ fault: 'connection reset in mid-reply, five times in a row', sees, recovered });
  });

  fault('that are not replies: the connection is given up, commands are sent again', async () => {
    const garble = (wire) => {
      wire.toClient = (chunk) => {
        wire.toClient = null;
        return Buffer.concat([Buffer.from('?what\x00\xff\r\n', 'latin1'), chunk]);
      };
    };
    const recovered = await through(garble, async (flight, wire) => {
      await flight.answered();
      await flight.check().checkStore(ctx.redis);
      assert.ok(wire.links.length > 1, 'there was a second connection');
    });
    const sees = 'nothing: the connection is given up, calls are sent again and done';
    report({ fault: 'bytes in mid-stream that are not a reply', sees, recovered });
  });

  fault('dripping in, byte by byte: all commands succeed', async () => {
    const drip = (wire) => {
      wire.toClient = (chunk, { client }) => {
        client.setNoDelay(true);
        const bytes = chunk.subarray(0, 300);
        for (let i = 0; i < bytes.length; i += 1) client.write(bytes.subarray(i, i + 1));
        return chunk.subarray(300);
      };
    };
    await through(drip, async (flight) => {
      await flight.answered();
      await flight.check().checkStore(ctx.redis);
    });
  });
});
