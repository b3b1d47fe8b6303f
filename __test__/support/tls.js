'use strict';

/**
 * A redis-server with a TLS port, and a plain port through which the tests inspect it; and the result of a start over TLS.
 * Certificates are in certificates.js; the server can be given another one at any time.
 */

const assert = require('node:assert');
const { describe, before, beforeEach, after, afterEach } = require('node:test');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { call, ok } = require('./call');
const { certificates } = require('./certificates');
const { logged } = require('./log');
const redisServer = require('./redis');
const { report } = require('./report');
const { create, stopAll } = require('./service');

const STORE = 'ERR_GLOBAL_CHANNEL_STORE';
const UNREACHABLE = 'ERR_GLOBAL_CHANNEL_UNREACHABLE';

const HOSTS = ['DNS:localhost', 'IP:127.0.0.1', 'IP:::1'];

/** The title of the test that runs: what its row in the table of faults is about. */
let current;

class TlsServer {
  /** `more` arguments of the server. */
  static async open(more = []) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tls-'));
    // A test file that crashes must not leave it behind.
    process.once('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
    const { authority } = certificates(folder);
    const server = new TlsServer();
    server.authority = authority;
    server.ca = authority('ca');
    server.leaf = server.ca.sign('server', { hosts: HOSTS });
    for (let attempt = 1; !server.redis; attempt += 1) {
      server.port = await redisServer.freePort();
      const args = ['--tls-port', server.port, '--bind', '127.0.0.1', '-::1', ...more];
      args.push('--tls-cert-file', server.leaf.files.cert, '--tls-key-file', server.leaf.files.key);
      args.push('--tls-ca-cert-file', server.ca.file, '--tls-auth-clients', 'no');
      // Those that SERVER names have no TLS.
      server.redis = await redisServer.start({ args, program: 'redis-server' }).catch((err) => {
        if (attempt === 3) throw err;
      });
    }
    return server;
  }

  set(...settings) {
    return this.redis.run(0, 'config', 'set', ...settings);
  }

  /** From now on it shows this certificate. */
  show({ files }) {
    return this.set('tls-cert-file', files.cert, 'tls-key-file', files.key);
  }

  /** As at the beginning, and empty. */
  async reset() {
    await this.show(this.leaf);
    await this.set('tls-auth-clients', 'no', 'tls-protocols', '');
    await this.redis.flush();
  }

  options(more) {
    return { host: '127.0.0.1', port: this.port, tls: { ca: this.ca.cert }, ...more };
  }

  url(scheme = 'rediss', host = 'localhost') {
    return `${scheme}://${host}:${this.port}`;
  }

  /** Whether all its clients came over TLS, and there are some. */
  async isSecure() {
    const clients = await this.redis.clients();
    return clients.length > 0 && clients.every(({ laddr }) => laddr.endsWith(`:${this.port}`));
  }

  async close() {
    await this.redis.stop();
  }
}

/** `body(ctx)` declares rows about `ctx.tls`, which is as at the beginning before each of them. */
function tlsArea(title, body) {
  describe(title, () => {
    const ctx = {};
    before(async () => (ctx.tls = await TlsServer.open()));
    beforeEach((t) => {
      current = t.name;
      return ctx.tls.reset();
    });
    afterEach(stopAll);
    after(() => ctx.tls.close());
    body(ctx);
  });
}

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
  report({ topic: 'TLS', fault: current, sees: `start fails at once: ${message}`, recovered: '' });
}

/** `start` tries until `startTimeout`, and its cause has words that match. */
async function unreachable(opts, words) {
  const service = create({ startTimeout: 2000, ...opts });
  await logged(async () => {
    const { err } = await call(service, 'start');
    assert.strictEqual(err && err.code, UNREACHABLE);
    assert.match(err.cause.message, words);
    const sees = `start fails after startTimeout: ${err.cause.message}`;
    report({ topic: 'TLS', fault: current, sees, recovered: '' });
  });
}

module.exports = { TlsServer, tlsArea, works, refused, unreachable };
