'use strict';

/**
 * The operations on leases and online users of one service (lib/leases.js) as promises, and schedules of their steps.
 */

const assert = require('assert');
const { promisify } = require('util');
const { until } = require('./until');

const MINUTE = 60000;

class Leases {
  constructor(service) {
    this.service = service;
    this.lease = promisify(service._lease.bind(service));
    this.sessions = promisify(service._sessions.bind(service));
    /** The epoch that this one has claimed, by frontend: users are written in its name. */
    this.epochs = new Map();
  }

  claim(sid, epoch, ttl = MINUTE) {
    this.epochs.set(sid, epoch);
    return this.lease('claim', sid, epoch, ttl);
  }

  renew(sid, epoch, ttl = MINUTE) {
    return this.lease('renew', sid, epoch, ttl);
  }

  release(sid, epoch) {
    return this.lease('release', sid, epoch, 0);
  }

  sweep(sid) {
    return this.lease('sweep', sid, '', 0);
  }

  list() {
    return this.lease('list', '', '', 0);
  }

  /** What a set of leases has, and what it is to lose. */
  async noted(set) {
    return JSON.parse(await promisify(this.service['_notedLeases'].bind(this.service))([set], []));
  }

  unnote(set, items) {
    return promisify(this.service['_forgetLease'].bind(this.service))([set], items);
  }

  /** The lease of one frontend in the list. */
  async found(sid) {
    return (await this.list()).find((each) => each.sid === sid);
  }

  add(sid, ...uids) {
    return this.allowed('add', sid, uids);
  }

  remove(sid, ...uids) {
    return this.allowed('remove', sid, uids);
  }

  /** Writes users in the name of what was claimed here, or, if that has expired, of no one: how many were changed. */
  async allowed(op, sid, uids) {
    for (const epoch of [this.epochs.get(sid) || '', '']) {
      const { state, count } = await this.write(op, sid, epoch, uids);
      if (state !== 'lost') return count;
    }
    throw new Error(`the lease of ${sid} is another one's`);
  }

  /** Writes users in the name of an epoch: `{state, count}`. */
  write(op, sid, epoch, uids) {
    return this.sessions(op, [sid], [epoch, ...uids]);
  }

  async members(...sids) {
    const lists = await this.sessions('members', sids, []);
    return lists.map((uids) => uids.slice().sort());
  }

  count(...sids) {
    return this.sessions('count', sids, []);
  }

  isMember(sids, uids) {
    return this.sessions('isMember', sids, uids);
  }

  /** Until the lease has expired, as this service sees it. */
  untilExpired(sid) {
    return until(async () => {
      const found = await this.found(sid);
      return found && found.epoch === null;
    }, `the end of the lease of ${sid}`);
  }

  /** Has `act(original, ...args)` run in place of a step, until the function that is returned is called. */
  replace(method, act) {
    const original = this.service[method].bind(this.service);
    const value = (...args) => act(original, ...args);
    Object.defineProperty(this.service, method, { value, configurable: true });
    return () => delete this.service[method];
  }
}

/**
 * Checks that who has lost the lease of `sid` to a later process, of which it has not heard, does not write its users; `earlier` and
 * `later` are {@link Leases} of two services. At the end `later` holds the lease.
 */
async function checkFence(sid, earlier, later) {
  const lost = { state: 'lost', count: 0 };
  await earlier.claim(sid, 'e1');
  assert.deepStrictEqual(await earlier.write('add', sid, 'e1', ['a', 'b']), {
    state: 'held',
    count: 2,
  });
  assert.deepStrictEqual(await later.write('add', sid, 'e2', ['c']), lost, 'it claims later');
  assert.deepStrictEqual(await later.write('remove', sid, '', ['a']), lost, 'it is held');
  assert.deepStrictEqual(await earlier.members(sid), [['a', 'b']]);
  // What was written before the claim goes with it; what comes after it is refused.
  assert.deepStrictEqual(await later.claim(sid, 'e2'), { previous: 'e1', removed: 2 });
  assert.deepStrictEqual(await earlier.write('add', sid, 'e1', ['a']), lost);
  await later.write('add', sid, 'e2', ['b', 'c']);
  assert.deepStrictEqual(await earlier.write('add', sid, 'e1', ['a']), lost);
  assert.deepStrictEqual(await earlier.write('remove', sid, 'e1', ['b', 'c']), lost);
  const many = Array.from({ length: 2500 }, (_, i) => `u${i}`);
  assert.deepStrictEqual(await earlier.write('add', sid, 'e1', many), lost);
  assert.deepStrictEqual(await later.members(sid), [['b', 'c']]);
  assert.deepStrictEqual(await later.write('remove', sid, 'e2', ['b', 'x']), {
    state: 'held',
    count: 1,
  });
  // Sent at once with the claim, the write comes before it or after it.
  for (let round = 0; round < 10; round += 1) {
    const [holder, next] = [`h${round}`, `n${round}`];
    await earlier.claim(sid, holder);
    const [{ state }, { removed }] = await Promise.all([
      earlier.write('add', sid, holder, ['late']),
      later.claim(sid, next),
    ]);
    assert.strictEqual(removed, state === 'lost' ? 0 : 1, state);
    assert.deepStrictEqual(await later.members(sid), [[]]);
  }
}

module.exports = { Leases, MINUTE, checkFence };
