'use strict';

/**
 * Members that are not in the index of their frontend (option `membership: 'session'`) in a Redis Cluster, where channels and
 * index are in different slots and the channels of a frontend on all nodes. What a scan does on any store:
 * membership/scan.test.js.
 */

const assert = require('node:assert');
const { it } = require('node:test');
const { ok } = require('../support/call');
const { Leases } = require('../support/leases');
const { started } = require('../support/service');
const { pause, until } = require('../support/until');
const { frontendApp, startFrontend } = require('../sessions/frontend');
const { PATIENT, onCluster } = require('./on-cluster');

const MEMBERSHIP = { membership: 'session', leaseTtl: 2000, leaveDelay: 100, ...PATIENT };
const NAMES = Array.from({ length: 12 }, (_, n) => `room ${n}`);
const CROWD = Array.from({ length: 1000 }, (_, n) => `crowd-${n}`);
const PATIENCE = 60000;

onCluster('members that are not in the index, in a Redis Cluster', 240000, (ctx) => {
  const persistent = () => started(ctx.cluster, PATIENT, frontendApp());
  const backend = () => started(ctx.cluster, MEMBERSHIP, frontendApp());

  async function become(service, sid, ...expected) {
    for (const name of NAMES) {
      const read = async () => (await ok(service, 'getMembersBySid', name, sid)).sort();
      const isSo = async () => String(await read()) === String(expected);
      await until(isSo, `${name} on ${sid} to be ${expected}`, PATIENCE).catch(() => {});
      assert.deepStrictEqual(await read(), expected, name);
    }
  }

  it('those without a session go from a frontend that starts, those with one are indexed', async () => {
    const peer = await persistent();
    await ok(peer, 'add', NAMES, ['alice', 'bob', ...CROWD], 's1');
    await ok(peer, 'add', NAMES, 'bob', 's2');
    const text = 'POMELO:CHANNEL:text:s1';
    await (await ctx.cluster.owner(text)).run(0, 'set', text, 'no set');
    const s1 = await startFrontend(ctx.cluster, 's1', MEMBERSHIP);
    s1.login('alice');
    await become(peer, 's1', 'alice');
    await become(peer, 's2', 'bob');
    const channels = await ok(s1.service, 'getChannelsByUid', 'alice', 's1');
    assert.deepStrictEqual(channels.sort(), [...NAMES].sort());
  });

  it('those on a dead frontend go, and stay while a node fails over', async () => {
    const [peer, service] = [await persistent(), await backend()];
    const leases = new Leases(service);
    await leases.claim('s1', 'session-e1', 2000);
    await leases.claim('s2', 'e1', 2000);
    await ok(peer, 'add', NAMES, ['alice', 'bob'], 's1');
    await ok(peer, 'add', NAMES, ['alice', 'bob'], 's2');
    const primary = await ctx.cluster.owner('POMELO:CHANNEL:room 1:s1');
    await ctx.cluster.handOver(primary);
    await become(peer, 's1');
    const isDone = async () => (await leases.list()).length === 0;
    await until(isDone, 'nothing to be left of the leases', PATIENCE);
    await become(peer, 's2', 'alice', 'bob');
    await ctx.cluster.settled();
  });

  it('who leaves between the two rounds of a step is no member, whatever the index has', async () => {
    const [peer, service] = [await persistent(), await backend()];
    await ok(peer, 'add', NAMES, ['alice', 'bob'], 's1');
    const s1 = await startFrontend(ctx.cluster, 's1', MEMBERSHIP);
    s1.login('alice');
    s1.login('bob');
    const end = Date.now() + 1500;
    while (Date.now() < end) {
      await ok(service, 'leave', NAMES, 'bob', 's1');
      await pause(5);
    }
    await become(peer, 's1', 'alice');
    assert.deepStrictEqual(await ok(service, 'getChannelsByUid', 'bob', 's1'), []);
  });
});
