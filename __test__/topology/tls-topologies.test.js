'use strict';

/**
 * TLS to servers that are discovered: connections to sentinels and cluster nodes are secured as those to a server that is given
 * by its address. TLS itself is in tls.test.js.
 */

const assert = require('node:assert');
const fs = require('node:fs');
const { after, before, describe, afterEach, it } = require('node:test');
const redisServer = require('../support/redis');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { Sentinel, HEARS } = require('../support/sentinels');
const { create, stopAll } = require('../support/service');
const { TlsServer, works } = require('../support/tls');
const { until } = require('../support/until');
const { begun, record } = require('../events/follower');

const NAME = 'the-one';

/** One that speaks TLS with us and with its server. */
class TlsSentinel extends Sentinel {
  constructor(port, options) {
    super(port, options);
    const { files } = options.leaf;
    const lines = [
      `tls-port ${options.tlsPort}`,
      `tls-cert-file ${files.cert}`,
      `tls-key-file ${files.key}`,
      `tls-ca-cert-file ${options.ca.file}`,
      'tls-auth-clients no',
      `tls-replication ${options.replication || 'yes'}`,
    ];
    fs.appendFileSync(this.file, `\n${lines.join('\n')}`);
  }
}

describe('TLS to servers that are discovered', { timeout: 120000 }, () => {
  afterEach(stopAll);

  describe('by Sentinel', () => {
    let tls, sentinel, tlsPort;
    before(async () => {
      tls = await TlsServer.open();
      tlsPort = await redisServer.freePort();
      const options = { monitor: tls.port, quorum: 1, leaf: tls.leaf, ca: tls.ca, tlsPort };
      sentinel = await redisServer.start(options, TlsSentinel);
      await until(async () => (await sentinel.view()).flags === 'master', 'a primary that is seen');
    });
    after(async () => {
      if (sentinel) await sentinel.stop();
      if (tls) await tls.close();
    });

    it('sentinels and server are connected over TLS', async () => {
      const sentinels = [{ host: '127.0.0.1', port: tlsPort }];
      const service = await works({ sentinels, name: NAME, tls: { ca: tls.ca.cert } });
      assert.ok(service.stats().cache.enabled, service.stats().cache.reason);
      assert.ok(await tls.isSecure(), 'all connections to the server');
      const ours = (await sentinel.clients()).filter(({ sub }) => sub === HEARS);
      assert.strictEqual(ours.length, 1);
      assert.ok(ours[0].laddr.endsWith(`:${tlsPort}`), 'the one that listens');
    });

    it('an untrusted certificate is reported with its server', async () => {
      const other = tls.authority('other').cert;
      const sentinels = [{ host: '127.0.0.1', port: tlsPort }];
      const service = create({ sentinels, name: NAME, tls: { ca: other } });
      await assert.rejects(ok(service, 'start'), (err) => {
        assert.match(err.message, new RegExp(`sentinel 127\\.0\\.0\\.1:${tlsPort}: TLS: .*no CA`));
        return true;
      });
    });
  });

  describe('by Sentinel, one of both over TLS', () => {
    let tls, plain;
    const tlsPorts = {};
    const sentinels = {};
    const at = (port, more) => ({
      sentinels: [{ host: '127.0.0.1', port }],
      name: NAME,
      connectTimeout: 2500,
      startTimeout: 6000,
      ...more,
    });
    before(async () => {
      tls = await TlsServer.open();
      plain = await redisServer.start({});
      // Sentinels that monitor a server with TLS, and one without. Each has a port for either.
      for (const [name, monitor, replication] of [
        ['secured', tls.port, 'yes'],
        ['plain', plain.port, 'no'],
      ]) {
        tlsPorts[name] = await redisServer.freePort();
        const options = { monitor, quorum: 1, leaf: tls.leaf, ca: tls.ca };
        sentinels[name] = await redisServer.start(
          { ...options, tlsPort: tlsPorts[name], replication },
          TlsSentinel,
        );
        const seen = async () => (await sentinels[name].view()).flags === 'master';
        await until(seen, 'a primary that is seen');
      }
    });
    after(async () => {
      for (const sentinel of Object.values(sentinels)) await sentinel.stop();
      if (plain) await plain.stop();
      if (tls) await tls.close();
    });

    /** The error of a start that cannot succeed. */
    const failure = async (opts) => {
      let err;
      await logged(async () => {
        ({ err } = await call(create(opts), 'start'));
      });
      assert.ok(err, 'it started');
      return `${err.message} ${err.cause && err.cause.message}`;
    };

    it('sentinelTls false: the sentinels without, the server with TLS', async () => {
      const ca = tls.ca.cert;
      await works(at(sentinels.secured.port, { tls: { ca }, sentinelTls: false }));
      assert.ok(await tls.isSecure());
    });

    it('sentinelTls without tls: the sentinels with, the server without TLS', async () => {
      await works(at(tlsPorts.plain, { sentinelTls: { ca: tls.ca.cert } }));
      await works(at(tlsPorts.plain, { sentinelTls: { ca: tls.ca.cert }, tls: false }));
    });

    it('each with its own CAs; what is wrong with a certificate names the option', async () => {
      const right = { ca: tls.ca.cert };
      const wrong = { ca: tls.authority('other').cert };
      await works(at(tlsPorts.secured, { tls: right, sentinelTls: right }));
      const sentinel = await failure(at(tlsPorts.secured, { tls: right, sentinelTls: wrong }));
      assert.match(sentinel, /^sentinel \S+: TLS: .*\(option sentinelTls\.ca\)/);
      const server = await failure(at(tlsPorts.secured, { tls: wrong, sentinelTls: right }));
      assert.match(server, /TLS: .*\(option tls\.ca\)/);
      // Nothing is taken from the other option.
      const env = await failure(at(tlsPorts.secured, { tls: right, sentinelTls: true }));
      assert.match(env, /\(option sentinelTls\.ca\)/);
    });

    it('a sentinel that wants TLS, or speaks none: the error names sentinelTls', async () => {
      const wants = await failure(at(tlsPorts.plain, { startTimeout: 1500 }));
      assert.match(wants, /sentinel \S+: .*a sentinel that wants TLS .*\(option sentinelTls\)/);
      const none = await failure(at(sentinels.secured.port, { tls: { ca: tls.ca.cert } }));
      assert.match(none, /sentinel \S+: no answer .*speaks no TLS .*\(option sentinelTls\)/);
    });

    it('a server that wants TLS, or speaks none: the error names tls', async () => {
      const wants = await failure(at(sentinels.secured.port, { startTimeout: 1500 }));
      assert.match(wants, /primary \S+: .*wants TLS .*\(option tls\)/);
      const both = { tls: { ca: tls.ca.cert } };
      const none = await failure(at(tlsPorts.plain, both));
      assert.match(none, /TLS handshake; .*speaks no TLS .*\(option tls\)/);
    });

    it('verification that is disabled is logged for each', async () => {
      const tlsOff = { rejectUnauthorized: false };
      for (const [more, names] of [
        [{ sentinelTls: tlsOff, tls: { ca: tls.ca.cert } }, ['sentinelTls']],
        [{ tls: tlsOff, sentinelTls: tlsOff }, ['tls', 'sentinelTls']],
        [{ tls: tlsOff }, ['tls']],
      ]) {
        const lines = await logged(() => works(at(tlsPorts.secured, more)));
        const said = lines.filter((line) => line.includes('verification is disabled'));
        assert.deepStrictEqual(
          said.map((line) => /(\w+)\.rejectUnauthorized/.exec(line)[1]),
          names,
        );
      }
    });
  });

  describe('in a Redis Cluster', () => {
    let tls;
    before(async () => {
      const bus = await redisServer.freePort();
      // Redis 7.0 tells the ports for TLS only where the nodes use TLS among themselves.
      const args = ['--cluster-enabled', 'yes', '--cluster-port', bus, '--tls-cluster', 'yes'];
      tls = await TlsServer.open(args);
      await tls.redis.run(0, 'cluster', 'addslotsrange', 0, 16383);
      const up = async () => (await tls.redis.run(0, 'cluster', 'info')).includes('state:ok');
      await until(up, 'the cluster to be up');
    });
    after(() => tls && tls.close());

    it('its nodes are connected over TLS', async () => {
      const cluster = [`127.0.0.1:${tls.port}`];
      await works({ cluster, tls: { ca: tls.ca.cert } });
      assert.ok(await tls.isSecure(), 'all connections');
    });

    it('events come over TLS', async () => {
      const options = { cluster: [`127.0.0.1:${tls.port}`], tls: { ca: tls.ca.cert } };
      const service = await works({ ...options, events: true });
      const log = record(service.watch('watched'));
      await begun(log);
      await ok(service, 'add', 'watched', 'u', 's1');
      await until(() => log.length === 2, 'the events');
      assert.deepStrictEqual(log.map(([event]) => event).sort(), ['join', 'occupied']);
      assert.ok(await tls.isSecure(), 'all connections');
      assert.strictEqual(service.stats().events.lag.count, 1);
    });

    it('verification that is disabled is logged', async () => {
      const cluster = [`127.0.0.1:${tls.port}`];
      const lines = await logged(() => works({ cluster, tls: { rejectUnauthorized: false } }));
      assert.match(lines.join('\n'), / tls\.rejectUnauthorized is false: .*is disabled/);
    });
  });
});
