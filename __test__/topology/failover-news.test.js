'use strict';

/**
 * Failovers by an operator, at 4,000 adds a second, while the news of them arrive late or from few sentinels: the old primary goes
 * on acknowledging writes that are thrown away, so it must not be written to any more. The rules are tested with random news
 * in src/redis_manager/election; other failovers are in failover.test.js.
 */

const assert = require('node:assert');
const { describe, before, after, afterEach } = require('node:test');
const { report, LONG } = require('../support/report');
const { Group, HEARS } = require('../support/sentinels');
const { proxy, delay } = require('../faults/wire');
const { fault } = require('../faults/fault');
const { started, stopAll } = require('../support/service');
const { invoke } = require('../support/call');
const { logged } = require('../support/log');
const { until, pause } = require('../support/until');

/** What a call may take at most; elections on a slow machine take long. */
const commandTimeout = 15000;
/** Failovers of each kind: ten in the long form, and there each delay. */
const ROUNDS = Number(process.env.FAILOVERS || 10);
const KEY = 'POMELO:CHANNEL:adds:s1';

/** Adds of uids that come once each, 20 every 5 ms, until `stop`. */
class Adds {
  constructor(service) {
    this.service = service;
    this.sent = 0;
    this.records = [];
    this.running = this.run();
  }

  async run() {
    while (!this.stopped) {
      for (let i = 0; i < 20; i += 1) {
        this.sent += 1;
        this.records.push([
          `u${this.sent}`,
          invoke(this.service, 'add', 'adds', `u${this.sent}`, 's1'),
        ]);
      }
      await pause(5);
    }
  }

  /** The uids that were acknowledged. */
  async stop() {
    this.stopped = true;
    await this.running;
    const answered = ([, record]) => record.n > 0;
    await until(() => this.records.every(answered), 'all answers', 30000);
    assert.ok(
      this.records.every(([, record]) => record.n === 1),
      'a callback came twice',
    );
    return this.records.filter(([, record]) => !record.err).map(([uid]) => uid);
  }
}

describe('Redis Sentinel: news of a failover', () => {
  let group;
  let wires = [];
  /** There was a failover since the group was in order. */
  let moved = false;
  before(async () => {
    group = await Group.start();
  });
  const clear = async () => {
    await stopAll();
    await Promise.all(wires.map((wire) => wire.close()));
    wires = [];
  };
  afterEach(clear);
  after(() => group && group.stop());

  /** A failover led by `leader`, while the service adds. How many acknowledged adds are lost, of how many. */
  async function failover(service, leader, { first = () => {} } = {}) {
    const primary = await group.replicated();
    const adds = new Adds(service);
    await pause(500);
    await first();
    await group.failOver(leader);
    moved = true;
    const next = await group.nextPrimary(primary);
    await group.untilAgreed(next);
    await pause(500);
    const acked = await adds.stop();
    const kept = new Set(await next.members(KEY));
    const lost = acked.filter((uid) => !kept.has(uid));
    assert.ok(acked.length > 500, `${acked.length} of ${adds.sent} adds were acknowledged`);
    return { lost: lost.length, acked: acked.length };
  }

  /** So many failovers, each led by the next sentinel; in each at most so many adds may be lost. */
  async function failovers(what, rounds, round, most = 0) {
    const results = [];
    for (let i = 0; i < rounds; i += 1) {
      if (moved) await group.heal();
      moved = false;
      results.push(await round(i % 3));
      await clear();
    }
    const sum = (key) => results.reduce((total, result) => total + result[key], 0);
    const sees = `${rounds} failovers: ${sum('lost')} of ${sum('acked')} acknowledged adds lost`;
    const holds = results.every(({ lost }) => lost <= most);
    assert.ok(holds, `${sees}: ${results.map(({ lost }) => lost)}`);
    const verdict = most > 0 ? 'bounded' : undefined;
    report({ topic: 'Sentinel', fault: what, sees, recovered: '', verdict });
  }

  /** Before each sentinel a proxy; the leader's delays. Only what is listed is heard, by the rights of the user. */
  async function delayed(leader, ms) {
    const user = await group.userOfTheListed();
    wires = await Promise.all(group.sentinels.map(({ port }) => proxy(port)));
    if (ms) delay(wires[leader], () => ms);
    const sentinels = wires.map(({ port }) => `127.0.0.1:${port}`);
    const service = await started(group, { commandTimeout, sentinels, ...user });
    await group.untilHeard(1);
    return failover(service, leader);
  }

  fault('where fewer sentinels are connected than there are, start logs it', async () => {
    const user = await group.userOfTheListed();
    const sentinels = [`127.0.0.1:${group.sentinel.port}`];
    const lines = await logged(() => started(group, { sentinels, ...user }));
    assert.match(lines.join('\n'), /only 1 of 3 sentinels are heard/);
    assert.match(lines.join('\n'), /SENTINEL SENTINELS: NOPERM/);
    await stopAll();
    const well = await logged(async () => {
      await started(group, { sentinels });
      await group.untilHeard(1);
    });
    assert.deepStrictEqual(well, []);
  });

  for (const ms of LONG ? [0, 30, 60, 150] : [60]) {
    const what = `SENTINEL FAILOVER, the leader is ${ms} ms away each way`;
    // What it tells comes 100 to 300 ms before the promotion: from farther away it may be late.
    const most = ms > 100 ? 4 * ms : 0;
    const rounds = LONG ? ROUNDS : 1;
    const timeout = 60000 * (rounds + 1);
    fault(what, () => failovers(what, rounds, (leader) => delayed(leader, ms), most), { timeout });
  }

  /** The leader does not speak RESP3, as Redis before 6: it is listened to on a socket of its own. */
  async function inResp2(leader) {
    const user = await group.userOfTheListed();
    wires = await Promise.all(group.sentinels.map(({ port }) => proxy(port)));
    wires[leader].toServer = (chunk, { client }) => {
      if (!chunk.includes('HELLO')) return chunk;
      client.write("-ERR unknown command 'HELLO'\r\n");
      return undefined;
    };
    const sentinels = wires.map(({ port }) => `127.0.0.1:${port}`);
    const service = await started(group, { commandTimeout, sentinels, ...user });
    await group.untilHeard(1);
    const clients = await group.sentinels[leader].clients();
    assert.ok(clients.some(({ resp, sub }) => resp === '2' && sub === HEARS));
    return failover(service, leader);
  }

  {
    const what = 'SENTINEL FAILOVER, the leader does not speak RESP3';
    const rounds = LONG ? ROUNDS : 1;
    const timeout = 60000 * (rounds + 1);
    fault(what, () => failovers(what, rounds, inResp2), { timeout });
  }

  /** One sentinel is listed; the others are found. */
  async function alone(leader, kills) {
    const listed = group.sentinels[(leader + 1) % 3];
    const sentinels = [`127.0.0.1:${listed.port}`];
    const service = await started(group, { commandTimeout, sentinels });
    await group.untilHeard(1);
    const first = () => kills && group.sentinels[leader].run(0, 'client', 'kill', 'type', 'pubsub');
    return failover(service, leader, { first });
  }

  for (const [what, kills] of [
    ['SENTINEL FAILOVER by a sentinel that is not listed', false],
    ['the same, the connection to it is killed just before', true],
  ]) {
    if (!LONG && !kills) continue;
    const rounds = LONG ? ROUNDS : 1;
    const timeout = 60000 * (rounds + 1);
    fault(what, () => failovers(what, rounds, (leader) => alone(leader, kills)), { timeout });
  }
});
