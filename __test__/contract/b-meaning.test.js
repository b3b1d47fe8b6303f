'use strict';

/**
 * Values of options that are not of the option's own type, as configuration files and environments have them: texts of
 * booleans, values that mean "not used", and the options of other Redis clients. Rows by row of the table of options:
 * src/options/tests/meaning.rs. Wrong values are in b-invalid.test.js, node_redis's options in b-client.test.js.
 */

const assert = require('node:assert');
const { describe, afterEach } = require('node:test');
const { optionTable } = require('../../lib/native');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { create, refusal, started, stopAll } = require('../support/service');
const { area, ours, stores } = require('../support/rows');

const CODE = 'ERR_GLOBAL_CHANNEL_INVALID_OPTION';

stores('B texts of booleans', (ctx) => {
  ours('cleanOnStartUp: the text of false does not clean, that of true does', async () => {
    const first = await started(ctx.store);
    await ok(first, 'add', 'n', 'u', 's1');
    for (const cleanOnStartUp of ['false', '0', 'False', ' false ', 'no', 'off', '']) {
      const service = await started(ctx.store, { cleanOnStartUp });
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['u']);
      assert.deepStrictEqual(
        [service.cleanOnStartUp, service.toJSON().cleanOnStartUp],
        [false, false],
      );
    }
    for (const cleanOnStartUp of ['true', '1', 'yes']) {
      await ok(first, 'add', 'n', 'u', 's1');
      const service = await started(ctx.store, { cleanOnStartUp });
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), []);
      assert.strictEqual(service.cleanOnStartUp, true);
    }
  });

  ours('cache and fanOut: off by text, as by false', async () => {
    const reasons = [];
    for (const off of [false, 'false', '0']) {
      const { cache, lists } = (await started(ctx.store, { cache: off, fanOut: off })).stats();
      reasons.push([cache.enabled, cache.reason, lists]);
    }
    assert.deepStrictEqual(reasons[1], reasons[0]);
    assert.deepStrictEqual(reasons[2], reasons[0]);
    assert.deepStrictEqual([reasons[0][0], reasons[0][2]], [false, null]);
    const on = (await started(ctx.store, { cache: 'true', fanOut: '' })).stats();
    assert.ok(on.lists);
  });
});

area('B options as other clients have them', {}, (ctx) => {
  const members = (db) => ctx.redis.keys(db);

  ours('hashTag as text', async () => {
    const service = await started(ctx.redis, { hashTag: 'true', db: 4 });
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await members(4), ['POMELO:CHANNEL:{n}:s1']);
  });

  ours('socket and database of node-redis: this server and this db', async () => {
    const { port } = ctx.redis;
    const service = create({ socket: { host: '127.0.0.1', port }, database: 5 });
    await ok(service, 'start');
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await members(5), ['POMELO:CHANNEL:n:s1']);
    const onUnix = create({ socket: { path: ctx.redis.socketPath }, database: '6' });
    await ok(onUnix, 'start');
    await ok(onUnix, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await members(6), ['POMELO:CHANNEL:n:s1']);
  });

  ours('sentinels and cluster that are empty, beside host and port', async () => {
    const unused = { sentinels: [], cluster: [], path: false, url: '', name: false, tls: 'false' };
    const service = await started(ctx.redis, unused);
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await members(0), ['POMELO:CHANNEL:n:s1']);
  });

  ours('enableOfflineQueue: false: a call while down fails at once', async () => {
    const service = await started(ctx.redis, { enableOfflineQueue: 'false' });
    await ctx.redis.kill();
    let record;
    do record = await call(service, 'add', 'n', 'u', 's1');
    while (!record.err);
    record = await call(service, 'add', 'n', 'u', 's1');
    assert.strictEqual(record.err.code, 'ERR_GLOBAL_CHANNEL_DISCONNECTED');
    assert.ok(record.ms < 4500, `${record.ms} ms`);
  });
});

describe('B options of other Redis clients', () => {
  afterEach(stopAll);

  ours('one line names those without effect, what replaces them, and no value', async () => {
    const lines = await logged(() =>
      create({
        host: '127.0.0.1',
        retryStrategy: () => 1,
        retry_strategy: () => 1,
        maxRetriesPerRequest: 3,
        lazyConnect: true,
        keyPrefix: 'hush:',
        family: 4,
        keepAlive: 30000,
        no_ready_check: true,
        connectTimeout: 1000,
        commandTimeout: 1000,
        socket: { keepAlive: 5, reconnectStrategy: () => 1 },
      }),
    );
    assert.strictEqual(lines.length, 1, lines.join('\n'));
    for (const named of [
      'retryStrategy (use retry_max_delay and max_attempts)',
      'retry_strategy (use retry_max_delay and max_attempts)',
      'maxRetriesPerRequest (use commandTimeout)',
      'lazyConnect (start connects)',
      'keyPrefix (use prefix)',
      'family (',
      'keepAlive (silent connections get a heartbeat)',
      'no_ready_check (',
      'socket.keepAlive (',
      'socket.reconnectStrategy (',
    ]) {
      assert.ok(lines[0].includes(named), `${named}: ${lines[0]}`);
    }
    assert.ok(!/hush|connectTimeout|127/.test(lines[0]), lines[0]);
  });

  ours(
    'each of the table that has no effect is named, and none that asks for nothing',
    async () => {
      const ignored = optionTable().filter(({ ignored: is, name }) => is && !name.includes('.'));
      assert.ok(ignored.length > 20);
      for (const { name } of ignored) {
        const lines = await logged(() => refusal({ [name]: 'x' }));
        assert.strictEqual(lines.length, 1, name);
        assert.match(lines[0], new RegExp(`no effect here: ${name}( \\(|$)`));
        for (const nothing of [false, 'false', '', null, undefined]) {
          assert.deepStrictEqual(await logged(() => create({ [name]: nothing })), []);
        }
      }
    },
  );

  ours('what is not known at all has a line of its own, as ever', async () => {
    const lines = await logged(() => create({ whatever: 1, socket: { whatever: 1 } }));
    assert.deepStrictEqual(
      lines.map((line) => /unknown option "([^"]+)" is ignored$/.exec(line)?.[1]),
      ['whatever', 'socket.whatever'],
    );
  });

  ours('two names of one option that differ are refused, without their values', () => {
    for (const [opts, names] of [
      [{ password: 'hush', auth_pass: 'hush2' }, 'password and auth_pass'],
      [{ db: 1, database: 2 }, 'db and database'],
      [{ host: 'h', socket: { host: 'i' } }, 'host and socket.host'],
    ]) {
      const err = refusal(opts);
      assert.strictEqual(err?.code, CODE);
      assert.strictEqual(err.message, `options ${names} differ: give one of them`);
    }
    assert.ifError(refusal({ db: 2, database: '2', password: 5, auth_pass: '5' }));
  });

  ours('with the embedded store they are refused, unless they are not used', () => {
    const embedded = { store: 'embedded', path: '/data' };
    const used = { host: 'h', database: 1, user: 'joe', auth_pass: 'hush', socket: {}, tls: true };
    for (const [name, value] of Object.entries(used)) {
      const err = refusal({ ...embedded, [name]: value });
      assert.strictEqual(err?.code, CODE, name);
      assert.ok(err.message.startsWith(`option ${name} is for store 'redis'`), err.message);
    }
    const unused = {
      host: '',
      tls: false,
      sentinels: [],
      cluster: false,
      password: '',
      hashTag: '0',
    };
    assert.ifError(refusal({ ...embedded, ...unused }));
  });

  ours('return_buffers is refused by text too', () => {
    for (const given of [true, 'true', '1']) {
      assert.match(refusal({ return_buffers: given })?.message, /^option return_buffers is true/);
    }
    assert.ifError(refusal({ return_buffers: 'false' }));
  });
});
