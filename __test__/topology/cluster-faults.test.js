'use strict';

/**
 * A real Redis Cluster under load while slots move, nodes come and go, and primaries die or hang: every callback once, in call
 * order, no error, and what was acknowledged and replicated is there in the end. (Replication is asynchronous: what a
 * primary acknowledged just before it died may be lost with it, so that is not checked after a crash.) CLUSTER_ROUNDS=n
 * runs the faults n times.
 */

const assert = require('node:assert');
const { it } = require('node:test');
const { Flight } = require('../faults/flight');
const { ok } = require('../support/call');
const { checkModel, modelApp } = require('../support/model');
const { report } = require('../support/report');
const { pause, until } = require('../support/until');
const { KEYS, PATIENT, during, onFailingCluster } = require('./on-cluster');

/** The row of a fault under which all calls of a flight succeeded. */
function waited(fault, flight) {
  const slowest = Math.max(...flight.times());
  const sees = `calls are done, in their order; the slowest took ${slowest} ms`;
  report({ topic: 'Redis Cluster', fault, sees, recovered: 'meanwhile' });
}

const ROUNDS = Number(process.env.CLUSTER_ROUNDS) || 1;

onFailingCluster('a Redis Cluster while it changes', 120000 * ROUNDS, (ctx) => {
  it('random commands have the results of a model', async () => {
    const service = await ctx.connected(PATIENT);
    const flight = new Flight(service, Date.now() % 100000);
    for (let i = 0; i < 20; i += 1) {
      flight.send(100);
      await pause(5);
    }
    await flight.answered();
    await flight.check().checkStore(ctx.cluster);
  });

  it('answers, counts and pushes are those of a model while slots move', async () => {
    const service = await ctx.connected(PATIENT, modelApp());
    const nodes = (await ctx.cluster.primaries()).map(({ server }) => server);
    const keys = ['a', 'ü:1', '__proto__', '7'].flatMap((name) =>
      ['s1', 's2', 's3'].map((sid) => `POMELO:CHANNEL:${name}:${sid}`),
    );
    const before = await ctx.cluster.errors();
    const move = async () => {
      for (const to of nodes.slice(0, 2)) {
        for (const key of keys) await ctx.cluster.moveSlotOf(key, to, () => pause(15));
      }
    };
    const moving = move();
    moving.catch(() => {});
    await checkModel([service], Number(process.env.MODEL_RUNS) || 100);
    await moving;
    const after = await ctx.cluster.errors();
    // A page of channels learns of moved slots by itself, so MOVED may be rare.
    const redirects = ({ MOVED = 0, ASK = 0, TRYAGAIN = 0 }) => MOVED + ASK + TRYAGAIN;
    assert.ok(redirects(after) > redirects(before), 'slots moved under some commands');
    assert.strictEqual(service.stats().reconnects, 0);
  });

  it('a channel whose slot is being moved can be used in every state of the move', async () => {
    const service = await ctx.connected(PATIENT);
    const nodes = (await ctx.cluster.primaries()).map(({ server }) => server);
    let count = 0;
    const use = async () => {
      const uid = `u${(count += 1)}`;
      await ok(service, 'add', 'c0', uid, 's1');
      assert.deepStrictEqual(await ok(service, 'getMembersBySid', 'c0', 's1'), [uid]);
      await ok(service, count % 2 ? 'leave' : 'add', 'c0', uid, 's1');
      await ok(service, 'destroyChannel', 'c0');
    };
    for (const to of nodes) {
      await ctx.cluster.moveSlotOf(KEYS[0], to, use);
      await ok(service, 'add', 'c0', ['a', 'b'], 's1');
      await ctx.cluster.moveSlotOf(KEYS[0], nodes[0], () => pause(1));
      assert.strictEqual((await ok(service, 'getMembersBySid', 'c0', 's1')).length, 2);
      await ok(service, 'destroyChannel', 'c0');
    }
    assert.ok(count >= 4, 'it was used while slots moved');
  });

  for (let round = 1; round <= ROUNDS; round += 1) {
    it(`slots move key by key while their channels are in use (${round})`, async () => {
      const service = await ctx.connected(PATIENT);
      const flight = new Flight(service, Date.now() % 100000);
      const before = await ctx.cluster.errors();
      const nodes = (await ctx.cluster.primaries()).map(({ server }) => server);
      const move = async () => {
        for (const to of nodes.slice(0, 2)) {
          for (const key of KEYS) await ctx.cluster.moveSlotOf(key, to, () => pause(15));
        }
      };
      await during(flight, move());
      await flight.answered();
      await flight.check().checkStore(ctx.cluster);
      const after = await ctx.cluster.errors();
      assert.ok(after.MOVED > (before.MOVED || 0), 'some commands came after a slot had moved');
      assert.ok(after.ASK > (before.ASK || 0), 'some came while it was moving');
      assert.strictEqual(service.stats().reconnects, 0);
      assert.deepStrictEqual(service.stats().errors, {});
      waited('slots move key by key', flight);
    });

    it(`redis-cli moves slots to a new node and back under load, and the node leaves (${round})`, async () => {
      const service = await ctx.connected(PATIENT);
      const flight = new Flight(service, Date.now() % 100000);
      await during(
        flight,
        (async () => {
          const added = await ctx.cluster.add();
          const [from] = await ctx.cluster.primaries();
          const to = (await ctx.cluster.nodes()).find(({ server }) => server === added);
          await ctx.cluster.reshard(from, to, 200);
          for (const key of KEYS) await ctx.cluster.moveSlotOf(key, added, () => pause(1));
          await ctx.cluster.settled(4);
          const [has] = (await ctx.cluster.primaries()).filter(({ server }) => server === added);
          await ctx.cluster.reshard(has, from, 200 + KEYS.length);
          await ctx.cluster.settled(3);
          await ctx.cluster.remove(added);
        })(),
      );
      await flight.answered();
      await flight.check().checkStore(ctx.cluster);
      assert.strictEqual(service.stats().reconnects, 0);
      assert.deepStrictEqual(service.stats().errors, {});
      waited('redis-cli --cluster reshard to a new node and back; the node leaves', flight);
    });

    it(`a node that is first heard of by ASK is connected once (${round})`, async () => {
      const added = await ctx.cluster.add();
      await ctx.cluster.settled();
      const services = [
        await ctx.connected(PATIENT),
        await ctx.connected({ ...PATIENT, cache: false }),
      ];
      await ok(services[0], 'add', 'c0', 'u', 's1');
      const ask = async () => {
        for (const service of services) {
          for (let i = 0; i < 8; i += 1) {
            const asked = [0, 1, 2].map(() => ok(service, 'getMembersBySid', 'c0', 's1'));
            for (const uids of await Promise.all(asked)) assert.deepStrictEqual(uids, ['u']);
            await ok(service, 'add', 'c0', 'u', 's1');
          }
        }
      };
      await ctx.cluster.moveSlotOf(KEYS[0], added, ask);
      for (const service of services) assert.strictEqual(service.stats().reconnects, 0);
      await ctx.cluster.settled(4);
      const primaries = await ctx.cluster.primaries();
      const has = primaries.find(({ server }) => server === added);
      await ctx.cluster.reshard(
        has,
        primaries.find(({ server }) => server !== added),
        1,
      );
      await ctx.cluster.settled(3);
      await ctx.cluster.remove(added);
    });

    it(`clean removes everything while keys move (${round})`, async () => {
      const service = await ctx.connected({ ...PATIENT, hashTag: true });
      const sids = Array.from({ length: 5000 }, (_, i) => `s${i}`);
      await Promise.all(sids.map((sid) => ok(service, 'add', 'room', 'u', sid)));
      const key = 'POMELO:CHANNEL:{room}:s0';
      const owner = await ctx.cluster.owner(key);
      const to = (await ctx.cluster.primaries()).find(({ server }) => server !== owner).server;
      let left;
      const moving = ctx.cluster.moveSlotOf(key, to, () => pause(1), 20);
      await until(async () => (left = (await owner.keys()).length) < 4900, 'keys that moved');
      await ok(service, 'clean');
      assert.ok(left > 1000, 'most had not moved');
      await moving;
      assert.deepStrictEqual(await ctx.cluster.keys(), []);
      await ctx.cluster.moveSlotOf(key, owner, () => pause(1));
    });

    it(`a primary hands over to its replica under load, and nothing is lost (${round})`, async () => {
      const service = await ctx.connected(PATIENT);
      const flight = new Flight(service, Date.now() % 100000);
      await during(
        flight,
        (async () => {
          await pause(100);
          const replica = await ctx.cluster.handOver(await ctx.cluster.owner(KEYS[0]));
          await until(
            async () => (await ctx.cluster.owner(KEYS[0])) === replica,
            'the new primary',
          );
          await ctx.cluster.settled();
        })(),
      );
      await flight.answered();
      await flight.check().checkStore(ctx.cluster);
      assert.deepStrictEqual(service.stats().errors, {});
      waited('CLUSTER FAILOVER', flight);
    });

    const faults = {
      dies: [(server) => server.kill(), (server) => server.up()],
      hangs: [(server) => ctx.cluster.pause(server), (server) => ctx.cluster.resume(server)],
    };
    for (const [what, [fault, end]] of Object.entries(faults)) {
      it(`a primary ${what} under load, and its replica takes over (${round})`, async () => {
        const service = await ctx.connected(PATIENT);
        const kept = new Flight(service, Date.now() % 100000);
        await kept.send(500).answered();
        await ctx.cluster.replicated();
        const victim = await ctx.cluster.owner(KEYS[0]);
        const other = await ctx.connected({ ...PATIENT, prefix: 'LOAD' });
        const load = new Flight(other, Date.now() % 100000);
        await during(
          load,
          (async () => {
            await pause(200);
            await fault(victim);
            await until(
              async () => (await ctx.cluster.owner(KEYS[0])) !== victim,
              'the new primary',
              60000,
            );
          })(),
        );
        // Not when the old one comes back, or the time is over.
        await load.answered();
        load.check();
        await kept.checkStore(ctx.cluster);
        await kept.send(200).answered();
        await kept.check().checkStore(ctx.cluster);

        await end(victim);
        await ctx.cluster.settled();
        await kept.send(200).answered();
        await kept.check().checkStore(ctx.cluster);
        for (const each of [service, other]) assert.deepStrictEqual(each.stats().errors, {});
        waited(`a primary ${what}, its replica takes over`, load);
      });
    }
  }

  // The last one: a replica does not forget that its primary once lacked a slot.
  it('calls that a node refuses while the cluster is down wait', async () => {
    const service = await ctx.connected(PATIENT);
    const flight = new Flight(service, Date.now() % 100000);
    const before = (await ctx.cluster.errors()).CLUSTERDOWN || 0;
    const server = await ctx.cluster.owner(KEYS[0]);
    await during(
      flight,
      ctx.cluster.down(server, () => pause(700)),
    );
    await flight.answered();
    await flight.check().checkStore(ctx.cluster);
    assert.ok((await ctx.cluster.errors()).CLUSTERDOWN > before, 'it was down');
    assert.deepStrictEqual(service.stats().errors, {});
    waited('the cluster is down for 0.7 s (CLUSTERDOWN)', flight);
  });
});
