'use strict';

/**
 * A failover behind one address (a load balancer, a cloud endpoint, a Kubernetes service): the demoted server keeps its
 * connections, and new ones go to the new primary. No call is answered by the demoted server where another connection
 * reaches the new one, and nothing is served from the cache; without a new primary errors come in time and reconnects
 * are few.
 */

const assert = require('node:assert');
const { area, fault } = require('./fault');
const { Flight, recovers, words } = require('./flight');
const { proxy } = require('./wire');
const redisServer = require('../support/redis');
const { started } = require('../support/service');
const { call, ok } = require('../support/call');
const { report } = require('../support/report');
const { until, pause } = require('../support/until');

const KEY = 'POMELO:CHANNEL:n:s1';
const NOBODY = 1;

const inStep = async (replica) =>
  String(await replica.run(0, 'info', 'replication')).includes('master_link_status:up');

area('a failover behind one address', {}, (ctx) => {
  /** `fn(wire, next)`: the address is `wire`, the primary of the suite is behind it, `next` its replica. */
  async function behind(fn) {
    const args = ['--replicaof', '127.0.0.1', ctx.redis.port, '--repl-diskless-sync-delay', 0];
    const next = await redisServer.start({ args });
    const wire = await proxy(ctx.redis.port);
    try {
      await until(() => inStep(next), 'the replica to be in step');
      return await fn(wire, next);
    } finally {
      await wire.close();
      await next.stop();
      await ctx.redis.run(0, 'replicaof', 'no', 'one');
    }
  }

  /** `next` is the primary. The old one stays as it is: nothing of the new one reaches it. */
  async function failover(wire, next) {
    await next.run(0, 'replicaof', 'no', 'one');
    await ctx.redis.run(0, 'replicaof', '127.0.0.1', NOBODY);
    if (wire) wire.target = next.port;
  }

  /** Reads until the list has a member that only the new primary knows; how often, and for how long. */
  async function seesNew(service, next) {
    await next.run(0, 'sadd', KEY, 'new');
    const since = performance.now();
    let old = 0;
    await until(async () => {
      const found = (await ok(service, 'getMembersBySid', 'n', 's1')).includes('new');
      old += Number(!found);
      return found;
    }, 'a read at the new primary');
    return { old, ms: performance.now() - since };
  }

  fault('random calls: all succeed, at the new primary', async () => {
    await behind(async (wire, next) => {
      const service = await started(wire);
      const flight = new Flight(service);
      await flight.send(500).answered();
      await ctx.redis.run(0, 'wait', 1, 5000);
      await failover(wire, next);
      for (let i = 0; i < 20; i += 1) {
        flight.send(50);
        await pause(20);
      }
      await flight.answered();
      await flight.check().checkStore(next);
      const { reconnects } = service.stats();
      assert.strictEqual(reconnects, 1);
      const recovered = await recovers(service);
      const sees = 'calls are sent again to the new primary, and done';
      report({ fault: 'failover behind one address, connections kept', sees, recovered });
    });
  });

  for (const cache of [true, false]) {
    fault(`a service that only reads (cache: ${cache}) notices it`, async () => {
      await behind(async (wire, next) => {
        const service = await started(wire, { cache });
        await ok(service, 'add', 'n', 'old', 's1');
        await ctx.redis.run(0, 'wait', 1, 5000);
        for (let i = 0; i < 5; i += 1) await ok(service, 'getMembersBySid', 'n', 's1');
        assert.strictEqual(service.stats().cache.enabled, cache);
        await failover(wire, next);
        const { ms } = await seesNew(service, next);
        assert.ok(ms < 10000, `${ms} ms`);
        assert.strictEqual(
          service.stats().cache.enabled,
          cache,
          'the new primary is trusted again',
        );
        if (cache) {
          const sees = `reads show it after ${Math.round(ms)} ms`;
          const what = 'the same, a service that only reads (member cache)';
          report({ fault: what, sees, recovered: 0 });
        }
      });
    });

    fault(`after an idle time (cache: ${cache}) the first read is right`, async () => {
      await behind(async (wire, next) => {
        const service = await started(wire, { cache });
        await ok(service, 'add', 'n', 'old', 's1');
        await ctx.redis.run(0, 'wait', 1, 5000);
        for (let i = 0; i < 5; i += 1) await ok(service, 'getMembersBySid', 'n', 's1');
        await failover(wire, next);
        await pause(1000);
        assert.strictEqual((await seesNew(service, next)).old, 0);
      });
    });
  }

  fault('pages after an idle time are those of the new primary', async () => {
    for (const [method, ...args] of [['scanMembers', 'n', 's1'], ['getChannels']]) {
      await ctx.redis.flush();
      await behind(async (wire, next) => {
        const service = await started(wire);
        await ok(service, 'add', 'n', ['old'], 's1');
        await ctx.redis.run(0, 'wait', 1, 5000);
        const before = await ok(service, method, ...args);
        await failover(wire, next);
        await next.run(0, 'sadd', KEY, 'new');
        await pause(1000);
        const after = await ok(service, method, ...args);
        const count = ({ members, channels }) => (members ? members.length : channels[0].count);
        assert.deepStrictEqual([count(before), count(after)], [1, 2], method);
        assert.strictEqual(service.stats().reconnects, 1);
      });
    }
  });

  for (const left of [true, false]) {
    fault(`clean is done at the new primary (the old one has sets: ${left})`, async () => {
      await behind(async (wire, next) => {
        const service = await started(wire);
        if (left) await ok(service, 'add', 'n', 'old', 's1');
        await ctx.redis.run(0, 'wait', 1, 5000);
        await failover(wire, next);
        await next.run(0, 'sadd', KEY, 'new');
        const cleaned = call(service, 'clean');
        await ok(service, 'add', 'n', 'later', 's1');
        assert.ifError((await cleaned).err);
        assert.deepStrictEqual(await next.dump(), { [KEY]: ['later'] });
      });
    });
  }

  fault('a late balancer: errors until it switches, and not for longer', async () => {
    await behind(async (wire, next) => {
      const service = await started(wire);
      await ok(service, 'add', 'n', 'old', 's1');
      await failover(undefined, next);
      const end = performance.now() + 3000;
      while (performance.now() < end) {
        const { err, ms } = await call(service, 'add', 'n', 'u', 's1');
        assert.match(words(err), /READONLY/);
        assert.ok(ms < 4500, `${ms} ms`);
        await pause(20);
      }
      const { reconnects } = service.stats();
      assert.ok(reconnects > 1 && reconnects < 15, `${reconnects} reconnects in 3 s`);
      wire.target = next.port;
      const recovered = await recovers(service);
      assert.ok(recovered < 10000, `${recovered} ms`);
      const sees = "writes fail with STORE and the server's error, with few reconnects";
      report({ fault: 'the same, and the balancer notices after 3 s', sees, recovered });
    });
  });

  for (const commandTimeout of [5000, 0]) {
    fault(`a replica by mistake (commandTimeout: ${commandTimeout}): errors in time`, async () => {
      await behind(async (wire, next) => {
        const service = await started(next, { commandTimeout });
        const flight = new Flight(service);
        await flight.send(500).answered();
        await pause(300);
        await flight.send(500).answered();
        assert.ok(flight.failed().length > 500, `${flight.failed().length} failed`);
        for (const { record } of flight.failed()) {
          assert.match(words(record.err), /^READONLY /);
          assert.ok(record.ms < 4500, `${record.ms} ms`);
        }
        flight.check('STORE');
        const { reconnects } = service.stats();
        assert.ok(reconnects < 6, `${reconnects} reconnects`);
        assert.ok((await call(service, 'clean')).err === null, 'there is nothing to clean');
      });
    });
  }
});
