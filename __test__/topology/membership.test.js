'use strict';

/**
 * Members that live as long as their sessions (option `membership: 'session'`) in a Redis Cluster, where a channel, the index of a
 * frontend's members and its lease are in different slots, and behind Sentinel: also while nodes fail over. On one Redis, and in
 * the embedded store: membership/sessions.test.js.
 */

const assert = require('node:assert');
const { describe, it } = require('node:test');
const { ok } = require('../support/call');
const { Leases } = require('../support/leases');
const healedGroup = require('../support/healed-group');
const { started } = require('../support/service');
const { pause, until } = require('../support/until');
const { frontendApp, startFrontend } = require('../sessions/frontend');
const { PATIENT, onCluster } = require('./on-cluster');

const MEMBERSHIP = { membership: 'session', leaseTtl: 2000, leaveDelay: 100, ...PATIENT };
const NAMES = Array.from({ length: 8 }, (_, n) => `room ${n}`);
const PATIENCE = 40000;

/** Two frontends, a backend and the sessions of a test, on `target`. */
class Fleet {
  static async start(target, opts) {
    const fleet = new Fleet();
    const options = { ...MEMBERSHIP, ...opts };
    fleet.frontends = [
      await startFrontend(target, 's1', options),
      await startFrontend(target, 's2', options),
    ];
    fleet.service = await started(target, options, frontendApp());
    fleet.open = [];
    fleet.failures = [];
    return fleet;
  }

  /** Opens a session of a user, who joins two channels. */
  login(uid, n) {
    const frontend = this.frontends[n];
    const { serverId: sid } = frontend.app;
    this.open.push({ frontend, sid, uid, session: frontend.login(uid) });
    const at = Math.floor(Math.random() * NAMES.length);
    const names = [NAMES[at], NAMES[(at + 1) % NAMES.length]];
    return ok(this.service, 'add', names, uid, sid).catch((err) => this.failures.push(err));
  }

  logout(at = Math.floor(Math.random() * this.open.length)) {
    const [{ frontend, session }] = this.open.splice(at, 1);
    frontend.close(session);
  }

  /** Sessions come and go until `work` is done. */
  async during(work) {
    const state = { isWorking: true };
    const working = Promise.resolve(work).finally(() => (state.isWorking = false));
    working.catch(() => {});
    const adds = [];
    for (let step = 0; state.isWorking; step += 1) {
      if (this.open.length > 40 || (this.open.length > 0 && Math.random() < 0.48)) this.logout();
      else adds.push(this.login(`u${Math.floor(Math.random() * 60)}`, step % 2));
      await pause(5);
    }
    await Promise.all(adds);
    return working;
  }

  /** The users who are in any channel, as `uid sid`. */
  async members() {
    const lists = await Promise.all(
      NAMES.map((name) => ok(this.service, 'getMembersByChannelNameBySid', 'connector', name)),
    );
    const all = lists.flatMap((bySid) =>
      Object.entries(bySid).flatMap(([sid, uids]) => uids.map((uid) => `${uid} ${sid}`)),
    );
    return [...new Set(all)].sort();
  }

  /** Until those in channels are exactly those with a session. */
  async become() {
    const expected = [...new Set(this.open.map(({ uid, sid }) => `${uid} ${sid}`))].sort();
    const isSo = async () => String(await this.members()) === String(expected);
    await until(isSo, 'the members to be the sessions', PATIENCE).catch(() => {});
    assert.deepStrictEqual(await this.members(), expected);
    assert.deepStrictEqual(this.failures, []);
  }
}

onCluster('membership by sessions in a Redis Cluster', 180000, (ctx) => {
  it('members go with their sessions, from channels on all nodes', async () => {
    const fleet = await Fleet.start(ctx.cluster);
    await fleet.login('alice', 0);
    await fleet.login('alice', 1);
    await ok(fleet.service, 'add', NAMES, 'alice', 's1');
    await fleet.become();
    fleet.logout(0);
    await fleet.become();
    await fleet.during(pause(3000));
    await fleet.become();
  });

  it('what a dead frontend left goes, and one that was cut off has it again', async () => {
    const fleet = await Fleet.start(ctx.cluster);
    const [{ service }] = fleet.frontends;
    await fleet.login('alice', 0);
    await fleet.login('bob', 1);
    await ok(fleet.service, 'add', NAMES, 'alice', 's1');
    const undo = new Leases(service).replace('_renew', (original, ...args) =>
      args.pop()(new Error('the store is away')),
    );
    const isGone = async () => String(await fleet.members()) === 'bob s2';
    await until(isGone, 'the members to go', PATIENCE);
    undo();
    const isIn = (name) => ok(fleet.service, 'isMember', name, 'alice', 's1');
    const areBack = async () => (await Promise.all(NAMES.map(isIn))).every(Boolean);
    await until(areBack, 'the members to be back', PATIENCE);
    await fleet.become();
  });

  it('sessions come and go while a node fails over', async () => {
    const fleet = await Fleet.start(ctx.cluster);
    const primary = await ctx.cluster.owner('POMELO:CHANNEL@members:{s1}');
    await fleet.during(pause(500));
    await fleet.during(ctx.cluster.handOver(primary).then(() => pause(1000)));
    await fleet.become();
    await ctx.cluster.settled();
  });
});

describe('membership by sessions behind Sentinel', { timeout: 120000 }, () => {
  const group = healedGroup();

  it('sessions come and go while the primary dies', async () => {
    const fleet = await Fleet.start(group);
    await group.untilHeard(3);
    await fleet.during(pause(500));
    const primary = await group.replicated();
    const elected = group.nextPrimary(primary);
    const failover = primary.kill().then(() => elected);
    await fleet.during(failover.then(() => pause(1000)));
    // Acknowledged writes may be lost with the primary: what was lost is added again, as an app would do it.
    for (const { uid, sid } of fleet.open) await ok(fleet.service, 'add', NAMES[0], uid, sid);
    await fleet.become();
  });
});
