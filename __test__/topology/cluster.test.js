'use strict';

/**
 * Option `cluster`: a real Redis Cluster of three primaries and three replicas, at work while slots move, nodes come
 * and go, primaries die or hang. Whatever happens: every callback once, in call order, no error, and what was
 * acknowledged and had been replicated is there in the end. (Replication is asynchronous: what a primary
 * acknowledged in its last moments may be lost with it, so that is not looked at after a crash.)
 * CLUSTER_ROUNDS=n does the faults n times.
 */

const assert = require('node:assert');
const { once } = require('node:events');
const net = require('node:net');
const { describe, it, before, after, afterEach } = require('node:test');
const { Flight } = require('../faults/flight');
const { createApp, pushed } = require('../support/app');
const { call, ok } = require('../support/call');
const clusters = require('../support/cluster');
const { logged } = require('../support/log');
const redisServer = require('../support/redis');
const { create, started, stopAll } = require('../support/service');
const { pause, until } = require('../support/until');

const ROUNDS = Number(process.env.CLUSTER_ROUNDS) || 1;
const TIMEOUT = 120000 * ROUNDS;

/** Longer than any failover on any machine: what is not answered by then hangs. */
const PATIENT = { commandTimeout: 60000, retry_max_delay: 200 };

/** The keys of Flight's channels. */
const KEYS = ['c0', 'c1', 'c2', 'c3', 'c4'].flatMap((name) =>
  ['s1', 's2', 's3'].map((sid) => `POMELO:CHANNEL:${name}:${sid}`),
);

/** Random commands, a few at a time, until `work` is done. */
async function during(flight, work) {
  const state = { working: true };
  const working = Promise.resolve(work).finally(() => (state.working = false));
  working.catch(() => {});
  while (state.working) {
    flight.send(20);
    await pause(10);
  }
  return working;
}

describe('a Redis Cluster', { timeout: TIMEOUT }, () => {
  let cluster;
  const connected = (more, app) => started(cluster, more, app);

  before(async () => {
    cluster = await clusters.start();
  });
  afterEach(async () => {
    await stopAll();
    if (cluster) await cluster.empty();
  });
  after(() => cluster && cluster.close());

  it('channels are where 0.0.7 puts them, and the methods do what they do on one Redis', async () => {
    const app = createApp();
    const service = await connected({}, app);
    const names = Array.from({ length: 20 }, (_, i) => `room ${i}`);
    await Promise.all(names.map((name) => ok(service, 'add', name, ['u', 'v'], 's1')));
    await Promise.all(names.map((name) => ok(service, 'add', name, 'w', 's2')));
    const expected = names.flatMap((name) => [
      [`POMELO:CHANNEL:${name}:s1`, ['u', 'v']],
      [`POMELO:CHANNEL:${name}:s2`, ['w']],
    ]);
    assert.deepStrictEqual(await cluster.dump(), Object.fromEntries(expected.sort()));
    const used = await Promise.all((await cluster.primaries()).map(({ server }) => server.keys()));
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
    assert.strictEqual(Object.keys(await cluster.dump()).length, 2 * names.length - 2);
  });

  it('calls of one tick take effect in call order', async () => {
    const service = await connected({ cache: false });
    const calls = [];
    for (let i = 0; i < 300; i += 1) {
      calls.push(call(service, i % 3 === 2 ? 'leave' : 'add', `r${i % 7}`, `u${i % 5}`, 's1'));
      calls.push(call(service, 'getMembersBySid', `r${i % 7}`, 's1'));
    }
    const model = Array.from({ length: 7 }, () => new Set());
    const answers = await Promise.all(calls);
    for (let i = 0; i < 300; i += 1) {
      model[i % 7][i % 3 === 2 ? 'delete' : 'add'](`u${i % 5}`);
      assert.deepStrictEqual(
        answers[2 * i + 1].value.sort(),
        [...model[i % 7]].sort(),
        `read ${i}`,
      );
    }
  });

  it('an error is that of its key alone, in the words of the node', async () => {
    const service = await connected();
    const key = 'POMELO:CHANNEL:odd:s1';
    await (await cluster.owner(key)).run(0, 'set', key, 'no set');
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
    const service = await connected({ hashTag: true, prefix: 'TAGGED' });
    for (const sid of ['s1', 's2', 's3']) await ok(service, 'add', 'room', sid, sid);
    const keys = ['TAGGED:{room}:s1', 'TAGGED:{room}:s2', 'TAGGED:{room}:s3'];
    assert.deepStrictEqual(Object.keys(await cluster.dump()).sort(), keys);
    const slots = await Promise.all(
      keys.map((key) => cluster.servers[0].run(0, 'cluster', 'keyslot', key)),
    );
    assert.strictEqual(new Set(slots).size, 1);
    const members = await ok(service, 'getMembersByChannelName', 'connector', 'room');
    assert.deepStrictEqual(members.sort(), ['s1', 's2', 's3']);
    await ok(service, 'clean');
    assert.deepStrictEqual(await cluster.dump(), {});
  });

  it('the member cache is off, and stats() and the log say why', async () => {
    const lines = await logged(async () => {
      const service = await connected();
      const other = await connected({ cache: false });
      for (let i = 0; i < 5; i += 1) {
        await ok(other, 'add', 'room', `u${i}`, 's1');
        assert.strictEqual((await ok(service, 'getMembersBySid', 'room', 's1')).length, i + 1);
      }
      const { enabled, reason, hits } = service.stats().cache;
      assert.deepStrictEqual([enabled, hits], [false, 0]);
      assert.match(reason, /Redis Cluster/);
      assert.match(other.stats().cache.reason, /option cache is false/);
    });
    assert.strictEqual(
      lines.filter((line) => /the member cache is off: .*Cluster/.test(line)).length,
      1,
    );
  });

  it('clean removes the channels of its prefix on all nodes, and nothing else', async () => {
    const service = await connected({ prefix: 'P' });
    const other = await connected({ prefix: 'P2' });
    const names = Array.from({ length: 200 }, (_, i) => `room ${i}`);
    await Promise.all(names.map((name) => ok(service, 'add', name, 'u', 's1')));
    await Promise.all(names.map((name) => ok(other, 'add', name, 'u', 's1')));
    await (await cluster.owner('P:text:s1')).run(0, 'set', 'P:text:s1', 'no set');
    await ok(service, 'clean');
    const left = names.map((name) => `P2:${name}:s1`);
    assert.deepStrictEqual(await cluster.keys(), ['P:text:s1', ...left].sort());
    const cleaning = await connected({ prefix: 'P2', cleanOnStartUp: true });
    assert.deepStrictEqual(await cluster.keys(), ['P:text:s1']);
    await ok(cleaning, 'add', 'room', 'u', 's1');
  });

  it('a seed that is dead, or silent, costs little', async () => {
    const silent = net.createServer(() => {}).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const closed = await redisServer.freePort();
    const seeds = [{ port: closed }, silent.address(), cluster.servers[4]];
    try {
      // In the first attempt, whichever node that begins with.
      const attempts = { max_attempts: 1 };
      const service = await started({ options: () => cluster.options(attempts, seeds) });
      await ok(service, 'add', 'room', 'u', 's1');
      const texts = seeds.map(({ port }) => `127.0.0.1:${port}`);
      const other = await started({ options: () => ({ cluster: texts, ...attempts }) });
      assert.deepStrictEqual(await ok(other, 'getMembersBySid', 'room', 's1'), ['u']);
    } finally {
      silent.close();
    }
  });

  it('without any node start fails, and says where it looked', async () => {
    const seeds = [{ port: await redisServer.freePort() }, { port: await redisServer.freePort() }];
    const { err } = await call(create(cluster.options({ startTimeout: 300 }, seeds)), 'start');
    assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_UNREACHABLE');
    const [one, two] = seeds.map(({ port }) => `127.0.0.1:${port}`);
    assert.strictEqual(err.message, `cannot reach Redis Cluster at ${one}, ${two}`);
    assert.match(err.cause.message || err.cause, /node 127\.0\.0\.1:\d+: .*refused/);
  });

  it('what cannot be used is refused by the constructor, by its name', () => {
    const code = 'ERR_GLOBAL_CHANNEL_INVALID_OPTION';
    const refused = (opts, message) => assert.throws(() => create(opts), { code, message });
    refused(
      { cluster: [{ host: 'h' }, { host: 'h', port: 'x' }] },
      /^option cluster\[1\]\.port is "x"/,
    );
    refused({ cluster: [{ port: 7000, host: 5 }] }, /^option cluster\[0\]\.host is 5/);
    refused({ cluster: [], prefix: 'P' }, /^option cluster is \[\]/);
    refused({ cluster: ['h:7000'], port: 7000 }, /^options cluster and port exclude each other/);
    refused(
      { cluster: ['h:7000'], db: 2 },
      /^option db is 2; accepted is 0, because a Redis Cluster/,
    );
    refused(
      { cluster: ['h:7000'], hashTag: 'yes' },
      /^option hashTag is "yes"; accepted is true or false/,
    );
    refused(
      { store: 'embedded', path: 'f', cluster: ['h'] },
      /^option cluster is for store 'redis'/,
    );
  });

  it('a Redis that is no cluster says so at start', async () => {
    const single = await redisServer.start();
    try {
      const { err } = await call(create(cluster.options({}, [single])), 'start');
      assert.strictEqual(err.code, 'ERR_GLOBAL_CHANNEL_STORE');
      assert.match(err.message, /^node 127.*: ERR This instance has cluster support disabled/);
    } finally {
      await single.stop();
    }
  });

  it('a user with no more rights than it takes is enough; a wrong password fails at start', async () => {
    const rights = ['+sadd', '+srem', '+smembers', '+unlink', '+scan', '+type', '+select', '+info'];
    const clusterRights = ['+asking', '+cluster|slots', '+cluster|nodes'];
    const more = ['+client|id', '+client|kill', ...clusterRights];
    await cluster.all(
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
    const service = await connected(user);
    const flight = new Flight(service);
    const nodes = (await cluster.primaries()).map(({ server }) => server);
    const move = async () => {
      for (const to of nodes) await cluster.moveSlotOf(KEYS[0], to, () => pause(15));
      await ok(service, 'clean');
    };
    await during(flight, move());
    await flight.answered();
    flight.check();
    const wrong = await call(create(cluster.options({ ...user, password: 'wrong' })), 'start');
    assert.strictEqual(wrong.err.code, 'ERR_GLOBAL_CHANNEL_STORE');
    assert.match(wrong.err.message, /^node 127.*: WRONGPASS /);
  });

  it('random commands leave what a model says', async () => {
    const service = await connected(PATIENT);
    const flight = new Flight(service, Date.now() % 100000);
    for (let i = 0; i < 20; i += 1) {
      flight.send(100);
      await pause(5);
    }
    await flight.answered();
    await flight.check().checkStore(cluster);
  });

  it('a channel whose slot is on its way can be used in every state of that', async () => {
    const service = await connected(PATIENT);
    const nodes = (await cluster.primaries()).map(({ server }) => server);
    let count = 0;
    const use = async () => {
      const uid = `u${(count += 1)}`;
      await ok(service, 'add', 'c0', uid, 's1');
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'c0', 's1'), [uid]);
      await ok(service, count % 2 ? 'leave' : 'add', 'c0', uid, 's1');
      await ok(service, 'destroyChannel', 'c0');
    };
    for (const to of nodes) {
      await cluster.moveSlotOf(KEYS[0], to, use);
      await ok(service, 'add', 'c0', ['a', 'b'], 's1');
      await cluster.moveSlotOf(KEYS[0], nodes[0], () => pause(1));
      assert.strictEqual((await ok(service, 'getMembersBySid', 'c0', 's1')).length, 2);
      await ok(service, 'destroyChannel', 'c0');
    }
    assert.ok(count >= 4, 'it was used while slots moved');
  });

  for (let round = 1; round <= ROUNDS; round += 1) {
    it(`slots move key by key while their channels are in use (${round})`, async () => {
      const service = await connected(PATIENT);
      const flight = new Flight(service, Date.now() % 100000);
      const before = await cluster.errors();
      const nodes = (await cluster.primaries()).map(({ server }) => server);
      const move = async () => {
        for (const to of nodes.slice(0, 2)) {
          for (const key of KEYS) await cluster.moveSlotOf(key, to, () => pause(15));
        }
      };
      await during(flight, move());
      await flight.answered();
      await flight.check().checkStore(cluster);
      const after = await cluster.errors();
      assert.ok(after.MOVED > (before.MOVED || 0), 'some commands came after a slot had moved');
      assert.ok(after.ASK > (before.ASK || 0), 'some came while it was moving');
      assert.strictEqual(service.stats().reconnects, 0);
      assert.deepStrictEqual(service.stats().errors, {});
    });

    it(`redis-cli moves slots to a new node and back under load, and the node leaves (${round})`, async () => {
      const service = await connected(PATIENT);
      const flight = new Flight(service, Date.now() % 100000);
      await during(
        flight,
        (async () => {
          const added = await cluster.add();
          const [from] = await cluster.primaries();
          const to = (await cluster.nodes()).find(({ server }) => server === added);
          await cluster.reshard(from, to, 200);
          for (const key of KEYS) await cluster.moveSlotOf(key, added, () => pause(1));
          await cluster.settled(4);
          const [has] = (await cluster.primaries()).filter(({ server }) => server === added);
          await cluster.reshard(has, from, 200 + KEYS.length);
          await cluster.settled(3);
          await cluster.remove(added);
        })(),
      );
      await flight.answered();
      await flight.check().checkStore(cluster);
      assert.strictEqual(service.stats().reconnects, 0);
      assert.deepStrictEqual(service.stats().errors, {});
    });

    it(`clean removes all, though keys move meanwhile (${round})`, async () => {
      const service = await connected({ ...PATIENT, hashTag: true });
      const sids = Array.from({ length: 5000 }, (_, i) => `s${i}`);
      await Promise.all(sids.map((sid) => ok(service, 'add', 'room', 'u', sid)));
      const key = 'POMELO:CHANNEL:{room}:s0';
      const owner = await cluster.owner(key);
      const to = (await cluster.primaries()).find(({ server }) => server !== owner).server;
      let left;
      const moving = cluster.moveSlotOf(key, to, () => pause(1), 20);
      await until(async () => (left = (await owner.keys()).length) < 4900, 'keys that moved');
      await ok(service, 'clean');
      assert.ok(left > 1000, 'most had not moved');
      await moving;
      assert.deepStrictEqual(await cluster.keys(), []);
      await cluster.moveSlotOf(key, owner, () => pause(1));
    });

    it(`a primary hands over to its replica under load, and nothing is lost (${round})`, async () => {
      const service = await connected(PATIENT);
      const flight = new Flight(service, Date.now() % 100000);
      await during(
        flight,
        (async () => {
          await pause(100);
          const primary = await cluster.owner(KEYS[0]);
          const replica = await cluster.replicaOf(primary);
          await replica.run(0, 'cluster', 'failover');
          await until(async () => (await cluster.owner(KEYS[0])) === replica, 'the new primary');
          await cluster.settled();
        })(),
      );
      await flight.answered();
      await flight.check().checkStore(cluster);
      assert.deepStrictEqual(service.stats().errors, {});
    });

    const faults = {
      dies: [(server) => server.kill(), (server) => server.up()],
      hangs: [(server) => cluster.pause(server), (server) => cluster.resume(server)],
    };
    for (const [what, [fault, end]] of Object.entries(faults)) {
      it(`a primary ${what} under load, and its replica takes over (${round})`, async () => {
        const service = await connected(PATIENT);
        const kept = new Flight(service, Date.now() % 100000);
        await kept.send(500).answered();
        await cluster.replicated();
        const victim = await cluster.owner(KEYS[0]);
        const other = await connected({ ...PATIENT, prefix: 'LOAD' });
        const load = new Flight(other, Date.now() % 100000);
        await during(
          load,
          (async () => {
            await pause(200);
            await fault(victim);
            await until(
              async () => (await cluster.owner(KEYS[0])) !== victim,
              'the new primary',
              60000,
            );
          })(),
        );
        // Not when the old one comes back, or the time is over.
        await load.answered();
        load.check();
        await kept.checkStore(cluster);
        await kept.send(200).answered();
        await kept.check().checkStore(cluster);

        await end(victim);
        await cluster.settled();
        await kept.send(200).answered();
        await kept.check().checkStore(cluster);
        for (const each of [service, other]) assert.deepStrictEqual(each.stats().errors, {});
      });
    }
  }

  // The last one: a replica does not forget that its primary once lacked a slot.
  it('what a node refuses while the cluster is down waits', async () => {
    const service = await connected(PATIENT);
    const flight = new Flight(service, Date.now() % 100000);
    const before = (await cluster.errors()).CLUSTERDOWN || 0;
    const server = await cluster.owner(KEYS[0]);
    await during(
      flight,
      cluster.down(server, () => pause(700)),
    );
    await flight.answered();
    await flight.check().checkStore(cluster);
    assert.ok((await cluster.errors()).CLUSTERDOWN > before, 'it was down');
    assert.deepStrictEqual(service.stats().errors, {});
  });
});
