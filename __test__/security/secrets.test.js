'use strict';

/**
 * Only the server sees a password: it is not in the log, in errors, in stats(), nor in a printed instance, whatever the server
 * says and in whichever option it was given. Code can still read it from `opts`.
 */

const assert = require('node:assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { inspect } = require('util');
const { optionTable } = require('../../lib/native');
const { listen } = require('../faults/wire');
const { call } = require('../support/call');
const { run } = require('../support/cli');
const child = require('../support/child');
const { createApp } = require('../support/app');
const { logged } = require('../support/log');
const { certificates } = require('../support/certificates');
const redis = require('../support/redis');
const { area, ours } = require('../support/rows');
const { create } = require('../support/service');
const { removeFolder } = require('../support/remove');

const SECRET = 'hunter2-s3cret';
/** A part of it, in case the text is truncated. */
const PART = SECRET.slice(0, 7);

/** All that can be seen of a service and its errors. */
function visible(service, ...errors) {
  const looks = [
    inspect(service),
    inspect(service, { showHidden: true, depth: 9 }),
    inspect(service, { showHidden: true, customInspect: false, depth: 4 }),
    inspect({ deep: { deeper: [service] } }, { depth: 9 }),
    JSON.stringify(service),
    JSON.stringify({ ...service, app: null }),
    inspect(service.manager, { showHidden: true }),
    inspect(service.stats(), { depth: 9 }),
  ];
  for (const err of errors) {
    looks.push(inspect(err, { showHidden: true, depth: 9 }), String(err), String(err.stack));
  }
  return looks.join('\n');
}

/** Starts with these options; gives the error, and all that can be seen. */
async function attempt(opts) {
  let text = '';
  let failed;
  const lines = await logged(async () => {
    const service = create({ startTimeout: 1000, connectTimeout: 500, ...opts });
    const { err } = await call(service, 'start');
    failed = err;
    if (!err) await call(service, 'add', 'n', 'u', 's1');
    text = visible(service, ...(err ? [err] : []));
    await call(service, 'stop', true);
  });
  return { err: failed, text: [...lines, text].join('\n') };
}

const forms = (port) => ({
  password: { host: '127.0.0.1', port, password: SECRET },
  auth_pass: { host: '127.0.0.1', port, auth_pass: SECRET },
  url: { url: `redis://:${SECRET}@127.0.0.1:${port}` },
  'a user': { host: '127.0.0.1', port, username: 'default', password: SECRET },
});

area('Secrets', { password: SECRET }, (ctx) => {
  ours('can be read by code: opts is the same object', () => {
    const opts = { password: SECRET };
    const service = create(opts);
    assert.strictEqual(service.opts, opts);
    assert.strictEqual(service.opts.password, SECRET);
    service.opts = { more: 1 };
    assert.deepStrictEqual(service.opts, { more: 1 });
  });

  ours('a printed instance shows known harmless options, and hides the rest', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'secrets-'));
    const { cert, key } = certificates(folder).authority('ca');
    removeFolder(folder);
    const sentinel = { host: 'h', port: 1 };
    const service = create({
      sentinels: [sentinel],
      name: 'the-one',
      db: 3,
      password: SECRET,
      tls: { key, cert, ca: Buffer.from(cert) },
      sentinelPassword: SECRET,
      pasword: SECRET,
      [`cache`]: { maxBytes: 5 },
    });
    // The constructor refuses it there; the object is the app's all the same.
    sentinel.password = SECRET;
    const text = visible(service);
    assert.ok(!text.includes(PART), text);
    assert.ok(!text.includes(key.split('\n')[1]), text);
    assert.match(inspect(service), /^GlobalChannel {[^]*db: 3[^]*password: '\[hidden\]'/);
    const { opts, state } = JSON.parse(JSON.stringify(service));
    assert.deepStrictEqual([state, opts.db, opts.cache], [0, 3, { maxBytes: 5 }]);
    assert.deepStrictEqual(opts.sentinels, [{ host: 'h', port: 1, password: '[hidden]' }]);
  });

  ours('of every option, an instance shows the value only if the table says so', () => {
    const service = create({});
    const rows = optionTable();
    assert.deepStrictEqual(
      rows.filter(({ secret, shown }) => secret && shown),
      [],
    );
    const secrets = rows.filter(({ secret }) => secret).map(({ name }) => name);
    assert.deepStrictEqual(secrets, [
      'sentinelPassword',
      'sentinelTls.key',
      'password',
      'auth_pass',
      'tls.key',
    ]);
    for (const { name, shown } of rows) {
      const [option, field] = name.split('.');
      // The constructor refuses some of them as text; the object is the app's all the same.
      service.opts = { [option]: field ? { [field]: 'its value' } : 'its value' };
      assert.strictEqual(visible(service).includes('its value'), shown, name);
    }
  });

  ours('a right password, a wrong one, a db that does not exist, a closed port', async () => {
    for (const [form, opts] of Object.entries(forms(ctx.redis.port))) {
      const right = await attempt(opts);
      assert.ifError(right.err);
      assert.ok(!right.text.includes(PART), `${form}: ${right.text}`);
      const outOfRange = await attempt({ ...opts, db: 99 });
      assert.match(outOfRange.err.message, /out of range/);
      assert.ok(!outOfRange.text.includes(PART), `${form}: ${outOfRange.text}`);
    }
    const wrong = await attempt({ ...ctx.store.options(), password: `${SECRET}-wrong` });
    assert.match(wrong.err.message, /WRONGPASS/);
    assert.ok(!wrong.text.includes(PART), wrong.text);
    const nobody = await attempt({ host: '127.0.0.1', port: 1, password: SECRET });
    assert.ok(nobody.err && !nobody.text.includes(PART), nobody.text);
  });

  ours('a server without AUTH repeats its arguments: they are cut off', async () => {
    const server = await redis.start({ args: ['--rename-command', 'AUTH', ''] });
    try {
      // As long as the server repeats, and longer: then it cuts the password itself.
      for (const password of [SECRET, SECRET.repeat(20)]) {
        for (const opts of [
          { password },
          { password, username: 'u' },
          { password, cache: false },
        ]) {
          const { err, text } = await attempt({ host: '127.0.0.1', port: server.port, ...opts });
          // Without a user the password is not needed there.
          assert.strictEqual(Boolean(err), 'username' in opts);
          assert.ok(!text.includes(PART), text);
        }
      }
      const address = `redis://:${SECRET}@127.0.0.1:${server.port}`;
      const { stdout, stderr } = await run(['list', '--from', address]);
      assert.ok(!`${stdout}${stderr}`.includes(PART), stderr);
    } finally {
      await server.stop();
    }
  });

  ours('a server that repeats everything that it is sent', async () => {
    for (const start of ['-ERR you said ', '-', '-LOADING ', '-NOAUTH ']) {
      const wire = await listen((socket) =>
        socket.on('data', (chunk) => {
          const commands = chunk.toString('latin1').split('*').slice(1);
          for (const each of commands) socket.write(`${start}${each.replace(/\r\n/g, ' ')}\r\n`);
        }),
      );
      try {
        const sentinels = [{ host: '127.0.0.1', port: wire.port }];
        const bySentinel = { sentinels, name: 'x', sentinelPassword: SECRET };
        const asked = {
          'a function': { host: '127.0.0.1', port: wire.port, password: () => SECRET },
          'a function, by Sentinel': { ...bySentinel, sentinelPassword: async () => SECRET },
        };
        for (const [form, opts] of Object.entries({ ...forms(wire.port), bySentinel, ...asked })) {
          const { err, text } = await attempt({ ...opts, startTimeout: 300 });
          assert.ok(err, form);
          assert.ok(!text.includes(PART), `${form}: ${text}`);
        }
      } finally {
        await wire.close();
      }
    }
  });

  ours('a URL with a password as any other option', async () => {
    const names = optionTable().map(({ name }) => name);
    assert.ok(names.length > 30);
    // A prefix is what every key begins with, whatever it is, and of cleanOnStartUp the value is a field as in 0.0.7.
    for (const name of names.filter((each) => !/^(prefix|cleanOnStartUp)$|\./.test(each))) {
      for (const wrong of [`redis://:${SECRET}@h:1`, `rediss://:${SECRET}@h/x`]) {
        for (const store of [{}, { store: 'embedded', path: 'p' }]) {
          let text = '';
          const lines = await logged(async () => {
            try {
              text = visible(create({ ...store, [name]: wrong }));
            } catch (err) {
              text = inspect(err, { showHidden: true });
            }
          });
          assert.ok(!`${lines}${text}`.includes(PART), `${name}: ${lines}\n${text}`);
        }
      }
    }
  });

  ours('an uncaught exception', async () => {
    const body = async ({ started, opts, args, create }) => {
      const service = await started({ password: args.secret });
      void create({ ...opts, password: args.secret });
      const error = new Error('this is not caught');
      error.service = service;
      error.services = [service];
      service.add('n', 'u', 's1', () => {
        throw error;
      });
    };
    const args = { secret: SECRET };
    const { code, output } = await child.run(body, { store: ctx.store, args });
    assert.ok(code > 0);
    assert.match(output, /this is not caught/);
    assert.match(output, /GlobalChannel/);
    assert.ok(!output.includes(PART), output);
  });

  ours('an app that is printed as a whole', async () => {
    const app = createApp();
    create({ password: SECRET }, app);
    const text = inspect(app, { depth: 20 });
    assert.ok(text.includes('globalChannelService') && !text.includes(PART), text);
  });
});
