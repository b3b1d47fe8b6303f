'use strict';

/**
 * Servers, users and proxies that do without commands: 0.0.7 works with `SADD`, `SREM`, `SMEMBERS`, `DEL` and `KEYS`, and so all
 * methods do here, whatever else is missing. Rights that are missing for one method each are in acl.test.js.
 */

const assert = require('node:assert');
const { describe, it, before, after, afterEach } = require('node:test');
const { createApp, pushed } = require('../support/app');
const cli = require('../support/cli');
const { call, eachMethod, ok } = require('../support/call');
const { logged } = require('../support/log');
const clusters = require('../support/cluster');
const redisServer = require('../support/redis');
const { area, ours } = require('../support/rows');
const { NAME, Sentinel } = require('../support/sentinels');
const { started, stopAll } = require('../support/service');
const { until } = require('../support/until');

/** Everything that is sent beyond 0.0.7's commands, or might be. */
const NEWER = [
  'UNLINK',
  'SCAN',
  'TYPE',
  'SCARD',
  'SISMEMBER',
  'SSCAN',
  'TOUCH',
  'EVAL',
  'CLIENT',
  'INFO',
  'HELLO',
  'ROLE',
  'SELECT',
  'AUTH',
  'PING',
  'ECHO',
  'CLUSTER',
];

/** A primary that sentinels name has to tell its role; by ROLE, if nothing else is left. */
const OPTIONAL = NEWER.filter((name) => !['ROLE', 'PING'].includes(name));

/** What a cluster can do without: its replicas and redis-cli need the others. */
const IN_CLUSTER = [
  'UNLINK',
  'SCAN',
  'TYPE',
  'SCARD',
  'SSCAN',
  'CLIENT',
  'HELLO',
  'ROLE',
  'SELECT',
];

const renamed = (commands) => commands.flatMap((command) => ['--rename-command', command, '']);
const key = (name, sid = 's1') => `POMELO:CHANNEL:${name}:${sid}`;

/** Each method once, what it does, and the order of calls of one tick. */
async function works(place, options) {
  const app = createApp();
  const service = await started(place.target, options, app);
  await ok(service, 'add', 'n', ['u', 'v', 'w'], 's1');
  await ok(service, 'leave', 'n', 'v', 's1');
  assert.deepStrictEqual((await ok(service, 'getMembersBySid', 'n', 's1')).sort(), ['u', 'w']);
  assert.strictEqual(await ok(service, 'getCountBySid', 'n', 's1'), 2);
  assert.strictEqual(await ok(service, 'getCountBySid', 'empty', 's1'), 0);
  for (const [uid, isMember] of [
    ['u', true],
    ['v', false],
  ]) {
    assert.strictEqual(await ok(service, 'isMember', 'n', uid, 's1'), isMember);
  }
  assert.deepStrictEqual(await ok(service, 'pushMessage', 'connector', 'r', {}, 'n', {}), []);
  assert.deepStrictEqual(
    pushed(app).map(([sid, uids]) => [sid, uids.sort()]),
    [['s1', ['u', 'w']]],
  );

  const calls = [];
  for (let i = 0; i < 20; i += 1) {
    calls.push(call(service, 'destroyChannel', 'n'));
    calls.push(call(service, 'add', 'n', [`a${i}`, `b${i}`], 's1'));
    calls.push(call(service, 'getCountBySid', 'n', 's1'));
    calls.push(call(service, 'getMembersBySid', 'n', 's1'));
  }
  const answers = await Promise.all(calls);
  for (let i = 0; i < 20; i += 1) {
    const [destroyed, added, count, members] = answers.slice(4 * i);
    assert.deepStrictEqual([destroyed.err, added.err, count.value], [null, null, 2], `turn ${i}`);
    assert.deepStrictEqual(members.value.sort(), [`a${i}`, `b${i}`], `turn ${i}`);
  }

  await eachMethod(async (method, args) => {
    const { err, n } = await call(service, method, ...args);
    assert.deepStrictEqual([err, n], [null, 1], method);
  });
  await seed(place);
  await ok(service, 'clean');
  assert.deepStrictEqual(await place.keys(), LEFT);
  assert.deepStrictEqual(service.stats().errors, {});
  return service;
}

/** Where the channels are: `target` for a service, and what is there. */
const placeOf = (server, target = server) => ({
  target,
  run: (name, ...command) => server.run(0, ...command),
  keys: () => server.keys(),
  empty: () => server.flush(),
});

/** What `clean` removes, and what it leaves. */
async function seed({ run }) {
  await run(key('a'), 'sadd', key('a'), 'u');
  await run(key('b', 'gone'), 'sadd', key('b', 'gone'), 'u', 'v');
  await run(key('text'), 'set', key('text'), 'no set');
  await run('OTHER:a:s1', 'sadd', 'OTHER:a:s1', 'u');
}
const LEFT = ['OTHER:a:s1', key('text')].sort();

/** The same at start. */
async function cleansAtStart(place, options) {
  await place.empty();
  await seed(place);
  await started(place.target, { cleanOnStartUp: true, ...options });
  assert.deepStrictEqual(await place.keys(), LEFT);
}

/** What `list` and `copy` say on stderr. */
const WARNING =
  /^pome-globalchannel: Redis at 127\.0\.0\.1:\d+: the server has no SCAN for us .*\n$/;

async function copies(ctx, { user = '', scan = true } = {}) {
  await ctx.redis.flush();
  await seed(placeOf(ctx.redis));
  const address = `redis://${user}127.0.0.1:${ctx.redis.port}`;
  const listed = await cli.run(['list', '--from', address]);
  assert.strictEqual(listed.code, 0, listed.stderr);
  assert.match(listed.stderr, scan ? /^$/ : WARNING);
  const lines = listed.stdout.trim().split('\n').map(JSON.parse);
  const sets = Object.fromEntries(lines.map((line) => [line.key, line.members]));
  assert.deepStrictEqual(sets, { [key('a')]: ['u'], [key('b', 'gone')]: ['u', 'v'] });
  return cli.run(['copy', '--from', address, '--to', `${address}/1`]);
}

for (const missing of [...NEWER.map((command) => [command]), NEWER]) {
  const title = missing.length > 1 ? 'all commands that 0.0.7 does without' : missing[0];
  area(`a server without ${title}`, { args: renamed(missing) }, (ctx) => {
    for (const cache of [true, false]) {
      ours(`all methods work (cache: ${cache})`, async () => {
        const lines = await logged(() => works(placeOf(ctx.redis), { cache }));
        const warned = lines.filter((line) => /KEYS is used/.test(line));
        assert.strictEqual(warned.length, missing.includes('SCAN') ? 1 : 0, lines.join('\n'));
      });
    }

    ours('cleanOnStartUp works', () => cleansAtStart(placeOf(ctx.redis)));

    ours('list and copy work', async () => {
      const scan = !missing.includes('SCAN');
      const { code, stdout, stderr } = await copies(ctx, { scan });
      if (missing.includes('SELECT')) return;
      assert.strictEqual(code, 0, stderr);
      assert.match(stderr, scan ? /^$/ : WARNING);
      assert.match(stdout, /^2 channels, 3 members,[^]*verified/);
    });

    ours('what is missing is not tried again', async () => {
      const errors = async () =>
        Number((/^errorstat_ERR:count=(\d+)/m.exec(await stats()) || [0, 0])[1]);
      // Of the test's own: it selects a database for each command.
      const own = missing.includes('SELECT') ? 1 : 0;
      const stats = () => ctx.redis.run(0, 'info', 'errorstats');
      if (missing.includes('INFO')) return;
      const service = await started(ctx.redis);
      await ok(service, 'clean');
      const before = await errors();
      for (let i = 0; i < 5; i += 1) {
        await ok(service, 'add', 'n', 'u', 's1');
        await ok(service, 'getCountBySid', 'n', 's1');
        await ok(service, 'destroyChannel', 'n');
        await ok(service, 'clean');
      }
      assert.strictEqual((await errors()) - before, own);
    });
  });
}

for (const missing of [['INFO'], ['HELLO'], ['INFO', 'HELLO'], ['CLIENT'], OPTIONAL]) {
  area(`a primary that Sentinel names, without ${missing.join(', ')}`, {}, (ctx) => {
    let server;
    let sentinel;
    before(async () => {
      server = await redisServer.start({ args: renamed(missing) });
      sentinel = await redisServer.start({ monitor: server.port, quorum: 1 }, Sentinel);
    });
    after(() => Promise.all([sentinel, server].map((each) => each && each.stop())));

    ours('all methods work, and cleanOnStartUp', async () => {
      const place = placeOf(server, ctx.store);
      place.target = { options: () => ({ sentinels: [`127.0.0.1:${sentinel.port}`], name: NAME }) };
      await works(place);
      await cleansAtStart(place);
    });
  });
}

describe(`a cluster without ${IN_CLUSTER}`, { timeout: 120000 }, () => {
  let cluster;
  before(async () => {
    cluster = await clusters.start({ args: renamed(IN_CLUSTER) });
  });
  afterEach(stopAll);
  after(() => cluster && cluster.close());

  it('all methods work, cleanOnStartUp and list', async () => {
    const place = {
      target: cluster,
      run: async (name, ...command) => (await cluster.owner(name)).run(0, ...command),
      keys: () => cluster.keys(),
      empty: () => cluster.empty(),
    };
    const lines = await logged(() => works(place));
    assert.strictEqual(lines.filter((line) => /KEYS is used/.test(line)).length, 1);
    await cleansAtStart(place);
    await place.empty();
    await seed(place);
    const address = `redis+cluster://127.0.0.1:${cluster.servers[0].port}`;
    const { stdout, stderr } = await cli.run(['list', '--from', address]);
    const keys = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).key);
    assert.deepStrictEqual(keys.sort(), [key('a'), key('b', 'gone')]);
    assert.match(stderr, /^pome-globalchannel: Redis Cluster at .*: the server has no SCAN/);
  });
});

area('users with few rights', {}, (ctx) => {
  const user = { username: 'gc', password: 'secret' };
  const grant = (...rights) => {
    const rules = ['reset', 'on', '>secret', '~POMELO:CHANNEL:*', 'resetchannels', ...rights];
    return ctx.redis.run(0, 'acl', 'setuser', 'gc', ...rules);
  };

  ours('+@read +@write is enough for all methods', async () => {
    await grant('-@all', '+@read', '+@write');
    await works(placeOf(ctx.redis), user);
    await cleansAtStart(placeOf(ctx.redis), user);
  });

  ours('so are the commands of 0.0.7', async () => {
    await grant('-@all', '+sadd', '+srem', '+smembers', '+del', '+keys');
    await works(placeOf(ctx.redis), user);
    await cleansAtStart(placeOf(ctx.redis), user);
    const { stderr } = await copies(ctx, { user: 'gc:secret@', scan: false });
    assert.match(stderr, /NOPERM.*select/);
  });

  for (const command of NEWER.filter((name) => name !== 'AUTH' && name !== 'HELLO')) {
    ours(`without -${command.toLowerCase()}: all methods work`, async () => {
      await grant('+@all', `-${command.toLowerCase()}`);
      await works(placeOf(ctx.redis), user);
      await cleansAtStart(placeOf(ctx.redis), user);
    });
  }
});

area('database 0', {}, (ctx) => {
  ours('is not selected, and the heartbeat does without SELECT', async () => {
    const monitor = await ctx.redis.monitor();
    await started(ctx.redis);
    const set = (commands) => commands.map(([, name]) => name);
    const before = await monitor.commands();
    assert.ok(!set(before).includes('SELECT'), String(set(before)));
    const since = async () => set((await monitor.commands()).slice(before.length));
    const later = await until(
      async () => (await since()).length > 0 && since(),
      'a heartbeat',
      30000,
    );
    assert.deepStrictEqual(new Set(later), new Set(['SMEMBERS']));
  });
});
