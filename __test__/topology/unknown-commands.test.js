'use strict';

/**
 * Commands that what is in front of Redis, or a Redis before 6, does not know: a proxy that closes the connection then, and AUTH in the
 * words of such a server. Commands that are renamed or not permitted are in commands.test.js.
 */

const assert = require('node:assert');
const { createApp } = require('../support/app');
const { call, eachMethod, ok } = require('../support/call');
const { logged } = require('../support/log');
const redisServer = require('../support/redis');
const { area, ours } = require('../support/rows');
const { HEARS, NAME, Sentinel } = require('../support/sentinels');
const { create, started } = require('../support/service');
const { pause, until } = require('../support/until');
const { proxy } = require('../faults/wire');

/** The commands of a chunk, each with its bytes. */
function commandsOf(chunk) {
  const text = chunk.toString('latin1');
  const starts = [...text.matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)];
  return starts.map((start, i) => ({
    name: start[1].toUpperCase(),
    bytes: Buffer.from(text.slice(start.index, (starts[i + 1] || {}).index), 'latin1'),
  }));
}

area('a proxy that closes the connection on commands that it does not know', {}, (ctx) => {
  const KNOWN = ['AUTH', 'PING', 'SADD', 'SREM', 'SMEMBERS', 'SCARD', 'SSCAN', 'DEL'];

  for (const cache of [true, false]) {
    ours(`is used with the commands of 0.0.7 (cache: ${cache})`, async () => {
      const wire = await proxy(ctx.redis.port);
      wire.toServer = (chunk, { client }) => {
        if (commandsOf(chunk).every(({ name }) => KNOWN.includes(name))) return chunk;
        client.destroy();
        return undefined;
      };
      try {
        const app = createApp();
        let service;
        const lines = await logged(async () => (service = await started(wire, { cache }, app)));
        assert.ok(
          lines.some((line) => /used with the oldest ones/.test(line)),
          lines.join('\n'),
        );
        const connections = wire.times.length;
        await eachMethod(async (method, args) => {
          const { err } = await call(service, method, ...args);
          assert.strictEqual(err, null, method);
        });
        await ok(service, 'add', 'n', ['u', 'v'], 's1');
        assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), 2);
        await ok(service, 'destroyChannel', 'n');
        assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), []);
        // The heartbeat too.
        await pause(4000);
        await ok(service, 'add', 'n', 'u', 's1');
        assert.strictEqual(wire.times.length, connections);
      } finally {
        await wire.close();
      }
    });
  }
});

area('a password where none is needed, with the words of Redis before version 6', {}, (ctx) => {
  /** A server that has no HELLO, and answers AUTH as Redis 5 without a password does. */
  async function old(port = ctx.redis.port) {
    const wire = await proxy(port);
    wire.toServer = (chunk, { client }) => {
      const rest = commandsOf(chunk).filter(({ name, bytes }) => {
        if (name === 'HELLO') client.write("-ERR unknown command 'HELLO'\r\n");
        else if (name !== 'AUTH') return true;
        else if (bytes.toString().startsWith('*3'))
          client.write("-ERR wrong number of arguments for 'auth' command\r\n");
        else client.write('-ERR Client sent AUTH, but no password is set\r\n');
        return false;
      });
      return rest.length ? Buffer.concat(rest.map(({ bytes }) => bytes)) : undefined;
    };
    return wire;
  }

  for (const options of [{ auth_pass: 'unwanted' }, { password: 'unwanted', cache: false }]) {
    ours(`is a warning (${Object.keys(options)})`, async () => {
      const wire = await old();
      try {
        const lines = await logged(async () => {
          const service = await started(wire, options);
          await ok(service, 'add', 'n', 'u', 's1');
          for (const { client } of wire.links) client.destroy();
          assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'n', 's1'), ['u']);
        });
        const told = lines.filter((line) =>
          /a password is given, and the server needs none/.test(line),
        );
        assert.strictEqual(told.length, 1, lines.join('\n'));
        assert.ok(!lines.join().includes('unwanted'), lines.join('\n'));
      } finally {
        await wire.close();
      }
    });
  }

  ours('is a warning at a sentinel too', async () => {
    const sentinel = await redisServer.start({ monitor: ctx.redis.port, quorum: 1 }, Sentinel);
    const wire = await old(sentinel.port);
    try {
      const lines = await logged(async () => {
        const target = { options: () => ({ sentinels: [`127.0.0.1:${wire.port}`], name: NAME }) };
        const service = await started(target, { sentinelPassword: 'unwanted' });
        await ok(service, 'add', 'n', 'u', 's1');
        await until(
          async () => (await sentinel.clients()).some(({ sub }) => sub === HEARS),
          'news',
        );
      });
      const told = lines.filter((line) =>
        /a password is given, and the sentinel needs none/.test(line),
      );
      assert.strictEqual(told.length, 1, lines.join('\n'));
      assert.ok(!lines.join().includes('unwanted'), lines.join('\n'));
      const user = { sentinelUsername: 'joe', sentinelPassword: 'x' };
      const options = { sentinels: [`127.0.0.1:${wire.port}`], name: NAME, ...user };
      const { err } = await call(create(options), 'start');
      assert.match(err.message, /wrong number of arguments/);
    } finally {
      await wire.close();
      await sentinel.stop();
    }
  });

  ours('with a user start fails: there may be no such user', async () => {
    const wire = await old();
    try {
      const options = { host: '127.0.0.1', port: wire.port, username: 'joe', password: 'x' };
      const { err } = await call(create(options), 'start');
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_STORE');
      assert.match(err.message, /wrong number of arguments/);
    } finally {
      await wire.close();
    }
  });
});
