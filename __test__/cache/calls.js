'use strict';

/**
 * Random calls, with and without waiting, and the model of their answers: the calls applied in call order, each
 * at once. What other clients do meanwhile is up to the test.
 */

const assert = require('node:assert');
const fc = require('fast-check');
const { invoke } = require('../support/call');

const SIDS = ['s1', 's2', 's3'];

/** How many scripts a test plays; CACHE_RUNS=3000 is a long run. */
const RUNS = Number(process.env.CACHE_RUNS) || 150;
const TIME = { timeout: 30000 + RUNS * 100 };

const name = fc.constantFrom('a', 'b');
const sid = fc.constantFrom(...SIDS);
const uids = fc.uniqueArray(fc.constantFrom('u0', 'u1', 'u2', 'u3'), {
  minLength: 1,
  maxLength: 2,
});
const weighted = (list) =>
  fc.oneof(...list.map(([weight, arbitrary]) => ({ weight, arbitrary: fc.tuple(...arbitrary) })));

const call = weighted([
  [3, [fc.constant('add'), name, uids, sid]],
  [3, [fc.constant('leave'), name, uids, sid]],
  [5, [fc.constant('getMembersBySid'), name, sid]],
  [3, [fc.constant('getMembersByChannelName'), fc.constant('connector'), name]],
  [4, [fc.constant('pushMessage'), fc.constant('connector'), fc.constant('onChat'), name]],
  [1, [fc.constant('destroyChannel'), name]],
]);
/** What happens before the next call: nothing, a turn of the event loop, or this one's answer. */
const pace = fc.constantFrom('go on', 'go on', 'go on', 'turn', 'answer');
/** Calls, each with what comes before the next one: by default its pace, see `keepPace`. */
const script = (maxLength, next = pace) =>
  fc.array(fc.record({ call, next }), { maxLength, minLength: 1, size: 'max' });

/** The same without destroyChannel, which would remove what others wrote. */
const quiet = (scripts) =>
  scripts.map((steps) => steps.filter(({ call }) => call[0] !== 'destroyChannel'));

async function keepPace(next, done) {
  if (next === 'turn') await new Promise(setImmediate);
  if (next === 'answer') await done;
}

const sorted = (list) => list.slice().sort();

/** Who is where, if each call is done when it is called. */
class Members {
  constructor() {
    this.lists = new Map();
  }

  of(channel, id) {
    const place = JSON.stringify([channel, id]);
    if (!this.lists.has(place)) this.lists.set(place, new Set());
    return this.lists.get(place);
  }

  /** Does the call; what it must answer: a list, or for a push `[sid, list]` of each frontend. */
  apply([method, ...args]) {
    if (method === 'add') args[1].forEach((uid) => this.of(args[0], args[2]).add(uid));
    if (method === 'leave') args[1].forEach((uid) => this.of(args[0], args[2]).delete(uid));
    if (method === 'destroyChannel') SIDS.forEach((id) => this.of(args[0], id).clear());
    if (method === 'getMembersBySid') return sorted([...this.of(...args)]);
    if (method === 'getMembersByChannelName') {
      return sorted(SIDS.flatMap((id) => [...this.of(args[1], id)]));
    }
    if (method === 'pushMessage') {
      return SIDS.map((id) => [id, sorted([...this.of(args[2], id)])]).filter(
        ([, list]) => list.length > 0,
      );
    }
    return undefined;
  }
}

/**
 * Plays a script: what came of each call, as `{call, err, value}` with `value` in the form of the
 * model. `before(call)` is called before each call and `after(outcome)` at its answer; `between(next,
 * done)` goes between two calls.
 */
async function play(
  service,
  steps,
  { before = () => {}, after = () => {}, between = keepPace } = {},
) {
  const { rpcCalls } = service.app;
  rpcCalls.length = 0;
  const outcomes = [];
  const waiting = [];
  for (const [i, { call: made, next }] of steps.entries()) {
    const [method, ...args] = made;
    const outcome = { call: made, context: before(made) };
    if (method === 'pushMessage') args.splice(2, 0, { i });
    const record = invoke(service, method, ...args, ...(method === 'pushMessage' ? [{}] : []));
    const done = record.done.then(() => {
      outcome.err = record.err && String(record.err);
      if (Array.isArray(record.value)) outcome.value = sorted(record.value);
      if (method === 'pushMessage') {
        const own = rpcCalls.filter(({ msg }) => msg.args[1].i === i);
        outcome.failed = outcome.value;
        outcome.value = own.map(({ sid: to, msg }) => [to, sorted(msg.args[2])]);
      }
      after(outcome);
    });
    outcomes.push(outcome);
    waiting.push(done);
    await between(next, done);
  }
  await Promise.all(waiting);
  // Pushes reach a frontend in call order. (Long lists are first announced by an RPC of ours.)
  const pushes = rpcCalls.filter(({ msg }) => msg.namespace === 'sys');
  for (const id of SIDS) {
    const order = pushes.filter(({ sid: to }) => to === id).map(({ msg }) => msg.args[1].i);
    assert.deepStrictEqual(
      order,
      order.slice().sort((a, b) => a - b),
      `pushes to ${id}`,
    );
  }
  return outcomes;
}

module.exports = { Members, RUNS, SIDS, TIME, play, quiet, script };
