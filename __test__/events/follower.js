'use strict';

/**
 * Follows channels by their events, as an app does: what it reads at a gap, and each event since. Changes that come while it reads
 * are applied after that. A strict follower checks each event against the members before it; for 'occupied' and 'vacated' its
 * service must have `leaveDelay: 0`. `log` has all events, `state` the members as `{name: {sid: Set}}`.
 */

const assert = require('node:assert');
const { ok } = require('../support/call');
const { until } = require('../support/until');

const EVENTS = ['join', 'leave', 'occupied', 'vacated', 'destroy', 'gap'];

/** Collects the events of a watch, `[event, told]`. */
function record(watch) {
  const log = [];
  for (const event of EVENTS) watch.on(event, (told) => log.push([event, told]));
  return log;
}

/** Waits until a watch has its first gap, and forgets it. */
async function begun(log) {
  await until(() => log.length > 0, 'the first gap');
  assert.deepStrictEqual(log.splice(0), [['gap', { reason: 'start' }]]);
}

class Follower {
  /** Where `occupied` and `vacated` come later than their changes, the caller looks at them. */
  constructor(service, names, sids, { hasLateEdges = false } = {}) {
    Object.assign(this, { service, names, sids, gaps: 0, changes: 0, waiting: null });
    this.members = new Set();
    this.watch = service.watch(names);
    this.watch.on('gap', () => this.read());
    for (const event of ['join', 'leave', 'destroy']) {
      this.watch.on(event, (told) => this.take(event, told));
    }
    /** The channels of which 'occupied' or 'vacated' was the last event, or must be the next one. */
    this.edges = new Map();
    this.hasLateEdges = hasLateEdges;
    for (const event of hasLateEdges ? [] : ['occupied', 'vacated']) {
      this.watch.on(event, ({ name }) => this.edge(event, name));
    }
  }

  has(name) {
    return [...this.members].some((member) => member.startsWith(`${name} `));
  }

  /** Takes 'occupied', which comes before the first join, or 'vacated', which comes after the last leave. */
  edge(event, name) {
    if (!this.isStrict || this.waiting) return;
    const due = event === 'vacated' ? 'vacated' : undefined;
    assert.deepStrictEqual(
      [this.edges.get(name), this.has(name)],
      [due, false],
      `${event} ${name}`,
    );
    if (event === 'occupied') this.edges.set(name, event);
    else this.edges.delete(name);
  }

  /** Reads all members; again if there is another gap meanwhile. */
  async read() {
    this.gaps += 1;
    const gap = this.gaps;
    const waiting = [];
    this.waiting = waiting;
    let found;
    while (!found && gap === this.gaps) found = await this.store().catch(() => undefined);
    if (gap !== this.gaps) return;
    this.edges.clear();
    this.members = found;
    this.waiting = null;
    // Some of these may be in what was read, so they need not change anything.
    for (const [event, told] of waiting) this.apply(event, told, false);
  }

  take(event, told) {
    this.changes += event === 'destroy' ? 1 : told.uids.length;
    if (this.waiting) this.waiting.push([event, told]);
    else this.apply(event, told, this.isStrict);
  }

  apply(event, { name, sid, uids, count }, isStrict) {
    const before = this.has(name);
    if (isStrict && !this.hasLateEdges) {
      assert.strictEqual(this.edges.get(name), before ? undefined : 'occupied', `${event} ${name}`);
    }
    this.edges.delete(name);
    this.change(event, { name, sid, uids, count }, isStrict);
    if (isStrict && before && !this.has(name)) this.edges.set(name, 'vacated');
  }

  change(event, { name, sid, uids, count }, isStrict) {
    const { members } = this;
    const key = (uid) => `${name} ${sid} ${uid}`;
    if (event === 'destroy') {
      const gone = [...members].filter((member) => member.startsWith(key('')));
      if (isStrict) assert.strictEqual(gone.length, count, `destroy of ${name} on ${sid}`);
      for (const member of gone) members.delete(member);
      return;
    }
    for (const uid of uids) {
      if (isStrict) assert.strictEqual(members.has(key(uid)), event === 'leave', key(uid));
      if (event === 'join') members.add(key(uid));
      else members.delete(key(uid));
    }
  }

  /** What is in the store now. */
  async store() {
    const places = this.names.flatMap((name) => this.sids.map((sid) => [name, sid]));
    const lists = await Promise.all(
      places.map(([name, sid]) => ok(this.service, 'getMembersBySid', name, sid)),
    );
    return new Set(
      places.flatMap(([name, sid], i) => lists[i].map((uid) => `${name} ${sid} ${uid}`)),
    );
  }

  /** Whether it has begun, and has what the store has. */
  async isThere() {
    if (this.gaps === 0 || this.waiting) return false;
    const [own, there] = [this.members, await this.store()].map((set) => [...set].sort().join());
    return own === there;
  }
}

module.exports = { begun, Follower, record };
