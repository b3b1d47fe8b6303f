'use strict';

/** Redis Sentinel: how the primary is found, and faults of sentinels while it lives. Its replacement is in failover.test.js. */

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { describe, before, beforeEach, after, afterEach } = require('node:test');
const redisServer = require('../support/redis');
const { report } = require('../support/report');
const { Group, Sentinel, HEARS } = require('../support/sentinels');
const child = require('../support/child');
const { fault, PASSWORD } = require('../faults/fault');
const { withHosts, lacksMounts } = require('../faults/hosts');
const { proxy } = require('../faults/wire');
const { Flight, recovers, words, CODE } = require('../faults/flight');
const { create, started, stopAll } = require('../support/service');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { PLAIN, CACHE } = require('../support/rights');
const { until } = require('../support/until');

/** What a call may take at most; elections on a slow machine take long. */
const commandTimeout = 15000;
const SENTINEL_PASSWORD = `${PASSWORD}-2`;
/** All that the plugin needs to be allowed. */
const RIGHTS = [...PLAIN, ...CACHE];
/** What it needs at a sentinel; SENTINEL MASTER is left out. */
const SENTINEL_RIGHTS = '&* +sentinel|get-master-addr-by-name +subscribe +ping';

describe('Redis Sentinel', () => {
  let group;
  before(async () => {
    group = await Group.start({ password: PASSWORD, sentinelPassword: SENTINEL_PASSWORD });
  });
  after(() => group && group.stop());
  beforeEach(async () => (await group.primary()).flush());
  afterEach(stopAll);

  /** The error of a start. */
  const refusal = async (options) => {
    const { err } = await call(create(group.options(options)), 'start');
    assert.ok(err, 'it started');
    assert.ok(!words(err).includes(PASSWORD), 'a password was told');
    return err;
  };
  /** Addresses of which the first does not answer. */
  const firstDead = async () => [
    `127.0.0.1:${await redisServer.freePort()}`,
    ...group.options().sentinels,
  ];
  const paused = async (servers, fn) => {
    servers.forEach((server) => server.pause());
    try {
      return await fn();
    } finally {
      servers.forEach((server) => server.resume());
    }
  };

  fault('start finds the primary, with the member cache, whatever sentinels are dead', async () => {
    const primary = await group.primary();
    const sentinels = await firstDead();
    const hosts = group
      .options()
      .sentinels.map(({ port }) => `127.0.0.1:${port}`)
      .join(',');
    const { name, password, sentinelPassword } = group.options();
    const url = { url: `Redis+Sentinel://:${password}@${hosts}/${name}`, sentinelPassword };
    const byUrl = { sentinels: undefined, name: undefined, password: undefined, ...url };
    for (const options of [{}, { sentinels }, { cache: false, db: 3 }, byUrl]) {
      await primary.flush();
      const service = await started(group, options);
      await ok(service, 'add', 'found', 'me', 's1');
      const members = await primary.members('POMELO:CHANNEL:found:s1', options.db);
      assert.deepStrictEqual(members, ['me']);
      assert.strictEqual(service.stats().cache.enabled, options.cache !== false);
    }
  });

  fault('start does not wait long for sentinels that hang', async () => {
    await paused(group.sentinels.slice(0, 2), async () => {
      const { ms } = await call(create(group.options()), 'start');
      assert.ok(ms < 4000, `it took ${ms} ms`);
    });
  });

  fault('start with a user of few rights, at the servers and at the sentinels', async () => {
    const primary = await group.primary();
    const user = ['acl', 'setuser', 'game', 'on', `>${PASSWORD}-3`];
    await primary.run(0, ...user, '~POMELO:CHANNEL:*', ...RIGHTS);
    for (const sentinel of group.sentinels) {
      await sentinel.run(0, ...user, ...SENTINEL_RIGHTS.split(' '));
    }
    const service = await started(group, {
      username: 'game',
      password: `${PASSWORD}-3`,
      sentinelUsername: 'game',
      sentinelPassword: `${PASSWORD}-3`,
    });
    await ok(service, 'add', 'few', 'me', 's1');
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'few', 's1'), ['me']);
    assert.strictEqual(service.stats().cache.reason, null);
    await ok(service, 'clean');
    await group.untilHeard(1);
  });

  fault(
    'all addresses of one name are asked and listened to',
    async () => {
      const name = 'sentinels.pome.test';
      const hosts = path.join(group.sentinel.dir, 'hosts');
      const port = await redisServer.freePort();
      const at = (i) => `127.0.0.${i + 2}`;
      const wires = await Promise.all(
        group.sentinels.map((sentinel, i) => proxy(sentinel.port, { host: at(i), port })),
      );
      fs.writeFileSync(hosts, wires.map((_, i) => `${at(i)} ${name}\n`).join(''));
      // It may not ask for the others: what it hears it hears by the name.
      const user = await group.userOfTheListed();
      const listens = async ({ started: start, args, call, emit }) => {
        const channel = await start(args);
        emit('started');
        await new Promise((resolve) => process.stdin.once('data', resolve));
        await call(channel, 'stop', true);
        process.stdin.destroy();
      };
      const args = { sentinels: [`${name}:${port}`], ...user };
      const run = child.start(listens, { store: group, args, within: withHosts(hosts) });
      try {
        await run.message('started');
        await group.untilHeard(1);
        run.child.stdin.write('go\n');
        await run.closed;
        assert.deepStrictEqual([run.code, run.signal], [0, null], run.output);
        assert.ok(!run.output.includes('are heard'), run.output);
      } finally {
        run.child.kill('SIGKILL');
        await Promise.all(wires.map((wire) => wire.close()));
      }
    },
    { skip: lacksMounts() },
  );

  fault('the other sentinels are found by one, also if it is given twice', async () => {
    const { port } = group.sentinels[1];
    const sentinels = [`127.0.0.1:${port}`, `localhost:${port}`];
    const service = await started(group, { sentinels });
    await group.untilHeard(1);
    // One that is new is found too, and listened to at one address only.
    const monitor = (await group.primary()).port;
    const server = { password: PASSWORD };
    const password = SENTINEL_PASSWORD;
    const more = await redisServer.start({ monitor, server, password }, Sentinel);
    try {
      const heard = async () => (await more.clients()).filter(({ sub }) => sub === HEARS).length;
      await until(async () => (await heard()) === 1, 'a listener at the new sentinel', 30000);
      await group.untilHeard(1);
      assert.strictEqual(service.stats().reconnects, 0);
    } finally {
      await more.stop();
      for (const sentinel of group.sentinels) await sentinel.ask('reset');
      await group.untilReady();
    }
  });

  fault('start fails at once where waiting does not help', async () => {
    for (const [options, reason] of [
      [{ name: 'another' }, /no sentinel knows a primary named "another"/],
      [{ sentinelPassword: 'no' }, /sentinel 127.0.0.1:\d+, .*: WRONGPASS/],
      [{ sentinelPassword: null }, /sentinel 127.0.0.1:\d+, .*: NOAUTH/],
      [{ password: 'no' }, /WRONGPASS/],
      [{ username: 'nobody' }, /WRONGPASS/],
      [{ db: 99 }, /ERR DB index is out of range/],
    ]) {
      const err = await refusal(options);
      assert.strictEqual(err.code, CODE('STORE'), words(err));
      assert.match(err.message, reason);
    }
  });

  fault('wrong options are refused by the constructor, by name', () => {
    const { sentinels } = group.options();
    for (const [options, reason] of [
      [{ sentinels: [...sentinels, { host: 'h', port: 0 }] }, /option sentinels\[3\].port is 0;/],
      [{ sentinels: [{ host: () => 'h' }] }, /option sentinels\[0\].host is a function;/],
      [{ sentinels: [null] }, /option sentinels\[0\] is absent;/],
      [{ sentinels: {} }, /option sentinels is \{…\};.* array of \{host, port\}/],
      [{ sentinels: [`h:${PASSWORD}@h`] }, /option sentinels\[0\] is no host name \(not shown\)/],
      [{ name: undefined }, /option name is absent;/],
      [{ sentinelPassword: [PASSWORD] }, /option sentinelPassword is .*not shown/],
      [{ port: 6379 }, /options sentinels and port exclude each other/],
      [
        { sentinels: undefined, sentinelPassword: PASSWORD },
        /option sentinelPassword is for use with option sentinels/,
      ],
      [{ store: 'embedded' }, /option sentinels is for store 'redis'/],
    ]) {
      assert.throws(
        () => create(group.options(options)),
        ({ code, message }) =>
          code === CODE('INVALID_OPTION') && reason.test(message) && !message.includes(PASSWORD),
        String(reason),
      );
    }
  });

  fault('start gives up after startTimeout if no sentinel answers, with the cause', async () => {
    const port = await redisServer.freePort();
    const err = await refusal({ sentinels: [`127.0.0.1:${port}`], startTimeout: 300 });
    assert.strictEqual(err.code, CODE('UNREACHABLE'));
    assert.ok(words(err).includes(`sentinel 127.0.0.1:${port}: `), words(err));
    assert.match(words(err), /refused/);
  });

  fault('stop ends a start that is under way, quietly', async () => {
    const lines = await paused(group.sentinels, () =>
      logged(async () => {
        const service = create(group.options());
        const starting = call(service, 'start');
        const { ms } = await call(service, 'stop', true);
        assert.ok(ms < 1000, `stop took ${ms} ms`);
        assert.strictEqual((await starting).err.code, CODE('STOPPED'));
      }),
    );
    assert.deepStrictEqual(lines, []);
  });

  fault('calls go on when sentinels die; they are used again when they are back', async () => {
    const service = await started(group);
    const flight = new Flight(service);
    await group.untilHeard(1);
    for (const dying of [group.sentinels.slice(0, 1), group.sentinels]) {
      await Promise.all(dying.map((sentinel) => sentinel.kill()));
      await flight.send(300).answered();
      await Promise.all(dying.map((sentinel) => sentinel.up()));
      await group.untilHeard(1);
    }
    await flight.send(300).answered();
    await flight.check().checkStore(await group.primary());
    assert.strictEqual(service.stats().reconnects, 0);
    report({
      topic: 'Sentinel',
      fault: 'all sentinels die, the primary lives',
      sees: 'nothing',
      recovered: 0,
    });
  });

  fault('a primary that is read-only for a while: no caller gets READONLY', async () => {
    const primary = await group.primary();
    const service = await started(group, { commandTimeout });
    const flight = new Flight(service);
    await flight.send(100).answered();
    await logged(async (lines) => {
      const said = (what) => until(() => lines.some((line) => what.test(line)), String(what));
      // Unlike Sentinel it ends no client: the link is up, and what it says is READONLY.
      await primary.run(0, 'replicaof', '127.0.0.1', await redisServer.freePort());
      try {
        flight.send(200);
        await said(/lost the connection .*: READONLY/);
        flight.send(200);
        await said(/cannot connect .*: primary 127.0.0.1:\d+: its role is slave, not master/);
        assert.strictEqual(flight.answers.length, 100);
      } finally {
        await primary.run(0, 'replicaof', 'no', 'one');
      }
      await flight.answered();
    });
    await flight.check().checkStore(primary);
    const recovered = await recovers(service);
    const fault = 'READONLY: the primary is read-only for a while';
    report({ topic: 'Sentinel', fault, sees: 'calls wait, and are done', recovered });
  });
});
