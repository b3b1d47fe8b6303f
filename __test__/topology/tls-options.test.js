'use strict';

/**
 * Option `tls`: what cannot be used makes the constructor throw an error that names the option and shows nothing of a key. No
 * server is needed. Connections are in tls.test.js.
 */

const assert = require('node:assert');
const { describe, before, after, afterEach } = require('node:test');
const fs = require('fs');
const os = require('os');
const path = require('path');
const util = require('util');
const { certificates } = require('../support/certificates');
const { logged } = require('../support/log');
const { ours } = require('../support/rows');
const { create, stopAll, refusal } = require('../support/service');

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tls-'));

describe('TLS options', () => {
  let ca, one, other, encrypted;
  before(() => {
    ca = certificates(folder).authority('ca');
    one = ca.sign('one', { use: 'clientAuth' });
    other = ca.sign('other', { use: 'clientAuth' });
    const { execFileSync } = require('child_process');
    const pkcs8 = ['pkcs8', '-topk8', '-in', one.files.key, '-passout', 'pass:hush'];
    encrypted = String(execFileSync('openssl', pkcs8));
  });
  after(() => fs.rmSync(folder, { recursive: true, force: true }));
  afterEach(stopAll);

  /** The constructor throws; the words are of this option, and no line of a secret is in them. */
  function wrong(opts, words) {
    const err = refusal(opts);
    assert.ok(err, `accepted: ${util.inspect(opts)}`);
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_INVALID_OPTION');
    assert.match(err.message, words);
    const shown = util.inspect(err, { depth: 9, showHidden: true });
    for (const secret of [one.key, other.key, one.cert, encrypted]) {
      for (const line of secret.split('\n').filter((part) => part.length > 20)) {
        assert.ok(!shown.includes(line), shown);
      }
    }
  }

  ours('invalid certificates', () => {
    for (const bad of [
      'x',
      '/etc/ssl/ca.pem',
      Buffer.alloc(0),
      Buffer.from([0, 255, 10]),
      one.key,
      ca.cert.slice(0, -40),
      ca.cert.replace(/\n[A-Za-z0-9+/]{20}/, '\n!!!!'),
      '-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n',
    ]) {
      wrong({ tls: { ca: bad } }, /^option tls\.ca is no certificate \(not shown\); .*PEM/);
      wrong({ tls: { ca: [ca.cert, bad] } }, /^option tls\.ca\[1\] is no certificate/);
      wrong({ tls: { cert: bad, key: one.key } }, /^option tls\.cert is no certificate/);
    }
  });

  ours('keys that are invalid, of another certificate, or with a passphrase', () => {
    for (const bad of ['x', Buffer.alloc(0), one.cert, one.key.replace(/\n.{20}/, '\n!!!!')]) {
      wrong({ tls: { cert: one.cert, key: bad } }, /^option tls\.key is no key.*not shown/);
    }
    wrong({ tls: { cert: one.cert, key: other.key } }, /^option tls\.key is another one's/);
    wrong({ tls: { cert: one.cert, key: encrypted } }, /^option tls\.key is encrypted/);
  });

  ours('cert without key, key without cert', () => {
    wrong({ tls: { key: one.key } }, /^option tls\.cert is absent beside tls\.key/);
    wrong({ tls: { cert: one.cert } }, /^option tls\.key is absent beside tls\.cert/);
  });

  ours('values of other types', () => {
    for (const bad of [5, true, {}, () => 1, Symbol(one.key)]) {
      for (const name of ['ca', 'cert', 'key']) {
        wrong(
          { tls: { cert: one.cert, key: one.key, [name]: bad } },
          RegExp(`option tls.${name} `),
        );
      }
      wrong({ tls: { ca: [bad] } }, /^option tls\.ca\[0\] is of another type/);
    }
    for (const bad of [5, one.key, [one.key], () => 1, Buffer.from(one.key)]) {
      wrong({ tls: bad }, /^option tls is of another type \(not shown\); .*rejectUnauthorized/);
    }
    for (const bad of [0, 'no', {}]) {
      wrong({ tls: { rejectUnauthorized: bad } }, /^option tls\.rejectUnauthorized is .*false/);
    }
    for (const bad of [5, {}, 'no host', 'a..b', '-', 'x'.repeat(300)]) {
      wrong({ tls: { servername: bad } }, /^option tls\.servername is /);
    }
  });

  ours('options that exclude it', () => {
    for (const tls of [true, {}, { ca: ca.cert }]) {
      wrong({ tls, path: '/run/redis.sock' }, /^options tls and path exclude each other/);
      wrong({ tls, url: 'unix:///run/redis.sock' }, /^options tls and url exclude each other/);
      wrong({ tls, port: '/run/redis.sock' }, /^options tls and port exclude each other/);
      wrong({ tls, store: 'embedded', path: folder }, /^option tls is for store 'redis'/);
    }
    wrong(
      { tls: false, url: 'rediss://h' },
      /^options url .*rediss.* and tls .*exclude each other/,
    );
    wrong({ url: 'rediss://h', host: 'h' }, /^options url and host exclude/);
  });

  ours('absent values, and false', () => {
    for (const tls of [undefined, null, false]) {
      create({ tls, path: '/run/redis.sock' });
      create({ tls });
    }
    const absent = { ca: '', cert: null, key: undefined, servername: '', rejectUnauthorized: null };
    create({ tls: absent, url: 'rediss://:pw@[::1]:7000/3' });
    create({ tls: { ca: [], cert: one.cert, key: one.key, servername: '::1' } });
  });

  ours('keys in other forms, and a chain', () => {
    const { execFileSync } = require('child_process');
    const sec1 = String(execFileSync('openssl', ['ec', '-in', one.files.key], { stdio: 'pipe' }));
    assert.match(sec1, /BEGIN EC PRIVATE KEY/);
    create({ tls: { cert: one.cert + ca.cert, key: sec1 } });
    create({ tls: { cert: Buffer.from(`a comment\n${one.cert}`), key: Buffer.from(sec1) } });
  });

  ours('an unknown name within it is ignored, with a line in the log', async () => {
    const lines = await logged(() => create({ tls: { passphrase: 'hush' } }));
    assert.deepStrictEqual(
      lines.filter((line) => line.includes('tls.passphrase')).length,
      1,
      lines.join('\n'),
    );
    assert.ok(!lines.join().includes('hush'), lines.join());
  });
});
