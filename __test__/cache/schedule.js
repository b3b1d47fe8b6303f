'use strict';

/**
 * Makes tests of the member cache: starts a wire double or a real server with a service, and has the steps that the tests
 * are written in: fill, read, what the cache counted. Everything goes through the public methods and `stats()`.
 */

const assert = require('node:assert');
const double = require('./double');
const { call, invoke, ok } = require('../support/call');
const { ours } = require('../support/rows');
const { started, stopAll } = require('../support/service');
const { until } = require('../support/until');

const NAME = 'n';
const SID = 's1';

/** The store's name of a channel on a frontend. */
const key = (name = NAME, sid = SID) => `POMELO:CHANNEL:${name}:${sid}`;
const K = key();
const J = key('j');

/** `fn({double, service})` with a double that says `persona` of itself. */
function onDouble(title, fn, { persona, opts, timeout } = {}) {
  const schedule = async () => {
    const server = await double.start(persona);
    try {
      await fn({ double: server, service: await started(server, opts) });
    } finally {
      server.flow();
      await stopAll();
      await server.close();
    }
  };
  ours(title, schedule, { timeout });
}

/** The record of a read that is under way; see support/call.js. */
const reading = (service, name = NAME, sid = SID) => invoke(service, 'getMembersBySid', name, sid);

/** The members, sorted. */
async function read(service, name = NAME, sid = SID) {
  return (await ok(service, 'getMembersBySid', name, sid)).sort();
}

/** The members that a read under way comes to, sorted. */
async function result(record) {
  const { err, value } = await record.done;
  if (err) throw err;
  return value.slice().sort();
}

/** What the cache counted while `fn` ran. */
async function counted(service, fn) {
  const before = service.stats().cache;
  await fn();
  const after = service.stats().cache;
  return Object.fromEntries(
    ['hits', 'misses', 'rereads', 'invalidations'].map((name) => [
      name,
      after[name] - before[name],
    ]),
  );
}

/** One read that comes from memory; fails where it does not. */
async function hit(service, name = NAME, sid = SID) {
  let members;
  const { hits } = await counted(service, async () => (members = await read(service, name, sid)));
  assert.strictEqual(hits, 1, `${name} on ${sid} was not served by the cache`);
  return members;
}

/** Reads into the cache, and makes sure that it is there: a list with members is kept from its second read on. */
async function fill(service, name = NAME, sid = SID) {
  await read(service, name, sid);
  await read(service, name, sid);
  // A push on its way, of a write before, may have ended the first load; it has arrived now.
  await read(service, name, sid);
  return hit(service, name, sid);
}

/** A read that must not come from memory. */
async function noHit(service, name = NAME, sid = SID) {
  let members;
  const { hits } = await counted(service, async () => (members = await read(service, name, sid)));
  assert.strictEqual(hits, 0, `${name} on ${sid} was served by the cache`);
  return members;
}

/** Until the service has taken `count` more pushes of the server than `before`. */
const invalidated = (service, before, count = 1) =>
  until(
    () => service.stats().cache.invalidations >= before + count,
    'the push to be taken by the cache',
    5000,
  );

/** Until the wire shows it, or the call is answered: a broken cache answers without asking. */
const either = (arrival, record) => Promise.race([arrival, record.done]);

/** The error of a call that must fail. */
async function failing(...args) {
  const { err } = await call(...args);
  assert.ok(err instanceof Error, `${args[1]} succeeded`);
  return err;
}

module.exports = {
  J,
  K,
  counted,
  either,
  failing,
  fill,
  hit,
  invalidated,
  key,
  noHit,
  onDouble,
  read,
  reading,
  result,
};
