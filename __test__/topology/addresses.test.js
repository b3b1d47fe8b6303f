'use strict';

/**
 * Servers at other addresses than IPv4: IPv6 literals and Unix sockets, with a db, a user, and a lost connection. Parsing of
 * such options is in contract/b-options.test.js.
 */

const assert = require('node:assert');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { freePort, hasIPv6 } = require('../support/redis');
const { area, ours } = require('../support/rows');
const { create } = require('../support/service');
const { until } = require('../support/until');

// The second one only if there is such an address.
const BIND = ['--bind', '127.0.0.1', '-::1'];
const onIPv6 = hasIPv6() ? {} : { skip: 'no IPv6 here' };

area('addresses', { args: BIND }, (ctx) => {
  /** How each place is given: with `db`, and with a `user` that has a password. */
  const places = {
    'IPv6, host': (more) => ({ host: '::1', port: ctx.redis.port, ...more }),
    'IPv6, url': ({ db, username, password }) => ({
      url: `redis://${username}:${password}@[::1]:${ctx.redis.port}/${db}`,
    }),
    'IPv6, long form': (more) => ({
      host: '0:0:0:0:0:0:0:1',
      port: String(ctx.redis.port),
      ...more,
    }),
    'Unix socket, path': (more) => ({ path: ctx.redis.socketPath, ...more }),
    'Unix socket, url': ({ db, username, password }) => ({
      url: `unix://${ctx.redis.socketPath}?db=${db}&user=${username}&pass=${password}`,
    }),
    'Unix socket, url and options': ({ db, ...user }) => ({
      url: `unix://${ctx.redis.socketPath}?db=${db}`,
      ...user,
    }),
    'Unix socket, port': (more) => ({ port: ctx.redis.socketPath, ...more }),
  };

  for (const [place, options] of Object.entries(places)) {
    ours(
      `${place}: db, user, cache, and again after a lost connection`,
      async () => {
        const rules = ['reset', 'on', '>secret', '~*', '+@all'];
        await ctx.redis.run(0, 'acl', 'setuser', 'joe', ...rules);
        const service = create(options({ db: 4, username: 'joe', password: 'secret' }));
        const lines = await logged(async () => {
          await ok(service, 'start');
          for (let round = 1; round <= 2; round += 1) {
            await ok(service, 'add', 'n', `u${round}`, 's1');
            assert.strictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).length, round);
            const [client, ...others] = await ctx.redis.clients();
            assert.deepStrictEqual([client.user, client.db, others.length], ['joe', '4', 0]);
            assert.match(client.addr, place.startsWith('IPv6') ? /^\[::1\]:/ : /redis\.sock:0/);
            assert.strictEqual(service.stats().cache.enabled, true);
            await ctx.redis.killClients();
            await until(() => service.stats().reconnects === round, 'the reconnect');
          }
        });
        assert.deepStrictEqual(await ctx.redis.members('POMELO:CHANNEL:n:s1', 4), ['u1', 'u2']);
        assert.ok(!lines.join().includes('secret'), lines.join());
      },
      place.startsWith('IPv6') ? onIPv6 : {},
    );
  }

  for (const form of ['host', 'url']) {
    ours(
      `no server at an IPv6 address: the error has it in brackets (${form})`,
      async () => {
        const port = await freePort();
        const at = form === 'host' ? { host: '::1', port } : { url: `redis://[::1]:${port}` };
        await logged(async () => {
          const { err } = await call(create({ ...at, startTimeout: 200 }), 'start');
          assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
          assert.ok(err.message.includes(`[::1]:${port}`), err.message);
        });
      },
      onIPv6,
    );
  }

  ours('no server at a Unix socket: the error has its path', async () => {
    await logged(async () => {
      const { err } = await call(
        create({ path: '/nowhere/redis.sock', startTimeout: 200 }),
        'start',
      );
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
      assert.ok(err.message.includes('/nowhere/redis.sock'), err.message);
      assert.match(err.cause.message, /No such file/);
    });
  });

  ours('a wrong password over a Unix socket fails at once', async () => {
    await logged(async () => {
      const { err } = await call(create({ path: ctx.redis.socketPath, password: 'no' }), 'start');
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_STORE');
    });
  });

  ours('a Unix socket that comes later, and one whose server is restarted', async () => {
    await ctx.redis.kill();
    const service = create({ path: ctx.redis.socketPath });
    await logged(async () => {
      const starting = ok(service, 'start');
      await ctx.redis.up();
      await starting;
      await ok(service, 'add', 'n', 'u', 's1');
      await ctx.redis.restart();
      await ok(service, 'add', 'n', 'v', 's1');
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['v']);
    });
  });
});
