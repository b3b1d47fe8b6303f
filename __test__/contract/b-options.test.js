'use strict';

/**
 * Contract rows B01–B08, B14, B15: where the store is, which db, which prefix. Passwords are in
 * b-auth.test.js, node_redis's client options in b-client.test.js, wrong options in
 * b-invalid.test.js.
 */

const assert = require('node:assert');
const { createApp } = require('../support/app');
const { call, ok } = require('../support/call');
const { create, started, factory } = require('../support/service');
const { area, stores, same, ours } = require('../support/rows');

/** Starts with exactly these options and adds one member. */
async function addWith(opts, name = 'chan') {
  const service = create(opts);
  await ok(service, 'start');
  await ok(service, 'add', name, 'u', 'c1');
}

area('B options', {}, (ctx) => {
  async function keysWith(opts, name, db) {
    await addWith(opts, name);
    return ctx.redis.keys(db);
  }
  const opts = (more) => ctx.store.options(more);

  same('B01 default prefix and key form: a set named PREFIX:name:sid', async () => {
    const service = await started(ctx.redis);
    await ok(service, 'add', 'chan', 'u', 'connector-server-1');
    const key = 'POMELO:CHANNEL:chan:connector-server-1';
    assert.deepStrictEqual(await ctx.redis.keys(), [key]);
    assert.strictEqual(await ctx.redis.run(0, 'type', key), 'set');
  });

  for (const [title, db, expected] of [
    ['0', 0, 0],
    ['a number', 2, 2],
    ['a string', '3', 3],
    ['absent', undefined, 0],
    ['null', null, 0],
  ]) {
    same(`B04 db as ${title}`, async () => {
      const keys = await keysWith(opts({ db }), 'chan', expected);
      assert.deepStrictEqual(keys, ['POMELO:CHANNEL:chan:c1']);
    });
  }

  same('B05 port as a string, host as a name', async () => {
    const keys = await keysWith({ host: 'localhost', port: String(ctx.redis.port) });
    assert.deepStrictEqual(keys, ['POMELO:CHANNEL:chan:c1']);
  });

  same('B05 host absent: 127.0.0.1', async () => {
    assert.deepStrictEqual(await keysWith({ port: ctx.redis.port }), ['POMELO:CHANNEL:chan:c1']);
  });

  same('B06 port as the path of a Unix socket', async () => {
    const keys = await keysWith({ port: ctx.redis.socketPath });
    assert.deepStrictEqual(keys, ['POMELO:CHANNEL:chan:c1']);
  });

  const targets = {
    'port as a socket path beside a host': () => opts({ port: ctx.redis.socketPath }),
    path: () => ({ path: ctx.redis.socketPath }),
    'url unix://': () => ({ url: `unix://${ctx.redis.socketPath}` }),
    'url redis://': () => ({ url: `redis://127.0.0.1:${ctx.redis.port}` }),
    'url valkey://': () => ({ url: `valkey://127.0.0.1:${ctx.redis.port}` }),
    'url Redis://, with a line break': () => ({ url: `Redis://127.0.0.1:${ctx.redis.port}/0\n` }),
    'url valkey+unix://': () => ({ url: `valkey+unix://${ctx.redis.socketPath}` }),
    'url redis:// with a slash': () => ({ url: `redis://127.0.0.1:${ctx.redis.port}/` }),
    'url with nulls beside it': () => ({
      url: `redis://localhost:${ctx.redis.port}`,
      host: null,
      port: null,
      path: null,
      db: null,
      prefix: null,
      password: null,
      commandTimeout: null,
      channelManager: null,
    }),
  };
  for (const [title, target] of Object.entries(targets)) {
    ours(`B06 ${title}`, async () => {
      assert.deepStrictEqual(await keysWith(target()), ['POMELO:CHANNEL:chan:c1']);
    });
  }

  ours('B06 path with a db', async () => {
    const keys = await keysWith({ path: ctx.redis.socketPath, db: 5 }, 'chan', 5);
    assert.deepStrictEqual(keys, ['POMELO:CHANNEL:chan:c1']);
  });

  ours('B06 the db of a url: redis://…/4 and unix://…?db=6', async () => {
    const viaTcp = { url: `redis://127.0.0.1:${ctx.redis.port}/4` };
    assert.deepStrictEqual(await keysWith(viaTcp, 'tcp', 4), ['POMELO:CHANNEL:tcp:c1']);
    const viaUnix = { url: `unix://${ctx.redis.socketPath}?db=6` };
    assert.deepStrictEqual(await keysWith(viaUnix, 'unix', 6), ['POMELO:CHANNEL:unix:c1']);
  });

  ours('B06 the db among the parameters of a url: no other db is cleaned', async () => {
    await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:a:s1', 'u');
    const url = `redis://127.0.0.1:${ctx.redis.port}?db=3`;
    const service = create({ url, cleanOnStartUp: true });
    await ok(service, 'start');
    await ok(service, 'add', 'chan', 'u', 'c1');
    assert.deepStrictEqual(await ctx.redis.keys(3), ['POMELO:CHANNEL:chan:c1']);
    assert.deepStrictEqual(await ctx.redis.keys(0), ['POMELO:CHANNEL:a:s1']);
  });

  ours('B06 db given as an option wins over that of the url', async () => {
    const both = { url: `redis://127.0.0.1:${ctx.redis.port}/4?db=4`, db: 7 };
    assert.deepStrictEqual(await keysWith(both, 'chan', 7), ['POMELO:CHANNEL:chan:c1']);
    assert.deepStrictEqual(await ctx.redis.keys(4), []);
  });

  ours(
    'hashTag: a name that is no hash tag is refused by name, the others are stored',
    async () => {
      const service = await started(ctx.redis, { hashTag: true, prefix: 'P' });
      for (const name of ['', '}', '}x']) {
        for (const [method, args] of [
          ['add', [name, 'u', 's1']],
          ['add', [name, ['u', 'v'], 's1']],
          ['leave', [name, 'u', 's1']],
          ['getMembersBySid', [name, 's1']],
          ['getMembersByChannelName', ['connector', name]],
          ['pushMessage', ['connector', 'onChat', {}, name, {}]],
          ['destroyChannel', [name]],
        ]) {
          const { err, n } = await call(service, method, ...args);
          assert.strictEqual(err && err.code, 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT', method);
          assert.match(err.message, /^argument name (is empty|begins with }), .*hashTag/);
          assert.strictEqual(n, 1);
        }
      }
      for (const name of [0, '{', 'x}']) await ok(service, 'add', name, 'u', '');
      await ok(service, 'add', 'x', 'u', '}');
      assert.deepStrictEqual(await ctx.redis.keys(), ['P:{0}:', 'P:{x}:}', 'P:{x}}:', 'P:{{}:']);
      // The hash tag of this prefix is its own.
      const tagged = await started(ctx.redis, { hashTag: true, prefix: '{P}' });
      await ok(tagged, 'add', '', 'u', 's1');
      assert.deepStrictEqual(await ctx.redis.members('{P}:{}:s1'), ['u']);
    },
  );

  same('B07 db out of range: start fails, state stays 0', async () => {
    const service = create(opts({ db: 99 }));
    const { err } = await call(service, 'start');
    assert.ok(err instanceof Error);
    assert.match(err.message, /DB index is out of range/);
    assert.strictEqual(service.state, 0);
  });

  ours('B07 … at once, one argument, with the error of the server and its code', async () => {
    const { err, argc, ms } = await call(create(opts({ db: 99 })), 'start');
    assert.deepStrictEqual(
      [err.message, err.code, argc],
      ['ERR DB index is out of range', 'ERR_GLOBAL_CHANNEL_STORE', 1],
    );
    assert.ok(ms < 10000, `${ms} ms`);
    await ctx.redis.untilClients(0);
  });

  ours(
    'B08 db out of range and cleanOnStartUp: the error, and nothing of db 0 is touched',
    async () => {
      await ctx.redis.run(0, 'sadd', 'POMELO:CHANNEL:a:s1', 'u');
      const service = create(opts({ db: 99, cleanOnStartUp: true }));
      const { err } = await call(service, 'start');
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_STORE');
      assert.strictEqual(service.state, 0);
      assert.deepStrictEqual(await ctx.redis.keys(), ['POMELO:CHANNEL:a:s1']);
    },
  );

  for (const absent of [undefined, null]) {
    ours(`B14 the component called with ${absent} for opts works with defaults`, () => {
      const service = create(absent);
      assert.strictEqual(service.state, 0);
      assert.deepStrictEqual({ ...service.opts }, {});
      assert.strictEqual(service.manager.prefix, 'POMELO:CHANNEL');
      assert.strictEqual(Number(service.manager.db), 0);
    });
  }

  ours('B14 the factory called with app alone', () => {
    const app = createApp();
    assert.strictEqual(factory()(app), app.get('globalChannelService'));
  });
});

stores('B options of every store', (ctx) => {
  const opts = (more) => ctx.store.options(more);
  async function keysWith(more) {
    await addWith(opts(more));
    return ctx.store.keys();
  }

  same('B01 default prefix and key form: PREFIX:name:sid', async () => {
    assert.deepStrictEqual(await keysWith(), ['POMELO:CHANNEL:chan:c1']);
  });

  same('B02 own prefix', async () => {
    assert.deepStrictEqual(await keysWith({ prefix: 'MY' }), ['MY:chan:c1']);
  });

  same('B03 an empty prefix means the default', async () => {
    assert.deepStrictEqual(await keysWith({ prefix: '' }), ['POMELO:CHANNEL:chan:c1']);
  });

  ours('B15 the opts object is not changed', async () => {
    const given = opts({
      prefix: 'P',
      maxQueue: '9',
      socket_nodelay: true,
      other: { nested: [1] },
    });
    const before = JSON.stringify(given);
    Object.freeze(given);
    await ok(create(given), 'start');
    assert.strictEqual(JSON.stringify(given), before);
  });

  ours('B15 options are read when the service is made: later changes have no effect', async () => {
    const given = opts({ prefix: 'P' });
    const service = create(given);
    Object.assign(given, { prefix: 'Q' }, ctx.store.unusable());
    await ok(service, 'start');
    await ok(service, 'add', 'chan', 'u', 'c1');
    assert.deepStrictEqual(await ctx.store.keys(), ['P:chan:c1']);
  });
});
