'use strict';

/** `password` and `sentinelPassword` as functions where there are several servers. On one server: login-functions.test.js. */

const assert = require('node:assert');
const { describe, it, before, after, afterEach } = require('node:test');
const { onCluster } = require('./on-cluster');
const { listen } = require('../faults/wire');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { Group } = require('../support/sentinels');
const { create, stopAll } = require('../support/service');
const { until } = require('../support/until');

onCluster('a login that is a function, in a Redis Cluster', 120000, (ctx) => {
  it('each node is asked for, and its password is replaced before it expires', async () => {
    for (const name of ['joe', 'jim']) {
      await ctx.cluster.all('acl', 'setuser', name, 'reset', 'on', `>${name}-pw`, '~*', '+@all');
    }
    let current = 'joe';
    const password = async () => ({
      username: current,
      password: `${current}-pw`,
      expiresAt: Date.now() + 1500,
    });
    const service = await ctx.connected({ password });
    const users = async () => {
      const lists = await Promise.all(
        (await ctx.cluster.primaries()).map(({ server }) => server.clients()),
      );
      const ours = lists.flat().filter(({ user }) => ['joe', 'jim'].includes(user));
      return ours.map(({ addr, user }) => [addr, user]).sort();
    };
    const first = await users();
    assert.deepStrictEqual(
      first.map(([, user]) => user),
      ['joe', 'joe', 'joe'],
    );
    current = 'jim';
    const expected = first.map(([addr]) => [addr, 'jim']);
    await until(async () => String(await users()) === String(expected), 'all to be jim', 20000);
    for (let i = 0; i < 10; i += 1) await ok(service, 'add', `c${i}`, 'u', 's1');
    assert.strictEqual(service.stats().reconnects, 0);
  });
});

describe('a login that is a function, by Sentinel', { timeout: 120000 }, () => {
  let group;
  before(async () => {
    group = await Group.start({ password: 'of-servers', sentinelPassword: 'of-sentinels' });
  });
  after(() => group && group.stop());
  afterEach(stopAll);

  it('sentinels and the primary are asked for apart', async () => {
    const asked = { password: 0, sentinelPassword: 0 };
    const password = () => {
      asked.password += 1;
      return 'of-servers';
    };
    const sentinelPassword = async () => {
      asked.sentinelPassword += 1;
      // Slower than a sentinel may be.
      await new Promise((resolve) => setTimeout(resolve, 1500));
      return 'of-sentinels';
    };
    const lines = await logged(async () => {
      const service = create(group.options({ password, sentinelPassword }));
      await ok(service, 'start');
      await ok(service, 'add', 'n', 'u', 's1');
      await group.untilHeard(1);
    });
    // The first attempts were made without any sentinel.
    assert.match(lines[0], /the function that is option sentinelPassword has not answered yet/);
    assert.ok(asked.password >= 1 && asked.sentinelPassword >= 3, JSON.stringify(asked));
  });

  it('the password of the sentinels is replaced before it expires', async () => {
    for (const sentinel of group.sentinels) {
      for (const name of ['joe', 'jim']) {
        await sentinel.run(0, 'acl', 'setuser', name, 'reset', 'on', `>${name}-pw`, '&*', '+@all');
      }
    }
    let current = 'joe';
    const sentinelPassword = () => ({
      username: current,
      password: `${current}-pw`,
      expiresAt: Date.now() + 1500,
    });
    const service = create(group.options({ sentinelPassword }));
    await ok(service, 'start');
    const users = async () => {
      const lists = await Promise.all(group.sentinels.map((sentinel) => sentinel.clients()));
      const ours = lists.flat().filter(({ user }) => ['joe', 'jim'].includes(user));
      return ours.map(({ addr, user }) => [addr, user]).sort();
    };
    await group.untilHeard(1);
    const first = await users();
    assert.strictEqual(first.length, 3);
    current = 'jim';
    const expected = first.map(([addr]) => [addr, 'jim']);
    await until(async () => String(await users()) === String(expected), 'all to be jim', 20000);
  });

  it('a sentinel that repeats its password: the log does not have it', async () => {
    const echo = await listen((socket) =>
      socket.on('data', (chunk) => {
        const commands = chunk.toString('latin1').split('*').slice(1);
        for (const each of commands)
          socket.write(`-ERR you said ${each.replace(/\r\n/g, ' ')}\r\n`);
      }),
    );
    const [listed, , down] = group.sentinels;
    await down.kill();
    try {
      const sentinels = [`127.0.0.1:${listed.port}`, `127.0.0.1:${echo.port}`];
      const lines = await logged(async () => {
        await ok(create(group.options({ sentinels })), 'start');
      });
      assert.match(lines.join('\n'), /only 2 of 3 sentinels|its words are not shown/);
      assert.ok(!lines.join('\n').includes('of-sentinels'), lines.join('\n'));
    } finally {
      await down.up();
      await echo.close();
    }
  });

  it('a wrong one is tried again, and is the reason why start fails', async () => {
    const sentinelPassword = () => 'wrong-s3cret';
    let err;
    const lines = await logged(async () => {
      const service = create(group.options({ sentinelPassword, startTimeout: 1500 }));
      ({ err } = await call(service, 'start'));
    });
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
    assert.match(err.cause.message, /sentinel .*WRONGPASS/);
    assert.ok(lines.length > 1 && !lines.join().includes('s3cret'), lines.join('\n'));
  });
});
