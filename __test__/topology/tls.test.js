'use strict';

/**
 * TLS to Redis, against a real redis-server with certificates made here: what works over it, and what ends in
 * which words. Wrong options are in tls-options.test.js.
 */

const assert = require('node:assert');
const { Worker } = require('worker_threads');
const path = require('path');
const fc = require('fast-check');
const { Members, play, script } = require('../cache/calls');
const cli = require('../support/cli');
const { call, ok } = require('../support/call');
const child = require('../support/child');
const { logged } = require('../support/log');
const { hasIPv6 } = require('../support/redis');
const { ours } = require('../support/rows');
const { create, started } = require('../support/service');
const { tlsArea } = require('../support/tls');
const { until } = require('../support/until');
const { listen } = require('../faults/wire');

const STORE = 'ERR_GLOBAL_CHANNEL_STORE';
const UNREACHABLE = 'ERR_GLOBAL_CHANNEL_UNREACHABLE';

/** Starts with exactly these options, and is of use. */
async function works(opts) {
  const service = create(opts);
  await ok(service, 'start');
  await ok(service, 'add', 'n', 'u', 's1');
  assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['u']);
  return service;
}

/** `start` fails at once, in words that match. The log has them too. */
async function refused(opts, words) {
  const service = create(opts);
  let message;
  const lines = await logged(async () => {
    const { err, argc, n } = await call(service, 'start');
    assert.ok(err, 'start must fail');
    message = err.message;
    assert.match(message, words);
    assert.deepStrictEqual([err.code, argc, n, service.state], [STORE, 1, 1, 0]);
  });
  // One attempt only.
  assert.strictEqual(lines.length, 1, lines.join('\n'));
  assert.ok(lines[0].includes(message), lines[0]);
}

/** `start` tries until `startTimeout`, and its cause has words that match. */
async function unreachable(opts, words) {
  const service = create({ startTimeout: 1000, ...opts });
  await logged(async () => {
    const { err } = await call(service, 'start');
    assert.strictEqual(err && err.code, UNREACHABLE);
    assert.match(err.cause.message, words);
  });
}

tlsArea('TLS: it works', (ctx) => {
  const opts = (more) => ctx.tls.options(more);

  const forms = {
    'a CA as text': () => opts(),
    'a CA as a Buffer': () => opts({ tls: { ca: Buffer.from(ctx.tls.ca.cert) } }),
    'several CAs as an array': () => {
      const other = ctx.tls.authority('other');
      return opts({ tls: { ca: [other.cert, Buffer.from(ctx.tls.ca.cert)] } });
    },
    'several CAs in one text': () => {
      const other = ctx.tls.authority('other');
      return opts({ tls: { ca: `${other.cert}\n${ctx.tls.ca.cert}` } });
    },
    'a url rediss://': () => ({ url: ctx.tls.url(), tls: { ca: ctx.tls.ca.cert } }),
    'a url redis:// beside tls': () => ({
      url: ctx.tls.url('redis'),
      tls: { ca: ctx.tls.ca.cert },
    }),
    'an IPv4 address in the certificate': () => opts({ host: '127.0.0.1' }),
    'an IPv6 address in the certificate': () => opts({ host: '::1' }),
    'a url with an IPv6 address': () => ({
      url: ctx.tls.url('rediss', '[::1]'),
      tls: { ca: ctx.tls.ca.cert },
    }),
    'without a cache': () => opts({ cache: false }),
  };
  for (const [what, form] of Object.entries(forms)) {
    const none = what.includes('IPv6') && !hasIPv6();
    ours(
      what,
      async () => {
        await works(form());
        assert.ok(await ctx.tls.isSecure());
      },
      none ? { skip: 'no IPv6 here' } : {},
    );
  }

  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    ours(`${version}, with a certificate of ours`, async () => {
      await ctx.tls.set('tls-auth-clients', 'yes', 'tls-protocols', version);
      const { cert, key } = ctx.tls.ca.sign('client', { use: 'clientAuth' });
      await works(opts({ tls: { ca: ctx.tls.ca.cert, cert, key } }));
      const buffers = { cert: Buffer.from(cert), key: Buffer.from(key) };
      await works(opts({ tls: { ca: ctx.tls.ca.cert, ...buffers } }));
    });
  }

  ours('servername is the name that the certificate has to be for', async () => {
    await ctx.tls.show(ctx.tls.ca.sign('elsewhere', { hosts: ['DNS:redis.example'] }));
    const tls = { ca: ctx.tls.ca.cert, servername: 'redis.example' };
    await works(opts({ tls }));
    await refused(opts({ tls: { ...tls, servername: 'other.example' } }), /other\.example/);
  });

  ours('the CAs of the system are trusted if none are given', async () => {
    const body = async ({ create, call, opts: given, emit }) => {
      for (const more of [{ tls: true }, { tls: {} }]) {
        const service = create({ ...given, ...more });
        const { err } = await call(service, 'start');
        emit(err ? err.message : service.stats().cache.enabled);
        await call(service, 'stop', true);
      }
    };
    const store = { options: () => ({ url: ctx.tls.url() }) };
    const ends = (env) => child.run(body, { store, env: { SSL_CERT_DIR: '', ...env } });
    const trusting = await ends({ SSL_CERT_FILE: ctx.tls.ca.file });
    assert.deepStrictEqual(trusting.messages, [true, true], trusting.output);
    const other = await ends({ SSL_CERT_FILE: ctx.tls.authority('other').file });
    assert.match(other.messages[0], /CA/, other.output);
    const none = await ends({ SSL_CERT_FILE: path.join(__dirname, 'no such file') });
    assert.match(none.messages[0], /TLS: the system has no certificates of CAs/, none.output);
  });

  ours('the cache is on, follows what others write, and outlives a lost connection', async () => {
    const service = await started(ctx.tls);
    const other = await started(ctx.tls);
    const read = () => ok(service, 'getMembersBySid', 'n', 's1');
    const hits = () => service.stats().cache.hits;
    for (let round = 1; round <= 3; round += 1) {
      await ok(other, 'add', 'n', `u${round}`, 's1');
      assert.strictEqual((await read()).length, round);
      const before = hits();
      assert.strictEqual((await read()).length, round);
      assert.strictEqual(hits(), before + 1);
      assert.strictEqual(service.stats().cache.enabled, true);
      await ctx.tls.redis.killClients();
      await until(() => service.stats().reconnects === round, 'the reconnect');
      await until(() => other.stats().reconnects === round, "the other's reconnect");
      assert.ok(await ctx.tls.isSecure());
    }
  });

  ours('lists of 100,000, and a uid of a megabyte', async () => {
    const service = await started(ctx.tls);
    const uids = Array.from({ length: 100000 }, (_, i) => `user-${i}`);
    await ok(service, 'add', 'big', uids, 's1');
    const other = await started(ctx.tls);
    assert.deepStrictEqual(
      (await ok(other, 'getMembersBySid', 'big', 's1')).sort(),
      uids.slice().sort(),
    );
    const long = 'x'.repeat(1 << 20);
    await ok(service, 'add', 'long', long, 's1');
    assert.deepStrictEqual(await ok(other, 'getMembersBySid', 'long', 's1'), [long]);
  });

  for (const cache of [true, false]) {
    ours(`random calls answer what they should, cache ${cache}`, async () => {
      const service = await started(ctx.tls, { cache });
      for (const steps of fc.sample(script(60), { numRuns: 20, seed: 7 })) {
        const model = new Members();
        const expected = steps.map((step) => model.apply(step.call));
        const outcomes = await play(service, steps);
        outcomes.forEach(({ err, value, call: made }, i) => {
          assert.ifError(err);
          if (expected[i] !== undefined) assert.deepStrictEqual(value, expected[i], String(made));
        });
        await ctx.tls.redis.flush();
      }
    });
  }

  ours('in two worker threads at a time', async () => {
    const file = path.join(__dirname, '../workers/jobs.js');
    const ends = [1, 2].map(
      (db) =>
        new Promise((resolve, reject) => {
          const data = { job: 'work', opts: ctx.tls.options({ db }) };
          const worker = new Worker(file, { workerData: data });
          const said = [];
          worker.on('message', (message) => said.push(message));
          worker.on('error', reject);
          worker.on('exit', (code) => resolve([code, said.map(({ all }) => all)]));
        }),
    );
    const [one, two] = await Promise.all(ends);
    assert.deepStrictEqual(one, [0, [['u', 'u2']]]);
    assert.deepStrictEqual(two, [0, [['u', 'u2']]]);
    await ctx.tls.redis.untilClients(0);
  });

  ours('the command line copies and lists over it', async () => {
    const service = await started(ctx.tls);
    await ok(service, 'add', 'n', 'u', 's1');
    const env = { SSL_CERT_FILE: ctx.tls.ca.file };
    const to = ['--to', `${ctx.tls.url()}/4`];
    const copied = await cli.run(['copy', '--from', ctx.tls.url(), ...to], { env });
    assert.strictEqual(copied.code, 0, copied.stderr);
    const listed = await cli.run(['list', '--from', `${ctx.tls.url()}/4`], { env });
    assert.match(listed.stdout, /"POMELO:CHANNEL:n:s1","members":\["u"\]/);
    const untrusted = await cli.run(['list', '--from', ctx.tls.url()]);
    assert.strictEqual(untrusted.code, 1);
    assert.match(untrusted.stderr, /CA/);
  });
});

tlsArea('TLS: it does not, and says why', (ctx) => {
  const opts = (more) => ctx.tls.options(more);

  ours('the certificate is of another CA', () => {
    const { cert } = ctx.tls.authority('wrong');
    return refused(opts({ tls: { ca: cert } }), /^TLS: .*certificate is of no CA.*tls\.ca/);
  });

  ours('a CA of the same name and with another key', async () => {
    const folder = ctx.tls.authority('ca2');
    await ctx.tls.show(folder.sign('same', { hosts: ['IP:127.0.0.1'] }));
    await refused(opts(), /^TLS: .*certificate is of no CA/);
  });

  ours('the certificate has expired', async () => {
    await ctx.tls.show(ctx.tls.ca.sign('expired', { hosts: ['IP:127.0.0.1'], days: -1 }));
    await refused(opts(), /^TLS: the server's certificate has expired$/);
  });

  ours('the certificate is not valid yet', async () => {
    const when = { hosts: ['IP:127.0.0.1'], from: 1 };
    await ctx.tls.show(ctx.tls.ca.sign('early', when));
    await refused(opts(), /^TLS: the server's certificate is not valid yet$/);
  });

  ours('the certificate is for another host', async () => {
    const hosts = ['DNS:a.example', 'IP:192.0.2.1'];
    await ctx.tls.show(ctx.tls.ca.sign('other-host', { hosts }));
    await refused(
      opts(),
      /^TLS: .*not for 127\.0\.0\.1 but for a\.example, 192\.0\.2\.1 .*servername/,
    );
    await refused({ url: ctx.tls.url(), tls: { ca: ctx.tls.ca.cert } }, /not for localhost but/);
  });

  ours('the certificate is for no host', async () => {
    await ctx.tls.show(ctx.tls.ca.sign('nobody'));
    await refused(opts(), /^TLS: .*not for 127\.0\.0\.1 but for no host.*subjectAltName/);
  });

  ours('the certificate is that of the CA itself', async () => {
    await ctx.tls.show(ctx.tls.ca);
    await refused(opts(), /^TLS: the server's certificate is one of a CA/);
  });

  ours('the certificate is for clients', async () => {
    const hosts = ['IP:127.0.0.1'];
    await ctx.tls.show(ctx.tls.ca.sign('a-client', { hosts, use: 'clientAuth' }));
    await refused(opts(), /^TLS: the server's certificate is not for servers$/);
  });

  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    for (const cache of [true, false]) {
      ours(
        `${version}: the server wants a certificate, and we have none, cache ${cache}`,
        async () => {
          await ctx.tls.set('tls-auth-clients', 'yes', 'tls-protocols', version);
          await refused(
            opts({ cache }),
            /^TLS: .*wants a certificate of ours.*tls\.cert.*tls\.key/,
          );
        },
      );
    }

    ours(`${version}: the server does not trust our certificate`, async () => {
      await ctx.tls.set('tls-auth-clients', 'yes', 'tls-protocols', version);
      const { cert, key } = ctx.tls.authority('wrong').sign('client', { use: 'clientAuth' });
      const words = /^TLS: the server does not (trust|accept).*our certificate.*tls\.cert/;
      await refused(opts({ tls: { ca: ctx.tls.ca.cert, cert, key } }), words);
    });
  }

  ours('the server answers in something else', async () => {
    const answer = 'HTTP/1.1 400 Bad Request\r\n\r\n';
    const wire = await listen((socket) => socket.once('data', () => socket.write(answer)));
    try {
      await refused(opts({ port: wire.port }), /^TLS: the server does not speak TLS$/);
    } finally {
      await wire.close();
    }
  });

  ours('the port is one of Redis without TLS, which says nothing', () =>
    unreachable(
      opts({ port: ctx.tls.redis.port, connectTimeout: 300 }),
      /no answer within 300 ms .*TLS handshake.*no TLS/,
    ),
  );

  for (const cache of [true, false]) {
    ours(`the port wants TLS, and we speak none, cache ${cache}`, () =>
      unreachable({ port: ctx.tls.port, cache }, /wants TLS.*option tls/),
    );
  }

  ours('rejectUnauthorized false: all of these are taken, and one line says so', async () => {
    const leaves = [
      ctx.tls.leaf,
      ctx.tls.authority('wrong').sign('wrong-leaf', { hosts: ['DNS:x'], days: -1 }),
      ctx.tls.ca,
    ];
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      await ctx.tls.set('tls-protocols', version);
      for (const leaf of leaves) {
        await ctx.tls.show(leaf);
        const lines = await logged(() => works(opts({ tls: { rejectUnauthorized: false } })));
        assert.strictEqual(lines.length, 1, lines.join('\n'));
        assert.match(lines[0], /tls\.rejectUnauthorized is false/);
      }
    }
  });

  ours('after start, a certificate that turns bad: tried again until it is mended', async () => {
    const lines = await logged(async () => {
      const service = await started(ctx.tls, { retry_max_delay: 100, commandTimeout: 0 });
      await ctx.tls.show(ctx.tls.ca.sign('expired', { hosts: ['IP:127.0.0.1'], days: -1 }));
      await ctx.tls.redis.killClients();
      await until(() => service.stats().connection === 'connecting', 'the connection to be lost');
      const added = ok(service, 'add', 'n', 'u', 's1');
      await ctx.tls.redis.run(0, 'ping');
      await ctx.tls.show(ctx.tls.leaf);
      await added;
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['u']);
    });
    assert.ok(lines.length > 0, 'the log says that the connection was lost');
  });
});
