'use strict';

/**
 * `password` and `username` as functions, on a real Redis whose users change: asked at each connect, asked again when they fail,
 * and `AUTH` on the live connection before a password expires. Those of sentinels and of cluster nodes are in
 * login-topologies.test.js.
 */

const assert = require('node:assert');
const { inspect } = require('util');
const child = require('../support/child');
const { call, invoke, ok } = require('../support/call');
const { logged } = require('../support/log');
const { area, ours } = require('../support/rows');
const { create } = require('../support/service');
const { until } = require('../support/until');

const UNREACHABLE = 'ERR_GLOBAL_CHANNEL_UNREACHABLE';

area('a login that is a function', {}, (ctx) => {
  /** The user has this password from now on, and no other. */
  const user = (name, password) =>
    ctx.redis.run(0, 'acl', 'setuser', name, 'reset', 'on', `>${password}`, '~*', '&*', '+@all');
  const at = (more) => ({ host: '127.0.0.1', port: ctx.redis.port, retry_max_delay: 100, ...more });

  async function works(service) {
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['u']);
  }

  /** What `start` says in the end with this password; the log too, which never has the secret. */
  async function failure(password, more) {
    let err;
    const lines = await logged(async () => {
      const service = create(at({ username: 'joe', startTimeout: 400, password, ...more }));
      ({ err } = await call(service, 'start'));
    });
    assert.strictEqual(err && err.code, UNREACHABLE, inspect(err));
    assert.ok(!`${lines}${inspect(err)}`.includes('s3cret'), `${lines}`);
    assert.ok(
      lines.some((line) => line.includes(err.cause.message)),
      `${lines}`,
    );
    return err.cause.message;
  }

  ours('is asked at each connect, and may have changed', async () => {
    for (const cache of [true, false]) {
      await user('joe', 's3cret-1');
      let current = 's3cret-1';
      const asked = [];
      const opts = at({
        cache,
        username: async () => 'joe',
        password() {
          asked.push(this === opts);
          return current;
        },
      });
      const service = create(opts);
      const lines = await logged(async () => {
        await ok(service, 'start');
        await works(service);
        assert.deepStrictEqual(asked, [true]);
        await user('joe', 's3cret-2');
        current = 's3cret-2';
        await ctx.redis.killClients();
        await until(() => service.stats().reconnects === 1, 'the reconnect');
        await works(service);
        assert.ok(asked.length >= 2 && asked.every(Boolean), `${asked}`);
        const [client] = await ctx.redis.clients();
        assert.strictEqual(client.user, 'joe');
        assert.strictEqual(service.stats().cache.enabled, cache);
        await call(service, 'stop', true);
      });
      const seen = `${lines}${inspect(service, { depth: 9 })}${JSON.stringify(service)}`;
      assert.ok(!seen.includes('s3cret'), seen);
    }
  });

  ours(
    'a wrong password, and a function that fails, are tried again until they are right',
    async () => {
      await user('joe', 's3cret');
      let calls = 0;
      const answers = [
        () => 'wrong',
        () => Promise.reject(new Error('no token yet')),
        () => {
          throw new Error('not now');
        },
        // oxlint-disable-next-line unicorn/no-thenable -- a promise of another library
        () => ({ then: (resolve) => resolve('s3cret') }),
      ];
      const password = () => answers[Math.min(calls++, answers.length - 1)]();
      const service = create(at({ username: 'joe', password }));
      const lines = await logged(() => ok(service, 'start'));
      assert.strictEqual(calls, 4);
      await works(service);
      const said = ['WRONGPASS', 'option password: the function failed: no token yet', 'not now'];
      said.forEach((words, i) => assert.ok(lines[i].includes(words), lines[i]));
    },
  );

  ours('a wrong text fails at once, as before', async () => {
    await user('joe', 's3cret');
    await logged(async () => {
      const { err } = await call(create(at({ username: 'joe', password: 'no' })), 'start');
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_STORE');
      // The database is the operator's, not the function's.
      const opts = at({ username: 'joe', password: () => 's3cret', db: 99 });
      const range = await call(create(opts), 'start');
      assert.strictEqual(range.err.code, 'ERR_GLOBAL_CHANNEL_STORE');
    });
  });

  ours('what it throws, and an answer that is none, are the reason why start fails', async () => {
    await user('joe', 's3cret');
    const returned = (words) => new RegExp(`^option password: the function returned ${words}`);
    for (const [password, words] of [
      [
        () => Promise.reject(new Error('vault is sealed')),
        /: the function failed: vault is sealed$/,
      ],
      [() => Promise.reject(), /^option password: the function failed: undefined$/],
      [
        () => {
          throw { toString: () => assert.fail() };
        },
        /: an error that cannot be shown$/,
      ],
      [() => undefined, returned('nothing; accepted is a string or {username')],
      [() => ({ token: 's3cret' }), returned('an unknown field "token"; accepted')],
      [() => ({ password: 's3cret', expiresAt: 5 }), returned('an expiresAt that is past')],
      [() => ({ password: 's3cret', expiresAt: 'soon' }), returned('.* as expiresAt')],
      [
        () => ({
          get password() {
            throw new Error('a getter');
          },
        }),
        /the function failed: a getter$/,
      ],
      [() => 's3cret-wrong', /WRONGPASS/],
    ]) {
      assert.match(await failure(password), words);
    }
    const silent = () => new Promise(() => {});
    const words = /^no answer within 100 ms .*waiting for the function.*password$/;
    assert.match(await failure(silent, { connectTimeout: 100 }), words);
    const name = await failure(() => 's3cret', { username: () => ({ secret: 's3cret' }) });
    assert.match(name, /^option username: the function returned a value of another type/);
  });

  ours('a stop does not wait for it', async () => {
    const body = async ({ create: make, call: ask, opts, emit }) => {
      const service = make({ ...opts, password: () => new Promise(() => {}) });
      const starting = ask(service, 'start');
      await new Promise((resolve) => setTimeout(resolve, 100));
      const stopped = await ask(service, 'stop', true);
      emit([(await starting).err.code, stopped.n]);
    };
    const { messages, code, output } = await child.run(body, { store: ctx.store });
    assert.deepStrictEqual(messages, [['ERR_GLOBAL_CHANNEL_STOPPED', 1]], output);
    assert.strictEqual(code, 0);
  });

  for (const cache of [true, false]) {
    ours(`a password that expires is replaced on the live connection, cache ${cache}`, async () => {
      const names = ['joe', 'jim', 'jack'];
      for (const name of names) await user(name, `s3cret-${name}`);
      let calls = 0;
      const password = async () => {
        const name = names[calls % names.length];
        calls += 1;
        if (calls === 2) throw new Error('s3cret-joe is not renewed yet');
        const expiresAt = calls % 2 ? Date.now() + 900 : new Date(Date.now() + 900);
        return { username: name, password: `s3cret-${name}`, expiresAt };
      };
      const service = create(at({ password, cache }));
      const lines = await logged(async () => {
        await ok(service, 'start');
        const [first] = await ctx.redis.clients();
        assert.strictEqual(first.user, 'joe');
        const client = async (name) => {
          await works(service);
          const [now, ...others] = await ctx.redis.clients();
          assert.deepStrictEqual([now.id, others.length], [first.id, 0]);
          return now.user === name;
        };
        for (const name of ['jack', 'joe', 'jim']) await until(() => client(name), name);
        assert.strictEqual(service.stats().reconnects, 0);
        assert.strictEqual(service.stats().cache.enabled, cache);
        await call(service, 'stop', true);
      });
      const before = calls;
      // The second call was refused: it is in the log, without the secret that it repeated.
      assert.match(lines.join('\n'), /cannot renew the login before it expires/);
      assert.ok(!lines.join('\n').includes('s3cret'), lines.join('\n'));
      await new Promise((resolve) => setTimeout(resolve, 1000));
      assert.strictEqual(calls, before, 'nothing is asked after a stop');
    });
  }

  ours('a call that is under way when the password changes is answered', async () => {
    await user('joe', 's3cret');
    const password = () => ({ username: 'joe', password: 's3cret', expiresAt: Date.now() + 700 });
    const service = create(at({ password, cache: true }));
    await ok(service, 'start');
    const end = Date.now() + 2500;
    while (Date.now() < end) {
      const adds = Array.from(
        { length: 50 },
        (_, i) => invoke(service, 'add', 'n', `${i}`, 's1').done,
      );
      const reads = adds.map(() => ok(service, 'getMembersBySid', 'n', 's1'));
      for (const { err } of await Promise.all(adds)) assert.ifError(err);
      for (const members of await Promise.all(reads)) assert.strictEqual(members.length, 50);
    }
    assert.strictEqual(service.stats().reconnects, 0);
  });
});
