'use strict';

/**
 * Option `cluster`, on a real Redis Cluster without faults: methods work as on one Redis, the keys, how a cluster is found, its
 * users. Faults are in cluster-faults.test.js.
 */

const assert = require('node:assert');
const { once } = require('node:events');
const net = require('node:net');
const { it } = require('node:test');
const { Flight } = require('../faults/flight');
const { createApp, pushed } = require('../support/app');
const { call, ok } = require('../support/call');
const { checkModel, modelApp } = require('../support/model');
const { logged } = require('../support/log');
const redisServer = require('../support/redis');
const { create, started } = require('../support/service');
const { report } = require('../support/report');
const { pause, until } = require('../support/until');
const { proxy } = require('../faults/wire');
const { KEYS, during, onCluster } = require('./on-cluster');

onCluster('a Redis Cluster', 120000, (ctx) => {
  it('channels have the keys of 0.0.7, and the methods work as on one Redis', async () => {
    const app = createApp();
    const service = await ctx.connected({}, app);
    const names = Array.from({ length: 20 }, (_, i) => `room ${i}`);
    await Promise.all(names.map((name) => ok(service, 'add', name, ['u', 'v'], 's1')));
    await Promise.all(names.map((name) => ok(service, 'add', name, 'w', 's2')));
    const expected = names.flatMap((name) => [
      [`POMELO:CHANNEL:${name}:s1`, ['u', 'v']],
      [`POMELO:CHANNEL:${name}:s2`, ['w']],
    ]);
    assert.deepStrictEqual(await ctx.cluster.dump(), Object.fromEntries(expected.sort()));
    const used = await Promise.all(
      (await ctx.cluster.primaries()).map(({ server }) => server.keys()),
    );
    assert.ok(
      used.every((keys) => keys.length > 0),
      'all nodes have some of them',
    );

    const all = await ok(service, 'getMembersByChannelName', 'connector', 'room 7');
    assert.deepStrictEqual(all.sort(), ['u', 'v', 'w']);
    await ok(service, 'pushMessage', 'connector', 'onChat', {}, 'room 7', {});
    const sorted = pushed(app).map(([sid, uids]) => [sid, uids.sort()]);
    assert.deepStrictEqual(sorted.sort(), [
      ['s1', ['u', 'v']],
      ['s2', ['w']],
    ]);

    await ok(service, 'leave', 'room 7', ['u', 'nobody'], 's1');
    assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'room 7', 's1'), ['v']);
    await ok(service, 'destroyChannel', 'room 7');
    assert.deepStrictEqual(await ok(service, 'getMembersByChannelName', 'connector', 'room 7'), []);
    assert.strictEqual(Object.keys(await ctx.cluster.dump()).length, 2 * names.length - 2);
  });

  it('a url redis+cluster:// names nodes, in any case, and for Valkey', async () => {
    const hosts = ctx.cluster.servers.map(({ port }) => `127.0.0.1:${port}`).join(',');
    for (const scheme of ['redis+cluster', 'VALKEY+CLUSTER']) {
      const service = create({ url: `${scheme}://${hosts}/0` });
      await ok(service, 'start');
      await ok(service, 'add', 'by-url', 'u', 's1');
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'by-url', 's1'), ['u']);
    }
  });

  it("nodes without a host name are announced as '?': start says which setting is missing", async () => {
    const prefer = (type) =>
      Promise.all(
        ctx.cluster.alive.map((server) =>
          server.run(0, 'config', 'set', 'cluster-preferred-endpoint-type', type),
        ),
      );
    await prefer('hostname');
    try {
      const { err } = await call(create(ctx.cluster.options({ startTimeout: 1000 })), 'start');
      assert.strictEqual(err && err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
      assert.match(String(err.cause), /announced as '\?': .*cluster-announce-hostname is not set/);
    } finally {
      await prefer('ip');
    }
  });

  for (const hashTag of [false, true]) {
    it(`calls of one tick take effect in call order (hashTag: ${hashTag})`, async () => {
      const service = await ctx.connected({ cache: false, hashTag });
      const calls = [];
      for (let i = 0; i < 300; i += 1) {
        calls.push(call(service, i % 3 === 2 ? 'leave' : 'add', `r${i % 7}`, `u${i % 5}`, 's1'));
        calls.push(call(service, 'getMembersBySid', `r${i % 7}`, 's1'));
        calls.push(call(service, 'getCountBySid', `r${i % 7}`, 's1'));
      }
      const model = Array.from({ length: 7 }, () => new Set());
      const answers = await Promise.all(calls);
      for (let i = 0; i < 300; i += 1) {
        const members = model[i % 7];
        members[i % 3 === 2 ? 'delete' : 'add'](`u${i % 5}`);
        assert.deepStrictEqual(answers[3 * i + 1].value.sort(), [...members].sort(), `read ${i}`);
        assert.strictEqual(answers[3 * i + 2].value, members.size, `count ${i}`);
      }
    });
  }

  for (const hashTag of [false, true]) {
    it(`random histories are those of a model (hashTag: ${hashTag})`, async () => {
      const service = () => ctx.connected({ cache: false, hashTag }, modelApp());
      await checkModel([await service(), await service()], 40);
    });
  }

  for (const hashTag of [false, true]) {
    it(`random histories with an index of members are those of a model (hashTag: ${hashTag})`, async () => {
      const opts = { cache: false, hashTag, membership: 'session' };
      const service = () => ctx.connected(opts, modelApp());
      await checkModel([await service(), await service()], 40);
    });
  }

  it('an error concerns its key only, with the message of the node', async () => {
    const service = await ctx.connected();
    const key = 'POMELO:CHANNEL:odd:s1';
    await (await ctx.cluster.owner(key)).run(0, 'set', key, 'no set');
    const answers = await Promise.all([
      call(service, 'add', 'fine', 'u', 's1'),
      call(service, 'add', 'odd', 'u', 's1'),
      call(service, 'getMembersBySid', 'odd', 's1'),
      call(service, 'getMembersBySid', 'fine', 's1'),
    ]);
    for (const { err } of answers.slice(1, 3)) {
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_STORE');
      assert.match(err.message, /^WRONGTYPE /);
    }
    assert.ifError(answers[0].err);
    assert.deepStrictEqual(answers[3].value, ['u']);
  });

  it('with hashTag all keys of a channel are in one slot', async () => {
    const service = await ctx.connected({ hashTag: true, prefix: 'TAGGED' });
    for (const sid of ['s1', 's2', 's3']) await ok(service, 'add', 'room', sid, sid);
    const keys = ['TAGGED:{room}:s1', 'TAGGED:{room}:s2', 'TAGGED:{room}:s3'];
    assert.deepStrictEqual(Object.keys(await ctx.cluster.dump()).sort(), keys);
    const slots = await Promise.all(
      keys.map((key) => ctx.cluster.servers[0].run(0, 'cluster', 'keyslot', key)),
    );
    assert.strictEqual(new Set(slots).size, 1);
    const members = await ok(service, 'getMembersByChannelName', 'connector', 'room');
    assert.deepStrictEqual(members.sort(), ['s1', 's2', 's3']);
    await ok(service, 'clean');
    assert.deepStrictEqual(await ctx.cluster.dump(), {});
  });

  it('a batch does not wait for the answers to those before it, and the order of a key is kept', async () => {
    const service = await ctx.connected();
    await ok(service, 'add', 'room', 'u', 's1');
    await ctx.cluster.all('client', 'pause', 1500, 'all');
    const before = service.stats().batches;
    const answers = [];
    // Each in a turn of its own, and so in a batch of its own.
    for (let i = 0; i < 5; i += 1) {
      answers.push(ok(service, i % 2 ? 'leave' : 'add', 'room', `v${i - (i % 2)}`, 's1'));
      answers.push(ok(service, 'getMembersBySid', 'room', 's1'));
      await pause(20);
    }
    // With one at a time there would be two: the first, and one of all that came meanwhile.
    await until(() => service.stats().batches - before >= 5, 'all of them to be sent');
    const lists = (await Promise.all(answers)).filter((_, i) => i % 2);
    const expected = [['u', 'v0'], ['u'], ['u', 'v2'], ['u'], ['u', 'v4']];
    assert.deepStrictEqual(
      lists.map((list) => list.sort()),
      expected,
    );
  });

  it('clean removes the channels of its prefix on all nodes, and nothing else', async () => {
    const service = await ctx.connected({ prefix: 'P' });
    const other = await ctx.connected({ prefix: 'P2' });
    const names = Array.from({ length: 200 }, (_, i) => `room ${i}`);
    await Promise.all(names.map((name) => ok(service, 'add', name, 'u', 's1')));
    await Promise.all(names.map((name) => ok(other, 'add', name, 'u', 's1')));
    await (await ctx.cluster.owner('P:text:s1')).run(0, 'set', 'P:text:s1', 'no set');
    const lines = await logged(() => ok(service, 'clean'));
    assert.strictEqual(lines.filter((line) => /clean removed 200 channels/.test(line)).length, 1);
    const left = names.map((name) => `P2:${name}:s1`);
    assert.deepStrictEqual(await ctx.cluster.keys(), ['P:text:s1', ...left].sort());
    const cleaning = await ctx.connected({ prefix: 'P2', cleanOnStartUp: true });
    assert.deepStrictEqual(await ctx.cluster.keys(), ['P:text:s1']);
    await ok(cleaning, 'add', 'room', 'u', 's1');
  });

  it('a seed that is dead, or silent, delays the start only a little', async () => {
    const silent = net.createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const closed = await redisServer.freePort();
    const seeds = [{ port: closed }, silent.address(), ctx.cluster.servers[4]];
    try {
      // In the first attempt, whichever node that begins with.
      const attempts = { max_attempts: 1 };
      const service = await started({ options: () => ctx.cluster.options(attempts, seeds) });
      await ok(service, 'add', 'room', 'u', 's1');
      const texts = seeds.map(({ port }) => `127.0.0.1:${port}`);
      const other = await started({ options: () => ({ cluster: texts, ...attempts }) });
      assert.deepStrictEqual(await ok(other, 'getMembersBySid', 'room', 's1'), ['u']);
    } finally {
      silent.close();
    }
  });

  it('a silent node is detected, although the others answer and no call goes to it', async () => {
    const [{ server: silent }, { server: other }] = await ctx.cluster.primaries();
    const wire = await proxy(silent.port);
    const announced = (port) => async () => {
      const views = await ctx.cluster.all('cluster', 'slots');
      return views.every((slots) => slots.some(([, , [, primary]]) => primary === port));
    };
    try {
      await silent.run(0, 'config', 'set', 'cluster-announce-port', wire.port);
      await until(announced(wire.port), 'all to hear of its port', 60000);
      const service = await started({ options: () => ctx.cluster.options({}, [other]) });
      const before = wire.times.length;
      assert.ok(before > 0, 'it is connected to');
      const since = performance.now();
      for (const { client, server } of wire.links) {
        client.pause();
        server.pause();
      }
      const mine = [];
      for (const key of KEYS) {
        if ((await ctx.cluster.owner(key)) === other) mine.push(key.split(':').slice(2));
      }
      assert.ok(mine.length > 0);
      const talking = setInterval(() => service.getMembersBySid(...mine[0], () => {}), 200);
      await until(() => wire.times.length > before, 'another connection', 20000);
      clearInterval(talking);
      const ms = Math.round(wire.times[before] - since);
      const fault = 'half-open connection to one node, the others are in use';
      report({ topic: 'Redis Cluster', fault, sees: 'nothing', recovered: `found after ${ms} ms` });
    } finally {
      await silent.run(0, 'config', 'set', 'cluster-announce-port', 0);
      await until(announced(silent.port), 'all to hear of its port', 60000);
      await wire.close();
    }
  });

  it('without any node start fails, and names the addresses', async () => {
    const seeds = [{ port: await redisServer.freePort() }, { port: await redisServer.freePort() }];
    const { err } = await call(create(ctx.cluster.options({ startTimeout: 300 }, seeds)), 'start');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
    const [one, two] = seeds.map(({ port }) => `127.0.0.1:${port}`);
    assert.strictEqual(err.message, `cannot reach Redis Cluster at ${one}, ${two}`);
    assert.match(err.cause.message || err.cause, /node 127\.0\.0\.1:\d+: .*refused/);
  });

  it('options that cannot be used are refused by the constructor, by name', () => {
    const code = 'ERR_GLOBAL_CHANNEL_INVALID_OPTION';
    const refused = (opts, message) => assert.throws(() => create(opts), { code, message });
    refused(
      { cluster: [{ host: 'h' }, { host: 'h', port: 'x' }] },
      /^option cluster\[1\]\.port is "x"/,
    );
    refused({ cluster: [{ port: 7000, host: 5 }] }, /^option cluster\[0\]\.host is 5/);
    refused({ cluster: ['h:7000'], port: 7000 }, /^options cluster and port exclude each other/);
    refused(
      { cluster: ['h:7000'], hashTag: 'yes' },
      /^option hashTag is "yes"; accepted is true or false/,
    );
    refused(
      { store: 'embedded', path: 'f', cluster: ['h'] },
      /^option cluster is for store 'redis'/,
    );
  });

  it('a database that the nodes do not have makes start fail, and says which clusters have it', async () => {
    const { err } = await call(create(ctx.cluster.options({ db: 2 })), 'start');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_STORE');
    assert.match(err.message, /SELECT is not allowed in cluster mode \(option db: .*Valkey 9/);
  });

  it('a Redis that is not a cluster makes start fail', async () => {
    const single = await redisServer.start();
    try {
      const { err } = await call(create(ctx.cluster.options({}, [single])), 'start');
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_STORE');
      assert.match(err.message, /^node 127.*: ERR This instance has cluster support disabled/);
    } finally {
      await single.stop();
    }
  });

  it('a user with the least rights is enough; a wrong password fails at start', async () => {
    const rights = ['+sadd', '+srem', '+smembers', '+unlink', '+scan', '+type', '+select', '+info'];
    const clusterRights = ['+asking', '+cluster|slots', '+cluster|nodes'];
    const more = ['+client|id', '+client|kill', ...clusterRights];
    await ctx.cluster.all(
      'acl',
      'setuser',
      'gc',
      'on',
      '>right',
      '~POMELO:CHANNEL:*',
      ...rights,
      ...more,
    );
    const user = { username: 'gc', password: 'right' };
    const service = await ctx.connected(user);
    const flight = new Flight(service);
    const nodes = (await ctx.cluster.primaries()).map(({ server }) => server);
    const move = async () => {
      for (const to of nodes) await ctx.cluster.moveSlotOf(KEYS[0], to, () => pause(15));
      await ok(service, 'clean');
    };
    await during(flight, move());
    await flight.answered();
    flight.check();
    const wrong = await call(create(ctx.cluster.options({ ...user, password: 'wrong' })), 'start');
    assert.strictEqual(wrong.err.code, 'ERR_GLOBAL_CHANNEL_STORE');
    assert.match(wrong.err.message, /^node 127.*: WRONGPASS /);
  });
});
