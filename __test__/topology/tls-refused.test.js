'use strict';

/**
 * TLS connections that are impossible with the given options: `start` fails, at once or after `startTimeout`, with a message that
 * says what is wrong. All on a real redis-server, which uses one certificate after the other.
 */

const assert = require('node:assert');
const { ok } = require('../support/call');
const { logged } = require('../support/log');
const { report } = require('../support/report');
const { ours } = require('../support/rows');
const { started } = require('../support/service');
const { tlsArea, works, refused, unreachable } = require('../support/tls');
const { until } = require('../support/until');
const { listen } = require('../faults/wire');

tlsArea('TLS: connections that are impossible', (ctx) => {
  const opts = (more) => ctx.tls.options(more);

  ours('the certificate is signed by another CA', () => {
    const { cert } = ctx.tls.authority('wrong');
    return refused(opts({ tls: { ca: cert } }), /^TLS: .*certificate is of no CA.*tls\.ca/);
  });

  ours('a CA with the same name and another key', async () => {
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

  ours('the certificate has no host name', async () => {
    await ctx.tls.show(ctx.tls.ca.sign('nobody'));
    await refused(opts(), /^TLS: .*not for 127\.0\.0\.1 but for no host.*subjectAltName/);
  });

  ours('the certificate is the CA itself', async () => {
    await ctx.tls.show(ctx.tls.ca);
    await refused(opts(), /^TLS: the server's certificate is one of a CA/);
  });

  ours('the certificate is a client certificate', async () => {
    const hosts = ['IP:127.0.0.1'];
    await ctx.tls.show(ctx.tls.ca.sign('a-client', { hosts, use: 'clientAuth' }));
    await refused(opts(), /^TLS: the server's certificate is not for servers$/);
  });

  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    for (const cache of [true, false]) {
      ours(`${version}: the server asks for a client certificate, cache ${cache}`, async () => {
        await ctx.tls.set('tls-auth-clients', 'yes', 'tls-protocols', version);
        await refused(opts({ cache }), /^TLS: .*wants a certificate of ours.*tls\.cert.*tls\.key/);
      });
    }

    ours(`${version}: the server does not trust the client certificate`, async () => {
      await ctx.tls.set('tls-auth-clients', 'yes', 'tls-protocols', version);
      const { cert, key } = ctx.tls.authority('wrong').sign('client', { use: 'clientAuth' });
      const words = /^TLS: the server does not (trust|accept).*our certificate.*tls\.cert/;
      await refused(opts({ tls: { ca: ctx.tls.ca.cert, cert, key } }), words);
    });
  }

  ours('the server answers in another protocol', async () => {
    const answer = 'HTTP/1.1 400 Bad Request\r\n\r\n';
    const wire = await listen((socket) => socket.once('data', () => socket.write(answer)));
    try {
      await refused(
        opts({ port: wire.port }),
        /^TLS: the server does not speak TLS \(option tls\)$/,
      );
    } finally {
      await wire.close();
    }
  });

  ours('the port is Redis without TLS, which does not answer', () =>
    unreachable(
      opts({ port: ctx.tls.redis.port, connectTimeout: 300 }),
      /no answer within 300 ms .*TLS handshake.*no TLS.*\(option tls\)/,
    ),
  );

  for (const cache of [true, false]) {
    ours(`the port expects TLS, option tls is not given, cache ${cache}`, () =>
      unreachable({ port: ctx.tls.port, cache }, /wants TLS.*option tls/),
    );
  }

  ours('rejectUnauthorized false: all of these are accepted, and one line is logged', async () => {
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
        assert.match(lines[0], /tls\.rejectUnauthorized is false: .*verification is disabled/);
      }
    }
  });

  ours('after start, a certificate becomes invalid: retried until it is valid', async () => {
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
    const fault = 'after start, a certificate becomes invalid, and valid again';
    report({
      topic: 'TLS',
      fault,
      sees: 'calls wait, and are done',
      recovered: 'the next attempt',
    });
  });
});
