'use strict';

/**
 * Histories that are linearizable by construction, made without a store: calls get moments at which they take effect, and
 * reads show the state at theirs. They prove that the checker raises no false alarm and, with one answer made old, that it
 * raises a correct one.
 */

const fc = require('fast-check');
const { KEYS, ownerOf, SIDS } = require('./keys');
const { emptyHistory } = require('./log');

const KEY = KEYS[0];
const OWNER = ownerOf(KEY);
const RANGE = 2 ** 24;

/** The same numbers from 0 to 1 for the same seed. */
function generator(seed) {
  const numbers = fc.sample(fc.noBias(fc.nat(RANGE - 1)), { seed, numRuns: 2000 });
  let next = 0;
  return () => numbers[next++ % numbers.length] / RANGE;
}

/** One process: its calls, in order, with moments that keep it; `cut` makes it send some again. */
function schedule(by, kinds, random, cut) {
  const calls = kinds.map((kind, i) => ({ by, kind, seq: i + 1 }));
  let [start, done, end] = [random() * 20, 0, 0];
  for (const call of calls) {
    // Several calls in one tick, then a pause, shorter than an answer takes or longer.
    if (random() < 0.5) start += random() * 40;
    call.start = start;
    done = Math.max(done, start) + 0.01 + random() * 10;
    end = Math.max(end, done) + random() * 20;
    Object.assign(call, { at: [done], end });
    start += 0.001;
  }
  if (!cut) return calls;
  const at = calls[Math.floor(random() * calls.length)].start + random() * 10;
  const open = calls.filter((call) => call.start < at && call.end > at);
  const shift = random() * 30;
  let again = at;
  for (const call of open) {
    again = Math.max(again, shift + call.at[0]) + 0.01;
    // What the old connection did not bring to the store does not happen there.
    call.at = call.at[0] < at ? [call.at[0], again] : [again];
    call.end = again;
  }
  const late = Math.max(0, ...open.map(({ end }) => end));
  for (const call of calls.slice(calls.indexOf(open.at(-1)) + 1)) {
    if (open.length === 0 || call.start < at) continue;
    again = Math.max(again, late, call.at[0]) + 0.01;
    call.at = [again];
    call.end = Math.max(call.end, again);
  }
  return calls;
}

/** The writer's calls: add the next, take out the last, its own reads anywhere between. */
function writerCalls(random, count) {
  const kinds = [];
  for (let n = 1; n <= count; n += 1) {
    kinds.push(['add', n]);
    if (random() < 0.5) kinds.push(['read']);
    if (n > 1) kinds.push(['leave', n - 1]);
    if (random() < 0.5) kinds.push(['read']);
    if (random() < 0.1) kinds.push(['wipe'], ['read']);
  }
  return kinds;
}

const times = (length, kind) => Array.from({ length }, () => [kind]);

/** `{history, reads, changes}` of one key. */
function simulate(seed, { wipes = 3, cuts = false } = {}) {
  const random = generator(seed);
  const reader = (by) => schedule(by, times(30, 'read'), random, cuts);
  const calls = [
    ...schedule(OWNER, writerCalls(random, 12), random, cuts),
    ...SIDS.flatMap((sid) => reader(`reader-${sid}`)),
    ...schedule('chaos', times(wipes, 'wipe'), random, false),
  ];
  const steps = calls.flatMap((call) => call.at.map((at) => ({ at, call })));
  steps.sort((a, b) => a.at - b.at);
  const state = new Set();
  for (const { call } of steps) {
    const [kind, n] = call.kind;
    call.before = [...state];
    if (kind === 'add') state.add(n);
    else if (kind === 'leave') state.delete(n);
    else if (kind === 'wipe') state.clear();
    call.changed = call.before.length !== state.size;
    call.versions = [...state];
  }
  return { ...record(calls), changes: calls.filter(({ kind }) => kind[0] !== 'read') };
}

function record(calls) {
  const history = emptyHistory();
  const entry = history.keys.get(KEY);
  const reads = [];
  for (const { by, seq, start, end, kind, versions, changed } of calls) {
    const op = { by, seq, start, end };
    const [name, n] = kind;
    if (name === 'read') reads.push({ ...op, versions });
    else if (name === 'wipe') entry.wipes.push({ ...op, bornBefore: start, what: 'wipe' });
    else {
      (entry.versions[n - 1] ||= { n, add: null, leave: null })[name] = op;
      entry.changed.push({ ...op, n, what: name, count: Number(changed) });
    }
  }
  entry.reads.push(...reads);
  return { history, reads };
}

module.exports = { simulate, KEY, OWNER };
