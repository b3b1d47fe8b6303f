'use strict';

/**
 * TLS to servers that are discovered: connections to sentinels and cluster nodes are secured as those to a server that is given
 * by its address. TLS itself is in tls.test.js.
 */

const assert = require('node:assert');
const fs = require('node:fs');
const { after, before, describe, afterEach, it } = require('node:test');
const redisServer = require('../support/redis');
const { ok } = require('../support/call');
const { Sentinel, HEARS } = require('../support/sentinels');
const { create, stopAll } = require('../support/service');
const { TlsServer, works } = require('../support/tls');
const { until } = require('../support/until');

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
      'tls-replication yes',
    ];
    fs.appendFileSync(this.file, `\n${lines.join('\n')}`);
  }
}

describe('TLS to servers that are discovered', { timeout: 60000 }, () => {
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
  });
});
