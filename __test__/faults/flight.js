'use strict';

/**
 * Commands in flight, and what must hold for them in every fault: each is answered once, in call order, with a result or
 * a documented error; acknowledged writes are in the store; what was read had been written.
 *
 * Here are random mixed commands, the record of their answers, and the model they are checked against. Faults are in the test
 * files, the server in support/redis.js.
 */

const assert = require('node:assert');
const fs = require('fs');
const path = require('path');
const fc = require('fast-check');
const { invoke, call } = require('../support/call');
const { until } = require('../support/until');

const SIDS = ['s1', 's2', 's3'];
const NAMES = ['c0', 'c1', 'c2', 'c3', 'c4'];
const UIDS = Array.from({ length: 30 }, (_, i) => `u${i}`);
const PREFIX = 'POMELO:CHANNEL';

const CODE = (word) => `ERR_GLOBAL_CHANNEL_${word}`;
const types = fs.readFileSync(path.resolve(__dirname, '../../index.d.ts'), 'utf8');
const DOCUMENTED = new Set(types.match(/(?<=')ERR_GLOBAL_CHANNEL_\w+(?=')/g));

const name = fc.constantFrom(...NAMES);
const sid = fc.constantFrom(...SIDS);
const uids = fc.uniqueArray(fc.constantFrom(...UIDS), { minLength: 1, maxLength: 3 });
const kinds = [
  [8, fc.record({ method: fc.constant('add'), name, sid, uids })],
  [4, fc.record({ method: fc.constant('leave'), name, sid, uids })],
  [3, fc.record({ method: fc.constant('getMembersBySid'), name, sid })],
  [2, fc.record({ method: fc.constant('getMembersByChannelName'), name })],
  [2, fc.record({ method: fc.constant('pushMessage'), name })],
  [1, fc.record({ method: fc.constant('destroyChannel'), name })],
];
const command = fc.oneof(...kinds.map(([weight, arbitrary]) => ({ weight, arbitrary })));

const ARGS = {
  add: (c) => [c.name, c.uids, c.sid],
  leave: (c) => [c.name, c.uids, c.sid],
  getMembersBySid: (c) => [c.name, c.sid],
  getMembersByChannelName: (c) => ['connector', c.name],
  pushMessage: (c) => ['connector', 'onChat', { i: c.index }, c.name, {}],
  destroyChannel: (c) => [c.name],
};

const key = (entry, id) => `${PREFIX}:${entry.name}:${id}`;

/** A call that may not wait for a connection need not wait for its turn either. */
const refused = ({ sync, err }) => sync && Boolean(err) && err.code === CODE('DISCONNECTED');

/** The error's message and those of its causes, to look for words in. */
function words(err) {
  const cause = err && err.cause;
  return [err && err.message, cause instanceof Error ? words(cause) : cause].join(' | ');
}

class Flight {
  /** Begins with an empty store. The RPCs of the service's stub application are looked at too. */
  constructor(service, seed = 1) {
    this.service = service;
    service.app.rpcCalls.length = 0;
    this.seed = seed;
    this.entries = [];
    this.answers = [];
    this.clock = 0;
    // key -> uid -> the writes that touch it, in call order
    this.writes = new Map();
  }

  /** `count` random commands in one go. */
  send(count) {
    for (const drawn of fc.sample(command, { seed: this.seed, numRuns: count })) this.call(drawn);
    this.seed += 1;
    return this;
  }

  call(drawn) {
    const entry = { ...drawn, index: this.entries.length, called: this.clock++, answered: NaN };
    this.entries.push(entry);
    entry.record = invoke(this.service, entry.method, ...ARGS[entry.method](entry));
    entry.done = entry.record.done.then(
      () => {
        entry.answered = this.clock++;
        this.answers.push(entry);
      },
      (err) => (entry.missing = err),
    );
    const all = entry.method === 'destroyChannel';
    if (!all && !entry.uids) return;
    for (const id of all ? SIDS : [entry.sid]) {
      for (const uid of all ? UIDS : entry.uids) this.history(key(entry, id), uid).push(entry);
    }
  }

  history(k, uid) {
    if (!this.writes.has(k)) this.writes.set(k, new Map(UIDS.map((each) => [each, []])));
    return this.writes.get(k).get(uid);
  }

  /** All answers, or the first that never came (call.js has the deadline). */
  async answered() {
    await Promise.all(this.entries.map((entry) => entry.done));
    // A second callback would come with the same batch or the next: let both pass.
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    return this;
  }

  failed(from = 0) {
    return this.entries.slice(from).filter((entry) => entry.record.err);
  }

  /** How long each took, for the ones sent from `from` on. */
  times(from = 0) {
    return this.entries.slice(from).map((entry) => entry.record.ms);
  }

  /** Once, asynchronously, in call order, with no error or one of `codes` (without the prefix). */
  check(...codes) {
    const allowed = codes.map(CODE);
    for (const { index, method, record, missing } of this.entries) {
      const what = `${method} (number ${index})`;
      assert.ifError(missing);
      assert.strictEqual(record.n, 1, `${what} was answered ${record.n} times`);
      assert.ok(!record.sync || refused(record), `${what} was answered before it returned`);
      if (record.err) checkError(what, record.err, allowed);
      else assert.strictEqual(record.err, null, `${what}: success is null`);
    }
    // A push waits for its RPCs after its turn; all else is answered strictly in order.
    const order = this.answers.filter(
      ({ method, record }) => method !== 'pushMessage' && !refused(record),
    );
    for (let i = 1; i < order.length; i += 1) {
      const [one, two] = [order[i - 1], order[i]];
      const text = `${two.method} ${two.index} was answered after ${one.method} ${one.index}`;
      assert.ok(one.index < two.index, text);
    }
    this.checkPushes();
    return this;
  }

  /** Whatever was sent again to the store, no frontend gets a push twice, and all in call order. */
  checkPushes() {
    const last = {};
    for (const { sid: to, msg } of this.service.app.rpcCalls) {
      const { i } = msg.args[1];
      assert.ok(!(i <= last[to]), `${to} got push ${i} after push ${last[to]}`);
      last[to] = i;
    }
  }

  /** Is `uid` in `k` after the writes before `index`: true, false, or undefined = not known. */
  state(k, uid, index = Infinity) {
    const known = this.history(k, uid).filter((write) => write.index < index);
    let unsure = false;
    while (known.length) {
      const write = known.pop();
      const present = write.method === 'add';
      if (!write.record.err) return unsure ? undefined : present;
      unsure = true;
    }
    return unsure ? undefined : false;
  }

  /** Every acknowledged write is effective, unless one that failed came after it. */
  async checkStore(redis, db = 0) {
    const wrong = [];
    for (const [k, byUid] of this.writes) {
      const members = new Set(await redis.members(k, db));
      for (const uid of byUid.keys()) {
        const expected = this.state(k, uid);
        if (expected === undefined || members.has(uid) === expected) continue;
        const log = this.history(k, uid).map(
          (write) => `${write.index} ${write.method} ${write.record.err ? 'failed' : 'done'}`,
        );
        wrong.push(`${uid} ${expected ? 'is missing in' : 'is still in'} ${k}: ${log.slice(-4)}`);
      }
    }
    assert.deepStrictEqual(wrong.slice(0, 5), [], `${wrong.length} acknowledged writes lost`);
    this.checkReads();
    return this;
  }

  /**
   * How often a read may list `uid` under `k`. A write that was called before the read was answered
   * may have been done already when the read was sent again.
   */
  range(k, uid, read) {
    const before = this.state(k, uid, read.index);
    const later = this.history(k, uid).some(
      (write) =>
        write.index > read.index &&
        write.called < read.answered &&
        (write.method === 'add') !== before,
    );
    return before === undefined || later ? [0, 1] : [Number(before), Number(before)];
  }

  /** Reads see what was acknowledged before them, and no answer belongs to another question. */
  checkReads() {
    const looked = [];
    for (const entry of this.entries) {
      if (entry.record.err) continue;
      if (entry.method === 'getMembersBySid') looked.push([entry, [entry.sid], entry.record.value]);
      if (entry.method === 'getMembersByChannelName') {
        looked.push([entry, SIDS, entry.record.value]);
      }
    }
    for (const { sid: to, msg } of this.service.app.rpcCalls) {
      looked.push([this.entries[msg.args[1].i], [to], msg.args[2]]);
    }
    for (const [entry, sids, list] of looked) {
      const counts = new Map(UIDS.map((uid) => [uid, 0]));
      for (const uid of list) counts.set(uid, counts.get(uid) + 1);
      for (const [uid, count] of counts) {
        const ranges = sids.map((id) => this.range(key(entry, id), uid, entry));
        const min = ranges.reduce((sum, range) => sum + range[0], 0);
        const max = ranges.reduce((sum, range) => sum + range[1], 0);
        const text = `${entry.method} ${entry.index} of ${entry.name} ${sids}: ${uid} × ${count}`;
        assert.ok(count >= min && count <= max, `${text}, not ${min}..${max}`);
      }
    }
  }
}

function checkError(what, err, allowed) {
  assert.ok(err instanceof Error, `${what}: not an Error: ${err}`);
  assert.ok(DOCUMENTED.has(err.code), `${what}: code ${err.code} is not documented: ${err.stack}`);
  assert.ok(err.message, `${what}: an empty message`);
  const text = `${what}: ${err.code} (${words(err)}), allowed: ${allowed}`;
  assert.ok(allowed.includes(err.code), text);
}

/**
 * The service works again without being touched: an add and a read succeed before long. Says after
 * how many milliseconds.
 */
async function recovers(service, deadline = 6000) {
  const since = performance.now();
  const again = async () => !(await call(service, 'add', 'after', 'me', 's1')).err;
  await until(again, 'an add that succeeds after the fault', deadline);
  const took = Math.round(performance.now() - since);
  const { err, value } = await call(service, 'getMembersBySid', 'after', 's1');
  assert.ifError(err);
  assert.deepStrictEqual(value, ['me']);
  return took;
}

/**
 * Holds the service's commands in the server: the first write stops there with all that follows it
 * on its connection, so that the fault certainly meets them in flight.
 */
async function hold(redis) {
  await redis.run(0, 'client', 'pause', 60000, 'write');
}

/** The commands sent since `hold` have arrived and wait. */
async function held(redis) {
  const blocked = async () => (await redis.clients()).some(({ flags }) => flags.includes('b'));
  await until(blocked, 'commands held in the server');
}

module.exports = { Flight, recovers, hold, held, words, CODE };
