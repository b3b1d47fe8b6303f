'use strict';

/**
 * Servers that say why they refuse, and close the connection: in protected mode, with too many clients, a proxy without a
 * server behind it. What they said is in the error, and decides whether `start` fails at once. Servers that close without a
 * word are in start.test.js, those that speak TLS in topology/tls-refused.test.js.
 */

const assert = require('node:assert');
const { once } = require('events');
const fs = require('fs');
const net = require('net');
const os = require('os');
const path = require('path');
const tls = require('tls');
const { words, CODE } = require('./flight');
const { area, fault } = require('./fault');
const { call, invoke, ok } = require('../support/call');
const { certificates } = require('../support/certificates');
const redisServer = require('../support/redis');
const { create } = require('../support/service');
const { until } = require('../support/until');

const DENIED = '-DENIED Redis is running in protected mode because no password is set.\r\n';
const FULL = '-ERR max number of clients reached\r\n';

/** The address of this machine that is not loopback, for which Redis has its protected mode. */
const outside = Object.values(os.networkInterfaces())
  .flat()
  .find(({ family, internal }) => !internal && ['IPv4', 4].includes(family));

/**
 * A server that says `line` on each connection and closes it with what it was sent unread, so that the other end
 * is reset. With `secure` it does so over TLS.
 */
async function closing(line, secure) {
  const accept = (socket) => {
    server.count += 1;
    socket.on('error', () => {});
    if (line) socket.write(line);
    // What the client sends meanwhile stays unread.
    setTimeout(() => socket.destroy(), 5 * (server.count % 5));
  };
  const server = secure
    ? tls.createServer({ ...secure, pauseOnConnect: true }, accept)
    : net.createServer({ pauseOnConnect: true }, accept);
  server.count = 0;
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.at = server.address().port;
  return server;
}

/** The error of a start with these options. */
async function failure(opts) {
  const service = create({ host: '127.0.0.1', startTimeout: 2000, ...opts });
  const start = invoke(service, 'start');
  const { err, ms } = await start.done;
  await call(service, 'stop', true);
  assert.ok(err, 'start must fail');
  assert.strictEqual(start.n, 1);
  return { code: err.code, text: words(err), ms };
}

/** A start that fails at once, again and again: what has arrived when does not matter. */
async function refused(opts, pattern) {
  for (let i = 0; i < 10; i += 1) {
    const { code, text, ms } = await failure({ ...opts, startTimeout: 20000, cache: i % 2 === 0 });
    assert.strictEqual(code, CODE('STORE'), text);
    assert.match(text, pattern);
    assert.doesNotMatch(text, /wants TLS/);
    assert.ok(ms < 10000, `it took ${ms} ms`);
  }
}

/** A start that is tried again until its time is over. */
async function retried(opts, server, pattern) {
  for (const cache of [true, false]) {
    server.count = 0;
    const { code, text } = await failure({ ...opts, cache });
    assert.strictEqual(code, CODE('UNREACHABLE'), text);
    assert.match(text, pattern);
    assert.ok(server.count > 2, `${server.count} attempts`);
  }
}

/** What connects to such a server. */
const ways = {
  'a server': (port) => ({ port }),
  'a sentinel': (port) => ({ host: undefined, sentinels: [`127.0.0.1:${port}`], name: 'x' }),
  'a node of a cluster': (port) => ({ host: undefined, cluster: [`127.0.0.1:${port}`] }),
};

area('a server that says why and closes', {}, (ctx) => {
  for (const [what, at] of Object.entries(ways)) {
    fault(`${what} in protected mode: start fails at once, with the reason`, async () => {
      const server = await closing(DENIED);
      await refused(at(server.at), /DENIED Redis is running in protected mode/);
      server.close();
    });

    fault(`${what} with too many clients: tried again, and the reason is the cause`, async () => {
      const server = await closing(FULL);
      await retried(at(server.at), server, /ERR max number of clients reached/);
      server.close();
    });

    fault(`${what} that says nothing: TLS may be the reason`, async () => {
      const server = await closing('');
      await retried(at(server.at), server, /wants TLS/);
      server.close();
    });

    fault(`${what} that speaks TLS and says so: start fails at once`, async () => {
      const server = await closing(Buffer.from([21, 3, 1, 0, 2, 2, 70]));
      await refused(at(server.at), /the server speaks TLS \(option tls\)/);
      server.close();
    });
  }

  fault('over TLS: the same', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'closing-'));
    try {
      const ca = certificates(folder).authority('ca');
      const { cert, key } = ca.sign('server', { hosts: ['IP:127.0.0.1'] });
      const secured = { tls: { ca: ca.cert } };
      const denied = await closing(DENIED, { cert, key });
      const full = await closing(FULL, { cert, key });
      for (const at of Object.values(ways)) {
        await refused({ ...at(denied.at), ...secured }, /DENIED Redis is running in protected/);
        await retried({ ...at(full.at), ...secured }, full, /max number of clients reached/);
      }
      denied.close();
      full.close();
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  fault(
    'a proxy without a server behind it: tried again, and what it says is the cause',
    async () => {
      for (const line of ['-ERR Connection refused\r\n', '-no upstream host\r\n']) {
        const server = await closing(line);
        await retried({ port: server.at }, server, new RegExp(line.slice(1).trim()));
        server.close();
      }
    },
  );

  fault(
    'Redis in protected mode: start fails at once, with its words',
    async () => {
      const args = ['--bind', outside.address, '127.0.0.1', '--protected-mode', 'yes'];
      const server = await redisServer.start({ args, program: 'redis-server' });
      try {
        const at = { host: outside.address, port: server.port };
        await refused(at, /DENIED Redis is running in protected mode/);
      } finally {
        await server.stop();
      }
    },
    { skip: !outside && 'this machine has only loopback addresses' },
  );

  fault('Redis with maxclients 1: tried again, and start succeeds when there is room', async () => {
    try {
      // The one client is the test's own.
      await ctx.redis.run(0, 'config', 'set', 'maxclients', '1');
      for (const cache of [true, false]) {
        const { code, text } = await failure({ port: ctx.redis.port, ...ctx.redis.user, cache });
        assert.strictEqual(code, CODE('UNREACHABLE'), text);
        assert.match(text, /ERR max number of clients reached/);
        assert.doesNotMatch(text, /wants TLS/);
      }
      const service = create({ host: '127.0.0.1', port: ctx.redis.port, ...ctx.redis.user });
      const start = invoke(service, 'start');
      const rejected = async () => {
        const stats = await ctx.redis.run(0, 'info', 'stats');
        return Number(/rejected_connections:(\d+)/.exec(stats)[1]);
      };
      const before = await rejected();
      await until(async () => (await rejected()) > before, 'another attempt');
      await ctx.redis.run(0, 'config', 'set', 'maxclients', '10000');
      assert.ifError((await start.done).err);
      await ok(service, 'add', 'n', 'u', 's1');
    } finally {
      await ctx.redis.run(0, 'config', 'set', 'maxclients', '10000');
    }
  });
});
