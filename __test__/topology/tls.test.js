'use strict';

/**
 * TLS to Redis, against a real redis-server with certificates created here: what works over it. Failures and their messages are
 * in tls-refused.test.js, wrong options in tls-options.test.js.
 */

const assert = require('node:assert');
const { Worker } = require('worker_threads');
const path = require('path');
const fc = require('fast-check');
const { Members, play, script } = require('../cache/calls');
const cli = require('../support/cli');
const { ok } = require('../support/call');
const child = require('../support/child');
const { hasIPv6 } = require('../support/redis');
const { ours } = require('../support/rows');
const { started } = require('../support/service');
const { tlsArea, works, refused } = require('../support/tls');
const { until } = require('../support/until');
const { lacksMounts } = require('../faults/hosts');

/** Without what the environment of the tests says of CAs. */
const NO_CAS = {
  SSL_CERT_FILE: undefined,
  SSL_CERT_DIR: undefined,
  NODE_EXTRA_CA_CERTS: undefined,
};

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
    ours(`${version}, with a client certificate`, async () => {
      await ctx.tls.set('tls-auth-clients', 'yes', 'tls-protocols', version);
      const { cert, key } = ctx.tls.ca.sign('client', { use: 'clientAuth' });
      await works(opts({ tls: { ca: ctx.tls.ca.cert, cert, key } }));
      const buffers = { cert: Buffer.from(cert), key: Buffer.from(key) };
      await works(opts({ tls: { ca: ctx.tls.ca.cert, ...buffers } }));
    });
  }

  ours('servername is the name for which the certificate must be valid', async () => {
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
    const ends = (env) => child.run(body, { store, env: { ...NO_CAS, ...env }, deadline: 25000 });
    const trusting = await ends({ SSL_CERT_FILE: ctx.tls.ca.file });
    assert.deepStrictEqual(trusting.messages, [true, true], trusting.output);
    const other = await ends({ SSL_CERT_FILE: ctx.tls.authority('other').file });
    assert.match(other.messages[0], /CA/, other.output);
    assert.match(trusting.output, /TLS: trusted are the CAs of SSL_CERT_FILE \(1\)/);
    const none = await ends({ SSL_CERT_FILE: path.join(__dirname, 'no such file') });
    assert.match(none.messages[0], /TLS: SSL_CERT_FILE has no certificates of CAs/, none.output);
  });

  /** Starts in a process with this environment; what the log says of CAs, and the error, if there is one. */
  async function trusts(env, more = {}) {
    const body = async ({ create, call, opts, emit }) => {
      const service = create(opts);
      const { err } = await call(service, 'start');
      emit(err ? err.message : null);
      await call(service, 'stop', true);
    };
    const store = { options: () => ({ url: ctx.tls.url(), ...more.opts }) };
    const all = { ...NO_CAS, ...env };
    const ran = await child.run(body, { store, env: all, deadline: 25000, within: more.within });
    const lines = ran.output.split('\n').filter((line) => /TLS: .*(CAs|EXTRA)/.test(line));
    return { err: ran.messages[0], lines, output: ran.output };
  }

  ours('NODE_EXTRA_CA_CERTS is trusted beside the others, and the log says so once', async () => {
    const extra = { NODE_EXTRA_CA_CERTS: ctx.tls.ca.file };
    for (const opts of [{}, { cache: false }]) {
      const beside = await trusts(
        { ...extra, SSL_CERT_FILE: ctx.tls.authority('other').file },
        { opts },
      );
      assert.strictEqual(beside.err, null, beside.output);
      assert.strictEqual(beside.lines.length, 1, beside.output);
      assert.match(
        beside.lines[0],
        /TLS: trusted are the CAs of SSL_CERT_FILE \(1\) and of NODE_EXTRA_CA_CERTS \(1\)$/,
      );
    }
    const folder = await trusts({ ...extra, SSL_CERT_DIR: __dirname });
    assert.strictEqual(folder.err, null, folder.output);
    const without = await trusts({ SSL_CERT_FILE: ctx.tls.authority('other').file });
    assert.match(without.err, /of no CA that is trusted/);
    // Not beside option tls.ca, as in Node.
    const opts = { tls: { ca: ctx.tls.authority('other').cert } };
    const chosen = await trusts(extra, { opts });
    assert.match(chosen.err, /of no CA that is trusted/);
    const missing = await trusts({
      SSL_CERT_FILE: ctx.tls.ca.file,
      NODE_EXTRA_CA_CERTS: path.join(__dirname, 'no such file'),
    });
    assert.strictEqual(missing.err, null, missing.output);
    assert.match(missing.lines.join('\n'), /TLS: NODE_EXTRA_CA_CERTS cannot be used: /);
  });

  ours(
    "Node's own CAs are trusted where the system has none",
    async () => {
      const script =
        'for d in /etc/ssl /etc/pki /usr/share/ca-certificates /usr/local/share/certs; do \
        if [ -d $d ]; then mount -t tmpfs none $d || exit 9; fi; done; exec "$@"';
      const within = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
      const own = await trusts({}, { within });
      assert.match(own.err, /of no CA that is trusted/, own.output);
      assert.match(own.lines.join('\n'), /TLS: trusted are the CAs of Node \(\d{2,}\), because/);
      const extra = await trusts({ NODE_EXTRA_CA_CERTS: ctx.tls.ca.file }, { within });
      assert.strictEqual(extra.err, null, extra.output);
      assert.match(extra.lines.join('\n'), /of Node \(\d+\).* and of NODE_EXTRA_CA_CERTS \(1\)/);
    },
    { skip: lacksMounts() },
  );

  ours('the cache is on, sees the writes of others, survives a lost connection', async () => {
    const service = await started(ctx.tls);
    const other = await started(ctx.tls);
    const read = () => ok(service, 'getMembersBySid', 'n', 's1');
    const hits = () => service.stats().cache.hits;
    for (let round = 1; round <= 3; round += 1) {
      await ok(other, 'add', 'n', `u${round}`, 's1');
      assert.strictEqual((await read()).length, round);
      const before = hits();
      // Kept from the second read on.
      for (const seen of [0, 1]) {
        assert.strictEqual((await read()).length, round);
        assert.strictEqual(hits(), before + seen);
      }
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
    ours(`random calls have the expected results, cache ${cache}`, async () => {
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
