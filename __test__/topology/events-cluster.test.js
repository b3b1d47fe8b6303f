'use strict';

/**
 * Events of channels on a Redis Cluster: each change is one event, or there is a gap, while primaries die, hang and hand over,
 * slots move, nodes come and go, and connections are cut. A follower that reads at each gap has what the cluster has.
 */

const assert = require('node:assert');
const { it } = require('node:test');
const { call, ok } = require('../support/call');
const { logged } = require('../support/log');
const { CACHE, CHANNELS, CLUSTER } = require('../support/rights');
const { optionsOf } = require('../support/service');
const { pause, until } = require('../support/until');
const { frontendApp, startFrontend } = require('../sessions/frontend');
const { begun, Follower, record } = require('../events/follower');
const { lostConnections, severalWriters } = require('../events/histories');
const { change } = require('../events/writer');
const { PATIENT, onFailingCluster } = require('./on-cluster');

// On all nodes.
const NAMES = ['a', 'b', 'a:b'];
const SIDS = ['s1', 's2', 's3', 's4'];
const KEYS = NAMES.flatMap((name) => SIDS.map((sid) => `POMELO:CHANNEL:${name}:${sid}`));
const OPTIONS = { ...PATIENT, events: true, leaveDelay: 0 };
const PATIENCE = 60000;

onFailingCluster('events in a Redis Cluster', 240000, (ctx) => {
  /** A follower that has begun, and the reasons of its gaps. */
  async function following(options) {
    const service = await ctx.connected({ ...OPTIONS, ...options });
    const follower = new Follower(service, NAMES, SIDS, { hasLateEdges: true });
    follower.reasons = [];
    // For each channel what its last event of these was; they take turns.
    follower.turns = new Map();
    for (const event of ['occupied', 'vacated']) {
      follower.watch.on(event, ({ name }) => {
        const { turns } = follower;
        if (follower.isStrict && turns.has(name)) assert.notStrictEqual(turns.get(name), event);
        turns.set(name, event);
      });
    }
    follower.watch.on('gap', () => follower.turns.clear());
    follower.watch.on('gap', ({ reason }) => follower.reasons.push(reason));
    await until(() => follower.isThere(), 'the follower to begin', PATIENCE);
    return follower;
  }

  /** Until it has what the cluster has, and what it was told last of each channel is so. */
  async function settled(follower) {
    await until(() => follower.isThere(), 'the follower', PATIENCE);
    const has = (name) => [...follower.members].some((member) => member.startsWith(`${name} `));
    const isTrue = ([name, event]) => (event === 'occupied') === has(name);
    await until(() => [...follower.turns].every(isTrue), 'first and last members', PATIENCE);
  }

  /** Changes go on until `work` is done. */
  async function during(work, service) {
    const state = { isOver: false };
    const working = Promise.resolve(work).finally(() => (state.isOver = true));
    working.catch(() => {});
    while (!state.isOver) await change(service, 40, NAMES, SIDS);
    return working;
  }

  /** After a fault: the gaps it is told by have come, and what changes then is followed without another one. */
  async function follows(follower, service, count) {
    await until(() => follower.gaps >= count, 'the gaps', PATIENCE);
    // On a busy machine one of these may come late, and what is followed then is what comes after it.
    for (let rounds = 1; ; rounds += 1) {
      await settled(follower);
      const { gaps } = follower;
      follower.isStrict = true;
      await change(service, 200, NAMES, SIDS);
      await settled(follower);
      follower.isStrict = false;
      if (follower.gaps === gaps) return;
      assert.ok(rounds < 3, `gaps that do not end: ${follower.reasons}`);
    }
  }

  it('the events of channels on all nodes, by another process', async () => {
    const service = await ctx.connected(OPTIONS);
    const log = record(service.watch({ prefix: '' }));
    await begun(log);
    const other = await ctx.connected(OPTIONS);
    const many = Array.from({ length: 2500 }, (_, n) => `m${n}`);
    // What follows on another frontend is of another node, and might come before it.
    const vacated = (name, times) => {
      const isIt = ([event, told]) => event === 'vacated' && told.name === name;
      const isTold = () => log.filter(isIt).length === times;
      return until(isTold, `${name} to be vacated ${times} times`, PATIENCE);
    };
    for (const name of NAMES) {
      await ok(other, 'add', name, ['u', 'v', 'u'], 's1');
      await ok(other, 'add', name, ['v', 'w'], 's1');
      await ok(other, 'add', name, 'w', 's1');
      await ok(other, 'leave', name, ['u', 'x', 'v', 'w'], 's1');
      await ok(other, 'leave', name, 'u', 's1');
      await vacated(name, 1);
      await ok(other, 'add', name, many, 's2');
      await ok(other, 'leave', name, many.slice(1), 's2');
      await ok(other, 'destroyChannel', name);
      await vacated(name, 2);
      await ok(other, 'add', name, 'u', 's1');
    }
    await ok(other, 'clean');
    for (const name of NAMES) await vacated(name, 3);
    assert.strictEqual(log.length, 14 * NAMES.length);
    const isEdge = ([event]) => event === 'occupied' || event === 'vacated';
    for (const name of NAMES) {
      const all = log.filter(([, told]) => told.name === name);
      const own = all.filter((event) => !isEdge(event));
      const at = (n, reason = 'call') => ({ name, sid: `s${n}`, reason });
      assert.deepStrictEqual(
        own.filter(([, { sid }]) => sid === 's1'),
        [
          ['join', { ...at(1), uids: ['u', 'v'] }],
          ['join', { ...at(1), uids: ['w'] }],
          ['leave', { ...at(1), uids: ['u', 'v', 'w'] }],
          ['join', { ...at(1), uids: ['u'] }],
          ['destroy', { ...at(1, 'destroy'), count: 1 }],
        ],
      );
      assert.deepStrictEqual(
        own.filter(([, { sid }]) => sid === 's2'),
        [
          ['join', { ...at(2), uids: many }],
          ['leave', { ...at(2), uids: many.slice(1) }],
          ['destroy', { ...at(2, 'destroy'), count: 1 }],
        ],
      );
      // Each comes after its change, when the other frontends were looked at.
      assert.deepStrictEqual(all.filter(isEdge), [
        ['occupied', at(1)],
        ['vacated', at(1)],
        ['occupied', at(2)],
        ['vacated', at(2, 'destroy')],
        ['occupied', at(1)],
        ['vacated', at(1, 'destroy')],
      ]);
    }
  });

  it('each change of several processes is one event', async () => {
    const follower = await following();
    follower.isStrict = true;
    const options = { ...optionsOf(ctx.cluster), ...OPTIONS };
    const own = await ctx.connected(OPTIONS);
    await severalWriters(follower, own, options, settled);
    assert.strictEqual(follower.turns.size, NAMES.length);
  });

  it('a change that is sent again after a lost connection is one event', async () => {
    const follower = await following();
    follower.isStrict = true;
    const own = await ctx.connected(OPTIONS);
    await lostConnections(follower, own, () => cut(({ sub }) => sub === '0'), settled);
  });

  /** Ends connections of clients at all primaries, or at the first ones. */
  async function cut(which, count = 3) {
    for (const { server } of (await ctx.cluster.primaries()).slice(0, count)) {
      const clients = (await server.clients()).filter(which);
      await Promise.all(clients.map(({ id }) => server.run(0, 'client', 'kill', 'ID', id)));
    }
  }

  it('a subscription that is cut at one node is a gap', async () => {
    await logged(async () => {
      const follower = await following();
      const own = await ctx.connected(OPTIONS);
      for (let round = 1; round <= 3; round += 1) {
        const work = cut(({ sub }) => sub !== '0', 1).then(() => pause(200));
        await during(work, own);
        await follows(follower, own, round + 1);
      }
      assert.deepStrictEqual([...new Set(follower.reasons)], ['start', 'reconnect']);
    });
  });

  it('slots that move between nodes, with their keys', async () => {
    const follower = await following();
    const own = await ctx.connected(OPTIONS);
    const nodes = (await ctx.cluster.primaries()).map(({ server }) => server);
    const move = async () => {
      for (const to of nodes.slice(0, 2)) {
        for (const key of KEYS) await ctx.cluster.moveSlotOf(key, to, () => pause(15));
      }
    };
    await during(move(), own);
    await until(() => follower.reasons.includes('moved'), 'a gap', PATIENCE);
    await pause(7000);
    await follows(follower, own, 2);
    assert.deepStrictEqual([...new Set(follower.reasons)], ['start', 'moved']);
    assert.deepStrictEqual(own.stats().errors, {});
  });

  it('a new node gets slots, and leaves again', async () => {
    const follower = await following();
    const own = await ctx.connected(OPTIONS);
    const added = await ctx.cluster.add();
    await ctx.cluster.settled();
    const [old] = await ctx.cluster.primaries();
    const move = async () => {
      for (const key of KEYS) await ctx.cluster.moveSlotOf(key, added, () => pause(5));
    };
    await during(move(), own);
    await until(() => follower.reasons.includes('reconnect'), 'a gap', PATIENCE);
    await pause(7000);
    await follows(follower, own, 2);
    const [has] = (await ctx.cluster.primaries()).filter(({ server }) => server === added);
    await during(ctx.cluster.reshard(has, old, KEYS.length), own);
    await ctx.cluster.settled(3);
    await ctx.cluster.remove(added);
    await until(() => follower.reasons.length > 3, 'more gaps', PATIENCE);
    await pause(7000);
    await follows(follower, own, 4);
  });

  it('a primary hands over to its replica, and its connections stay', async () => {
    await logged(async () => {
      const follower = await following();
      const own = await ctx.connected(OPTIONS);
      const primary = await ctx.cluster.owner(KEYS[0]);
      await during(ctx.cluster.handOver(primary), own);
      // One when the replica is subscribed to, and one when no node answers as before any more.
      await follows(follower, own, 3);
      assert.deepStrictEqual(follower.reasons.slice(-1), ['moved']);
      await ctx.cluster.settled();
    });
  });

  const faults = {
    dies: [(server) => server.kill(), (server) => server.up()],
    hangs: [(server) => ctx.cluster.pause(server), (server) => ctx.cluster.resume(server)],
  };
  for (const [what, [fault, end]] of Object.entries(faults)) {
    it(`a primary ${what}, its replica takes over, and it comes back`, async () => {
      await logged(async () => {
        const follower = await following();
        const own = await ctx.connected(OPTIONS);
        await change(own, 100, NAMES, SIDS);
        await ctx.cluster.replicated();
        const victim = await ctx.cluster.owner(KEYS[0]);
        const failOver = async () => {
          await fault(victim);
          const isOver = async () => (await ctx.cluster.owner(KEYS[0])) !== victim;
          await until(isOver, 'the new primary', PATIENCE);
        };
        await during(failOver(), own);
        await follows(follower, own, 3);
        await during(end(victim), own);
        await ctx.cluster.settled();
        await follows(follower, own, 3);
      });
    });
  }

  it('with the least rights all of it works, and without CLUSTER MYID a change is made and its call says so', async () => {
    const rights = (more) => {
      const keys = ['~POMELO:CHANNEL:*', '~POMELO:CHANNEL@sids', CHANNELS];
      const all = [...keys, '-@all', ...CLUSTER, ...CACHE, ...more];
      return ctx.cluster.all('acl', 'setuser', 'gc', 'reset', 'on', '>pw', ...all);
    };
    const options = { ...OPTIONS, username: 'gc', password: 'pw' };
    await ctx.cluster.all('acl', 'log', 'reset');
    await rights(['+publish', '+subscribe', '+cluster|myid']);
    const follower = await following(options);
    follower.isStrict = true;
    await change(follower.service, 200, NAMES, SIDS);
    await settled(follower);
    await ok(follower.service, 'clean');
    await settled(follower);
    assert.strictEqual(follower.gaps, 1);
    assert.deepStrictEqual(follower.service.stats().errors, {});
    assert.deepStrictEqual((await ctx.cluster.all('acl', 'log')).flat(), []);

    await rights(['+publish', '+subscribe']);
    const { err } = await call(follower.service, 'add', 'a', 'u', 's1');
    assert.strictEqual(err && err.code, 'ERR_GLOBAL_CHANNEL_STORE');
    assert.match(err.message, /option events takes EVAL, PUBLISH, .* and CLUSTER MYID/);
    assert.deepStrictEqual(await ctx.cluster.members(KEYS[0]), ['u']);
  });

  it('members that end with their sessions leave with that reason, and those of a dead frontend', async () => {
    const options = { ...OPTIONS, membership: 'session', leaseTtl: 2000, leaveDelay: 50 };
    const service = await ctx.connected(options, frontendApp());
    const watch = service.watch(NAMES);
    const [gaps, left] = [[], []];
    watch.on('gap', (told) => gaps.push(told));
    watch.on('leave', ({ name, sid, reason, uids }) =>
      left.push(`${reason} ${name} ${sid} ${uids}`),
    );
    await until(() => gaps.length > 0, 'the first gap');
    const frontend = await startFrontend(ctx.cluster, 's1', options);
    const session = frontend.login('alice');
    frontend.login('bob');
    await ok(service, 'add', NAMES, ['alice', 'bob'], 's1');
    frontend.close(session);
    const take = async (count) => {
      await until(() => left.length >= count, 'the leaves', PATIENCE);
      return left.splice(0).sort();
    };
    const all = (reason, sid, uid) => NAMES.map((name) => `${reason} ${name} ${sid} ${uid}`).sort();
    assert.deepStrictEqual(await take(3), all('close', 's1', 'alice'));
    await ok(service, 'leaveAll', 'bob', 's1');
    assert.deepStrictEqual(await take(3), all('call', 's1', 'bob'));
    // No one holds its lease.
    for (const set of ['POMELO:CHANNEL@leases', 'POMELO:CHANNEL@leases:session']) {
      await (await ctx.cluster.owner(set)).run(0, 'sadd', set, 's9');
    }
    await ok(service, 'add', NAMES, 'carol', 's9');
    assert.deepStrictEqual(await take(3), all('purge', 's9', 'carol'));
    assert.strictEqual(gaps.length, 1);
  });
});
