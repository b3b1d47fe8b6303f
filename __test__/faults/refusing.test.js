'use strict';

/**
 * The server answers with an error that is temporary: no memory, read-only, busy with a script, unable to save, too many
 * clients. Each call gets the server's error, reads go on where the server allows them, the connection is kept (unless the
 * error means that the primary is elsewhere: see demoted.test.js), and the errors end with their cause. Servers that do not
 * answer are in hang.test.js.
 */

const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
// Comes with 0.0.7; see support/redis.js.
const oldRedis = require('redis');
const { area, fault } = require('./fault');
const { Flight, recovers, words } = require('./flight');
const { started } = require('../support/service');
const { ok } = require('../support/call');
const { report } = require('../support/report');
const { until } = require('../support/until');

const KEY = 'POMELO:CHANNEL:kept:s1';

area('the server answers with errors', {}, (ctx) => {
  const config = (...args) => ctx.redis.run(0, 'config', 'set', ...args);

  /**
   * 500 commands before `begin`, 500 while it lasts and 500 after `end`; `check` has the service and
   * the flight while it lasts. With `leaves` it is looked for another server, at most so often.
   */
  async function refused(what, { begin, end, check, reads, leaves = 0 }, pattern) {
    const service = await started(ctx.redis);
    await ok(service, 'add', 'kept', 'u', 's1');
    const flight = new Flight(service);
    await flight.send(500).answered();
    try {
      await begin(service);
      await flight.send(500).answered();
      const failed = flight.failed(500);
      assert.ok(failed.length > 100, `${failed.length} failed`);
      for (const { record } of failed) assert.match(words(record.err), pattern);
      if (reads) assert.ok(failed.every(({ method }) => ['add', ...reads].includes(method)));
      if (check) await check(service);
      // A list that was read, or is in memory, is not affected by what became of a write.
      if (reads) assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'kept', 's1'), ['u']);
    } finally {
      await end();
    }
    const recovered = await recovers(service);
    const from = flight.entries.length;
    await flight.send(500).answered();
    assert.deepStrictEqual(flight.failed(from), []);
    await flight.check('STORE', 'PUSH_FAILED').checkStore(ctx.redis);
    const { reconnects } = service.stats();
    assert.ok(reconnects <= leaves, `${reconnects} reconnects`);
    assert.ok(reconnects >= Math.min(leaves, 1), 'another connection was tried');
    const whose = !reads ? 'calls' : reads.length ? 'writes' : 'adds';
    const sees = leaves
      ? `${whose} are sent again over a new connection, then fail with STORE and the server's error`
      : `${whose} fail at once with STORE and the server's error; the connection is kept`;
    report({ fault: what, sees, recovered });
  }

  fault('OOM (maxmemory, noeviction): adds fail, all else goes on', async () => {
    const begin = () => config('maxmemory', '1');
    const end = () => config('maxmemory', '0');
    await refused('OOM: maxmemory with noeviction', { begin, end, reads: [] }, /OOM/);
  });

  fault('READONLY (it has become a replica): writes fail, reads go on', async () => {
    const begin = () => ctx.redis.run(0, 'replicaof', '127.0.0.1', '1');
    const end = () => ctx.redis.run(0, 'replicaof', 'no', 'one');
    const reads = ['leave', 'destroyChannel'];
    const what = 'READONLY: the server becomes a replica';
    await refused(what, { begin, end, reads, leaves: 4 }, /READONLY/);
  });

  fault('MISCONF (it cannot save): writes fail, reads go on', async () => {
    // A folder in the place of the file that it would write.
    const file = path.join(ctx.redis.dir, 'dump.rdb');
    const saved = async (status) => {
      await until(async () => {
        const info = await ctx.redis.run(0, 'info', 'persistence');
        if (info.includes('rdb_bgsave_in_progress:1')) return false;
        if (info.includes(`rdb_last_bgsave_status:${status}`)) return true;
        await ctx.redis.run(0, 'bgsave');
        return false;
      }, `a save with the result ${status}`);
    };
    const begin = async () => {
      fs.mkdirSync(file);
      await config('save', '3600 1000000');
      await saved('err');
    };
    const end = async () => {
      fs.rmdirSync(file);
      await saved('ok');
      await config('save', '');
    };
    const reads = ['leave', 'destroyChannel'];
    await refused('MISCONF: a save to disk has failed', { begin, end, reads }, /MISCONF/);
  });

  fault('BUSY (a script that does not end): all fail, until SCRIPT KILL', async () => {
    let script;
    // On a connection of its own: what is on the control connection would wait for it.
    const run = () => {
      const client = oldRedis.createClient(ctx.redis.port, '127.0.0.1').on('error', () => {});
      return new Promise((resolve) => {
        client.eval('while true do end', 0, () => {
          client.end();
          resolve();
        });
      });
    };
    const isBusy = () =>
      ctx.redis.run(0, 'ping').then(
        () => false,
        (err) => /BUSY/.test(err.message),
      );
    const begin = async () => {
      await config('busy-reply-threshold', '50');
      script = run();
      await until(isBusy, 'the server to say BUSY');
    };
    const end = async () => {
      await ctx.redis.run(0, 'script', 'kill');
      await script;
    };
    await refused('BUSY: a script that runs for ever, then SCRIPT KILL', { begin, end }, /BUSY/);
  });

  fault('max clients: a connection that is lost comes back when there is room', async () => {
    const service = await started(ctx.redis, { commandTimeout: 1500 });
    const flight = new Flight(service);
    await flight.send(300).answered();
    try {
      await config('maxclients', '1');
      await ctx.redis.killClients();
      await flight.send(300).answered();
      flight.check('TIMEOUT');
      for (const { record } of flight.failed(300)) {
        assert.match(words(record.err), /max number of clients|closed|reset|pipe/i);
      }
      assert.strictEqual(flight.failed(300).length, 300);
    } finally {
      await config('maxclients', '10000');
    }
    const recovered = await recovers(service);
    const from = flight.entries.length;
    await flight.send(300).answered();
    assert.deepStrictEqual(flight.failed(from), []);
    await flight.check('TIMEOUT').checkStore(ctx.redis);
    const sees = "calls wait; TIMEOUT after commandTimeout, with the server's error as cause";
    report({ fault: 'max number of clients reached, at a reconnect', sees, recovered });
  });

  fault('NOPERM (rights are taken): those calls fail, until they are given again', async () => {
    const { username } = ctx.redis.user || { username: 'default' };
    const acl = (right) => ctx.redis.run(0, 'acl', 'setuser', username, right);
    const begin = () => acl('-sadd');
    const end = () => acl('+sadd');
    await refused('NOPERM: a right is taken from our user', { begin, end, reads: [] }, /NOPERM/);
    assert.deepStrictEqual(await ctx.redis.members(KEY), ['u']);
  });
});
