'use strict';
/**
 * Random schedules of what happens at a frontend and its clients, and playing one. A step is
 *
 * - `{join, kind}`: a client connects, `{leave, how}`: one hangs up, waited for or not (`race`);
 * - `{pause}`, `{resume}`: a client stops to read, or goes on;
 * - `{turn: [op, …]}`: operations (operations.js) in one turn of the frontend's event loop;
 * - `{buffered: [uid, …]}`: how many bytes wait for these clients in the frontend.
 *
 * What a client got is told by `play`; that two plays agree is for `assertSame`.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { until } = require('../support/until');
const { Client } = require('./client');
const { LARGEST } = require('./bodies');

const PATIENCE = 60000;
const FIRST = 7;
const MOST = 12;
const LAST_WORDS = 'that is all';

const uid = (i) => `u${i}`;
const someone = fc.nat(MOST - 1).map(uid);
/** In any order, more than once, some who are not there. */
const several = fc.oneof(
  { arbitrary: fc.subarray(Array.from({ length: MOST }, (_, i) => uid(i))), weight: 6 },
  { arbitrary: fc.array(someone, { minLength: 1, maxLength: 5 }), weight: 1 },
);
const some = several.filter((to) => to.length > 0);

/** The edges of frames, of ws's own ways, of the threshold for compression, and what does not fit into a socket. */
const size = fc.oneof(
  { arbitrary: fc.integer({ min: 0, max: 300 }), weight: 8 },
  { arbitrary: fc.constantFrom(0, 1, 121, 122, 125, 126, 1019, 1020, 1023, 1024), weight: 4 },
  { arbitrary: fc.integer({ min: 300, max: 5000 }), weight: 4 },
  { arbitrary: fc.constantFrom(32763, 32764, 65531, 65532, 65535, 65536), weight: 2 },
  { arbitrary: fc.integer({ min: 100000, max: LARGEST }), weight: 1 },
  { arbitrary: fc.constant(LARGEST), weight: 1 },
);

const on = (name, fields) => fc.record({ do: fc.constant(name), ...fields });
const one = { to: someone.map((each) => [each]) };

const encodedPushes = [
  { arbitrary: on('schedule', { to: some, size }), weight: 8 },
  { arbitrary: on('uids', { to: some, size }), weight: 4 },
  { arbitrary: on('channel', { to: some, size }), weight: 2 },
];
const pushes = [
  ...encodedPushes,
  { arbitrary: on('schedule', { to: some, size, form: fc.constant('object') }), weight: 1 },
];
const singles = [
  { arbitrary: on('respond', { ...one, size }), weight: 4 },
  { arbitrary: on('heartbeat', one), weight: 2 },
  { arbitrary: on('ownSend', { ...one, size }), weight: 1 },
  { arbitrary: on('ping', one), weight: 1 },
  { arbitrary: on('fragment', { ...one, size: fc.nat(300) }), weight: 1 },
  { arbitrary: on('cork', one), weight: 1 },
  { arbitrary: on('uncork', one), weight: 1 },
];
const ends = [
  { arbitrary: on('kick', one), weight: 1 },
  { arbitrary: on('destroy', one), weight: 1 },
];
/** In the middle of a broadcast. */
const act = fc.option(fc.record({ at: someone, op: fc.oneof(...pushes, ...singles, ...ends) }), {
  nil: undefined,
  freq: 1,
});
const broadcast = on('broadcast', { to: some, size, binded: fc.boolean(), act });
const broadcastOnly = on('broadcast', { to: some, size, binded: fc.boolean() });
const operation = fc.oneof(...pushes, ...singles, ...ends, { arbitrary: broadcast, weight: 4 });

const step = fc.oneof(
  {
    arbitrary: fc.record({ turn: fc.array(operation, { minLength: 1, maxLength: 5 }) }),
    weight: 9,
  },
  { arbitrary: fc.record({ pause: someone }), weight: 2 },
  { arbitrary: fc.record({ resume: someone }), weight: 1 },
  {
    arbitrary: fc.record({ join: fc.constantFrom('plain', 'plain', 'tcp', 'deflate') }),
    weight: 1,
  },
  {
    arbitrary: fc.record({
      leave: someone,
      how: fc.constantFrom('fin', 'reset'),
      race: fc.boolean(),
    }),
    weight: 1,
  },
);

const schedules = fc.record({
  kinds: fc.array(fc.constantFrom('plain', 'plain', 'plain', 'tcp', 'deflate'), {
    minLength: FIRST,
    maxLength: FIRST,
  }),
  steps: fc.array(step, { minLength: 3, maxLength: 16 }),
});

/**
 * Without what goes past the scheduler, and without what is not encoded, at which pomelo's buffering scheduler throws in
 * its timer.
 */
const pushSchedules = fc.record({
  kinds: fc.constant(['plain', 'tcp', 'plain', 'deflate', 'plain']),
  steps: fc.array(
    fc.record({
      turn: fc.array(fc.oneof(...encodedPushes, { arbitrary: broadcastOnly, weight: 3 }), {
        minLength: 1,
        maxLength: 5,
      }),
    }),
    { minLength: 3, maxLength: 8 },
  ),
});

/** Gives each operation its number. */
function numbered(steps) {
  let n = 0;
  const number = (op) => {
    const its = { ...op, n: (n += 1) };
    if (op.ops) its.ops = op.ops.map(number);
    return op.act ? { ...its, act: { ...op.act, op: number(op.act.op) } } : its;
  };
  return steps.map((each) => (each.turn ? { turn: each.turn.map(number) } : each));
}

class Play {
  /** `connect` is `(uid, kind, frontend)` → a client that is not open yet. */
  constructor(frontend, connect) {
    this.frontend = frontend;
    this.connect = connect;
    this.clients = new Map();
    /** Those of whom it depends on time how much they got. */
    this.cut = new Set();
    /** What step `buffered` found. */
    this.waited = [];
  }

  async join(kind) {
    const name = uid(this.clients.size);
    if (this.clients.size >= MOST) return;
    const client = this.connect(name, kind, this.frontend);
    this.clients.set(name, client);
    await this.frontend.join(client);
  }

  async run({ kinds, steps }) {
    try {
      for (const kind of kinds) await this.join(kind);
      for (const each of numbered(steps)) await this.step(each);
      await this.finish();
      return this;
    } finally {
      // Before the sessions are closed, which they would hear.
      for (const client of this.clients.values()) if (client.socket) client.leave();
      await this.frontend.call('forget');
    }
  }

  async step({ turn, pause, resume, join, leave, how, race, buffered = [] }) {
    if (join) await this.join(join);
    if (pause) this.clients.get(pause)?.pause();
    if (resume) this.clients.get(resume)?.resume();
    if (turn) {
      turn.forEach((op) => this.note(op));
      await this.frontend.call('turn', turn);
    }
    for (const name of buffered) this.waited.push(await this.frontend.call('buffered', name));
    const client = this.clients.get(leave);
    if (!client) return;
    this.cut.add(leave);
    client.leave(how);
    if (race) return;
    const gone = async () => !(await this.frontend.call('bound')).includes(leave);
    await until(gone, `${leave} to be gone`, PATIENCE);
  }

  note({ do: what, to: [name] = [], act: inner, ops = [] }) {
    for (const each of inner ? [inner.op, ...ops] : ops) this.note(each);
    const kind = this.clients.get(name)?.kind;
    // After a kick a raw TCP socket is destroyed, with what waits in it.
    if (what === 'destroy' || (what === 'kick' && kind === 'tcp')) this.cut.add(name);
  }

  /** All read all that there is for them. */
  async finish() {
    for (const client of this.clients.values()) client.resume();
    await this.frontend.call('finish', LAST_WORDS);
    const isLast = ({ type, body }) =>
      type === 'close' || (type === 'data' && body.includes(LAST_WORDS));
    await Promise.all(
      [...this.clients.values()].map((client) => client.until(isLast, LAST_WORDS, PATIENCE)),
    );
    this.events = await this.frontend.call('events');
  }
}

const sockets = (uid, kind, { port, setup }) =>
  new Client({ uid, kind, port, secure: Boolean(setup.tls), sys: setup.sys });

const play = (frontend, schedule, connect = sockets) => new Play(frontend, connect).run(schedule);

/** The same schedule with the fan-out and without it. */
async function playBoth({ on, off }, schedule, connect) {
  // Both to their ends, so that what comes next finds the frontends at rest.
  const plays = [on, off].map((frontend) => play(frontend, schedule, connect));
  const [one, other] = await Promise.allSettled(plays);
  for (const { reason } of [one, other]) if (reason) throw reason;
  return { on: one.value, off: other.value };
}

/**
 * Streams of clients that are no bare sockets, or whose messages may be compressed or put together, are compared by
 * what is in them.
 */
const meaning = ({ items }) => items.map(({ type, body }) => `${type} ${body.toString('base64')}`);

/** The contract: the client of one play got what that of the other got, and no client what was for another. */
function assertSame({ on: one, off: other }, { bytes = true } = {}) {
  for (const { clients } of [one, other]) {
    for (const client of clients.values()) {
      assert.deepStrictEqual(client.foreign, [], `${client.uid} got messages of others`);
      const bad = client.items.map(({ type }) => type).filter((type) => type.startsWith('bad'));
      assert.deepStrictEqual(bad, [], `${client.uid} got what cannot be read`);
    }
  }
  assert.deepStrictEqual([...one.cut], [...other.cut]);
  for (const [name, client] of one.clients) {
    const its = other.clients.get(name);
    const cut = one.cut.has(name);
    if (bytes && client.kind !== 'deflate') assertBytes(client, its, cut);
    else assertMeaning(name, meaning(client), meaning(its), cut);
  }
  assert.deepStrictEqual(eventsOf(one), eventsOf(other), 'callbacks');
}

function assertBytes(client, its, cut) {
  const [a, b] = [client.bytes, its.bytes];
  const length = cut ? Math.min(a.length, b.length) : Math.max(a.length, b.length);
  if (a.subarray(0, length).equals(b.subarray(0, length))) return;
  const told = ({ items }) =>
    items.map(({ type, body, content }) => `${type} ${content ? content.n : ''} (${body.length})`);
  // What differs is easier to see in items; when these do not, the bytes are told.
  assert.deepStrictEqual(told(client), told(its), `what ${client.uid} (${client.kind}) got`);
  assert.fail(`${client.uid} (${client.kind}) got other bytes: ${a.length} and ${b.length}`);
}

function assertMeaning(name, a, b, cut) {
  const length = cut ? Math.min(a.length, b.length) : Math.max(a.length, b.length);
  const short = (text) => (text || 'nothing').slice(0, 200);
  for (let i = 0; i < length; i += 1) {
    if (a[i] === b[i]) continue;
    assert.strictEqual(short(a[i]), short(b[i]), `message ${i} of ${name}`);
    assert.fail(`message ${i} of ${name} differs`);
  }
}

/** Failed uids without those whose end is seen sooner or later. */
function eventsOf({ events, cut }) {
  return events.map(([n, error, value]) => [
    n,
    error,
    Array.isArray(value) ? value.filter((each) => !cut.has(each)) : value,
  ]);
}

module.exports = { schedules, pushSchedules, play, playBoth, assertSame };
