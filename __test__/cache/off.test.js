'use strict';

/**
 * The cache is off with servers whose invalidations cannot be relied on: results are those of `cache: false`, there are no
 * hits, `stats()` has the reason, and one line is logged. The requirements for it to be on are tested here too.
 */

const assert = require('node:assert');
const { describe } = require('node:test');
const fc = require('fast-check');
const { play, script } = require('./calls');
const double = require('./double');
const { K, fill, noHit, onDouble, read } = require('./schedule');
const { ok } = require('../support/call');
const { logged } = require('../support/log');
const redisServer = require('../support/redis');
const { area, ours } = require('../support/rows');
const { started, stopAll } = require('../support/service');
const { until } = require('../support/until');

const SCRIPTS = 8;

/** `write` is B's `add` of one more member, acknowledged when it resolves. */
async function isOff(server, reason, write, opts) {
  const lines = await logged(async () => {
    const service = await started(server, { ...opts, db: 1 });
    const plain = await started(server, { ...opts, db: 2, cache: false });
    const stats = () => service.stats().cache;
    assert.strictEqual(stats().enabled, false);
    assert.match(stats().reason, reason);
    for (const steps of fc.sample(script(40), { numRuns: SCRIPTS, seed: 1 })) {
      const [mine, expected] = [await play(service, steps), await play(plain, steps)];
      assert.deepStrictEqual(mine, expected);
    }
    for (let i = 1; i <= 5; i += 1) {
      await write(`u${i}`);
      assert.strictEqual((await read(service, 'w')).length, i);
    }
    const { hits, rereads, entries, bytes, enabled } = stats();
    assert.deepStrictEqual([hits, rereads, entries, bytes, enabled], [0, 0, 0, 0, false]);
  });
  const about = lines.filter((line) => /cache/i.test(line));
  assert.strictEqual(about.length, 1, `log lines: ${JSON.stringify(lines)}`);
  assert.match(about[0], reason);
}

/** What it says of itself, or refuses → what the reason must name. */
const SERVERS = {
  'HELLO refused': [{ refused: { HELLO: "ERR unknown command 'HELLO'" } }, /HELLO|RESP3/],
  'CLIENT TRACKING refused': [{ refused: { 'CLIENT TRACKING': 'ERR no' } }, /TRACKING/],
  'CLIENT TRACKINGINFO refused': [{ refused: { 'CLIENT TRACKINGINFO': 'ERR no' } }, /TRACKING/],
  'tracking reported as off': [{ trackingWorks: false }, /TRACKING|tracking/],
  'CLIENT CACHING refused': [{ refused: { 'CLIENT CACHING': 'NOPERM no' } }, /CACHING/],
  'EVAL refused': [{ refused: { EVAL: 'NOPERM no' } }, /EVAL/],
  'TOUCH refused': [{ refused: { TOUCH: 'NOPERM no' } }, /TOUCH/],
  'INFO refused': [{ refused: { INFO: 'NOPERM no' } }, /INFO/],
  'a Dragonfly by its HELLO': [{ server: 'dragonfly' }, /dragonfly/i],
  'a Dragonfly by its INFO': [{ moreInfo: ['dragonfly_version:df-v1.25.1'] }, /dragonfly/i],
  'a Garnet': [{ moreInfo: ['garnet_version:1.0.50'] }, /garnet/i],
  'a KeyDB': [{ executable: '/usr/bin/keydb-server', version: '6.3.4' }, /keydb/i],
  'a Redis Enterprise': [{ moreInfo: ['rlec_version:7.4.2-54'] }, /enterprise/i],
  'an Upstash': [{ moreInfo: ['upstash_version:1.0.0'] }, /upstash/i],
  'a program of another name': [{ executable: '/enterprise-managed' }, /enterprise-managed/],
  'a service that hides its program': [{ executable: '-' }, /-/],
  'version 6.0.16': [{ version: '6.0.16' }, /6\.0\.16/],
  'version 6.2.6': [{ version: '6.2.6' }, /6\.2\.6/],
  'version 5.0.14': [{ version: '5.0.14' }, /5\.0\.14/],
  'an invalid version': [{ version: 'unstable' }, /version|unstable/],
  'a replica': [{ role: 'replica' }, /replica/],
  'a slave, as older ones say': [{ role: 'slave' }, /slave|replica/],
  'Cluster mode': [{ mode: 'cluster' }, /cluster/],
  'Sentinel mode': [{ mode: 'sentinel' }, /sentinel/],
};

describe('Cache off, by what the server says', () => {
  for (const [what, [persona, reason]] of Object.entries(SERVERS)) {
    ours(`${what}: off, and the reason says so`, async () => {
      const server = await double.start(persona);
      try {
        const write = (uid) => server.execute({ db: 1 }, 'SADD', ['POMELO:CHANNEL:w:s1', uid]);
        await isOff(server, reason, write);
      } finally {
        await stopAll();
        await server.close();
      }
    });
  }

  for (const [what, persona] of Object.entries({
    'Redis 6.2.7': { version: '6.2.7' },
    'Redis 8': { version: '8.0.1' },
    Valkey: {
      server: 'valkey',
      version: '9.1.2',
      executable: '/usr/bin/valkey-server',
      moreInfo: ['server_name:valkey', 'valkey_version:9.1.2'],
    },
  })) {
    onDouble(
      `${what}: on`,
      async ({ service }) => {
        const { enabled, reason } = service.stats().cache;
        assert.deepStrictEqual([enabled, reason], [true, null]);
        await fill(service);
      },
      { persona },
    );
  }

  ours('one log line, however often the service reconnects', async () => {
    const server = await double.start({ version: '6.0.16' });
    try {
      const lines = await logged(async () => {
        const service = await started(server);
        for (let i = 1; i <= 3; i += 1) {
          server.cut();
          await until(() => service.stats().reconnects === i, 'a reconnect');
          await read(service);
        }
      });
      const about = lines.filter((line) => /cache/i.test(line));
      assert.strictEqual(about.length, 1, JSON.stringify(lines));
    } finally {
      await stopAll();
      await server.close();
    }
  });

  onDouble('another server after a reconnect: checked again, off and on', async (ctx) => {
    const { double: server, service } = ctx;
    const again = async (changes) => {
      const { reconnects } = service.stats();
      Object.assign(server.persona, changes);
      server.cut();
      await until(() => service.stats().reconnects > reconnects, 'the reconnect');
    };
    server.other('SADD', K, 'u');
    await fill(service);
    await again({ role: 'replica' });
    server.replaceSilently(K, 'v');
    assert.deepStrictEqual(await noHit(service), ['v']);
    assert.deepStrictEqual(await noHit(service), ['v']);
    assert.match(service.stats().cache.reason, /replica/);
    assert.strictEqual(service.stats().cache.enabled, false);
    await again({ role: 'master' });
    assert.deepStrictEqual(await fill(service), ['v']);
    assert.deepStrictEqual(
      [service.stats().cache.enabled, service.stats().cache.reason],
      [true, null],
    );
  });
});

/** A server whose command is not there at all: what it answers is Redis's own. */
const without = (command) => ({ args: ['--rename-command', command, ''] });

area('Cache off, on RESP2', without('HELLO'), (ctx) => {
  ours('RESP2 fallback: TRACKING answers OK there, and no push ever comes', async () => {
    const write = (uid) => ctx.redis.run(1, 'sadd', 'POMELO:CHANNEL:w:s1', uid);
    await isOff(ctx.redis, /HELLO|RESP3/, write);
  });
});

area('Cache off, on RESP2 with a password', { ...without('HELLO'), password: 'hush' }, (ctx) => {
  ours('the reason does not repeat what the server repeats: the password', async () => {
    const lines = await logged(async () => {
      const service = await started(ctx.redis, { password: 'hush' });
      assert.ok(!/hush/.test(service.stats().cache.reason), service.stats().cache.reason);
    });
    assert.ok(!/hush/.test(lines.join()), lines.join());
  });
});

area('Cache off, by the rights of our user', {}, (ctx) => {
  const opts = { username: 'joe', password: 'secret' };

  for (const [rights, reason] of [
    ['-client', /CLIENT|NOPERM/],
    ['-client|tracking', /TRACKING/],
    ['-client|caching', /CACHING/],
    ['-touch', /TOUCH/],
    ['-eval', /EVAL/],
    ['-info', /INFO/],
    ['-@connection', /NOPERM|HELLO|CLIENT/],
  ]) {
    ours(`ACL ${rights}: off, and the reason says so`, async () => {
      const grant = ['+@all', rights, '+auth', '+select'];
      await ctx.redis.run(0, 'acl', 'setuser', 'joe', 'reset', 'on', '>secret', '~*', ...grant);
      const write = (uid) => ctx.redis.run(1, 'sadd', 'POMELO:CHANNEL:w:s1', uid);
      await isOff(ctx.redis, reason, write, opts);
    });
  }

  ours('ACL -client|kill: on, the cache does not need it', async () => {
    const grant = ['+@all', '-client|kill'];
    await ctx.redis.run(0, 'acl', 'setuser', 'joe', 'reset', 'on', '>secret', '~*', ...grant);
    await fill(await started(ctx.redis, opts));
  });
});

area('Cache off, on a replica', {}, (ctx) => {
  ours('a real replica: off; lists and refusals are those of the server', async () => {
    const replica = await redisServer.start({
      args: ['--replicaof', '127.0.0.1', ctx.redis.port, '--repl-diskless-sync-delay', 0],
    });
    try {
      const linked = async () =>
        String(await replica.run(0, 'info', 'replication')).includes('master_link_status:up');
      await until(linked, 'the replica to be in step');
      const write = async (uid) => {
        for (const db of [1, 2]) await ctx.redis.run(db, 'sadd', 'POMELO:CHANNEL:w:s1', uid);
        await ctx.redis.run(0, 'wait', 1, 5000);
      };
      await isOff(replica, /replica|slave/, write);
      const service = await started(replica);
      await assert.rejects(ok(service, 'add', 'n', 'u', 's1'), /READONLY/);
    } finally {
      await stopAll();
      await replica.stop();
    }
  });
});
