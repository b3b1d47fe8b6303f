'use strict';

/**
 * Contract rows B10–B13: passwords and users that are right, wrong, missing or not needed. Reconnecting with a password is in
 * e-reconnect.test.js.
 */

const assert = require('node:assert');
const { call, ok } = require('../support/call');
const child = require('../support/child');
const { create } = require('../support/service');
const { area, same, ours } = require('../support/rows');

const PASSWORD = 'pass word:@/%';

area('B passwords', { password: PASSWORD }, (ctx) => {
  const opts = (more) => ctx.store.options(more);
  const addUser = () =>
    ctx.redis.run(0, 'acl', 'setuser', 'joe', 'on', '>secret', '~*', '+@all', '-flushall');
  const url = (auth, rest = '') => `redis://${auth}@127.0.0.1:${ctx.redis.port}${rest}`;

  async function works(options) {
    const service = create(options);
    await ok(service, 'start');
    await ok(service, 'add', 'n', 'u', 's1');
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['u']);
  }

  /** start fails at once with words of the server that match, and nothing stays behind. */
  async function refusedWith(options, words) {
    const service = create(options);
    const { err, argc, n, ms } = await call(service, 'start');
    assert.match(err.message, words);
    assert.deepStrictEqual([err.code, argc, n], ['ERR_GLOBAL_CHANNEL_STORE', 1, 1]);
    assert.ok(ms < 10000, `${ms} ms`);
    assert.strictEqual(service.state, 0);
    await ctx.redis.untilClients(0);
  }

  same('B10 auth_pass right', () => works(opts({ auth_pass: PASSWORD })));

  ours('B10 password right', () => works(opts({ password: PASSWORD })));

  ours('B10 password in the url, percent-encoded', () =>
    works({ url: url(`:${encodeURIComponent(PASSWORD)}`) }),
  );

  ours('B10 username and password among the parameters of a url', async () => {
    await works({ url: `unix://${ctx.redis.socketPath}?pass=${encodeURIComponent(PASSWORD)}` });
    await addUser();
    await works({ url: `${url('joe', '?db=2')}&password=secret` });
  });

  ours('B10 password as an option wins over that of the url', () =>
    works({ url: url(':wrong'), password: PASSWORD }),
  );

  ours('B10 username and password', async () => {
    await addUser();
    await works(opts({ username: 'joe', password: 'secret' }));
    const [{ user }] = await ctx.redis.clients();
    assert.strictEqual(user, 'joe');
  });

  ours('B10 username and password in the url', async () => {
    await addUser();
    await works({ url: url('joe:secret', '/2') });
  });

  ours('B11 auth_pass wrong: start fails at once with the error of the server', () =>
    refusedWith(opts({ auth_pass: 'wrong' }), /^WRONGPASS /),
  );

  ours('B11 password wrong', () => refusedWith(opts({ password: 'wrong' }), /^WRONGPASS /));

  ours('B11 user unknown', () =>
    refusedWith(opts({ username: 'nobody', password: PASSWORD }), /^WRONGPASS /),
  );

  ours('B12 password needed, none given', () => refusedWith(opts(), /^NOAUTH /));

  ours('B12 an empty password counts as none', () =>
    refusedWith(opts({ auth_pass: '' }), /^NOAUTH /),
  );

  ours('B13 auth_pass given, but the server has no password', async () => {
    await ctx.redis.run(0, 'config', 'set', 'requirepass', '');
    try {
      const words = /AUTH <password> called without any password configured/;
      await refusedWith(opts({ auth_pass: 'unwanted' }), words);
    } finally {
      await ctx.redis.run(0, 'config', 'set', 'requirepass', PASSWORD);
    }
  });

  ours('B11 no secret is printed, neither in an error nor in a log line', async () => {
    const { store } = ctx;
    const body = async ({ create, call, opts }) => {
      const options = [
        { ...opts, auth_pass: 'hush-hush' },
        { ...opts, username: 'default', password: 'hush-hush' },
        { url: `redis://:hush-hush@127.0.0.1:${opts.port}` },
        { port: 1, password: 'hush-hush', startTimeout: 300 },
        { url: 'redis://:hush-hush@127.0.0.1:1', startTimeout: 300 },
      ];
      for (const each of options) {
        const { err } = await call(create(each), 'start');
        console.log(require('util').inspect(err, { depth: 9 }));
      }
    };
    const { code, output } = await child.run(body, { store });
    assert.strictEqual(code, 0, output);
    assert.strictEqual(output.match(/ERR_GLOBAL_CHANNEL_STORE/g).length, 3, output);
    assert.ok(!output.includes('hush-hush'), output);
  });
});
