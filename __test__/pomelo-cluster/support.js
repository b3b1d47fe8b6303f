'use strict';
/**
 * Shared by the cluster tests: the plugin under test, pushes with numbers of their own, and their receivers. The cluster is that of
 * the demo (demo/cluster.js).
 *
 * IMPL=old uses pomelo-globalchannel-plugin 0.0.7 instead, to check the tests against the original; `ours` rows, where the
 * contract decides differently, are skipped.
 */

const assert = require('node:assert');
const { it } = require('node:test');
const { until } = require('../../demo/processes');
// Clusters that start at a time get different ports.
require('../support/ports');

const OLD = 'pomelo-globalchannel-plugin';
const IMPL = process.env.IMPL === 'old' ? 'old' : 'ours';
// Before demo/cluster.js is loaded, which reads it.
if (IMPL === 'old') process.env.GLOBALCHANNEL_PLUGIN = OLD;

const TIMEOUT = 60000;
let lastNumber = 0;

function same(title, fn) {
  it(title, { timeout: TIMEOUT }, fn);
}

function ours(title, fn) {
  it(title, { timeout: TIMEOUT, skip: IMPL === 'old' && 'decided differently from 0.0.7' }, fn);
}

const uids = (clients) => clients.map(({ uid }) => String(uid));

/** On the chat servers of the clients' sessions, as an app does. */
const join = (clients, channel) =>
  Promise.all(clients.map((client) => client.request('chat.chatHandler.join', { channel })));

const leave = (clients, channel) =>
  Promise.all(clients.map((client) => client.request('chat.chatHandler.leave', { channel })));

/** Starts `count` pushes in one go. `numbers` tell them apart, `answers` fill as they come. */
function startPushes(cluster, from, channel, count = 1, opts = {}) {
  return startCalls(cluster, from, count, (msg) => [
    'pushMessage',
    'connector',
    'onChat',
    msg,
    channel,
    opts,
  ]);
}

/** The same with calls of any method; `callOf(msg)` makes one. */
function startCalls(cluster, from, count, callOf) {
  const numbers = Array.from({ length: count }, () => ++lastNumber);
  const calls = numbers.map((n) => {
    return callOf({ n, text: `message ${n}`, from });
  });
  const answers = cluster.burst(from, calls);
  const answered = () =>
    until(
      () => answers.every(({ length }) => length > 0),
      `${from} to answer ${count} pushes`,
      TIMEOUT / 2,
    );
  return { from, numbers, answers, answered };
}

/** Pushes and waits for the answers, which must be one each, and tell of no failure. */
function push(cluster, from, channel, count, opts) {
  return reachingAll(startPushes(cluster, from, channel, count, opts));
}

/** Waits for the answers to pushes, which must be one each, and tell of no failure. */
async function reachingAll(pushes) {
  await pushes.answered();
  for (const answers of pushes.answers) {
    assert.deepStrictEqual(answers, [{ error: null, value: [] }]);
  }
  return pushes;
}

/** Every one of the clients got every one of these pushes, once, and those of a server in order. */
async function assertGot(clients, ...pushes) {
  await Promise.all(clients.map((client) => client.ping()));
  assertHas(clients, ...pushes);
}

/** The same for what has come by now; for clients whose connector does not answer any more. */
function assertHas(clients, ...pushes) {
  for (const { numbers } of pushes) {
    for (const client of clients) {
      assert.deepStrictEqual(among(client, numbers), numbers, `messages of ${client.uid}`);
    }
  }
}

async function assertGotNothing(clients, ...pushes) {
  await Promise.all(clients.map((client) => client.ping()));
  for (const { numbers } of pushes) {
    for (const client of clients) {
      assert.deepStrictEqual(among(client, numbers), [], `messages of ${client.uid}`);
    }
  }
}

/** The numbers of those pushes that came to the client, in the order in which they came. */
function among(client, numbers) {
  const wanted = new Set(numbers);
  return client.messages.map(({ n }) => n).filter((n) => wanted.has(n));
}

/** Stops what `before` got so far, and sees that no server had died by itself. */
async function end(cluster, clients) {
  clients.forEach((client) => client.close());
  const deaths = cluster ? cluster.deaths() : [];
  await cluster?.stop();
  assert.deepStrictEqual(deaths, [], 'no server died by itself');
}

/**
 * Stops all servers, the master last: pomelo's client of the master throws when it is stopped after that is gone. Resolves to
 * how each ended, by id.
 */
async function stopEach(cluster) {
  const ends = {};
  const stop = async (id) => (ends[id] = await cluster.stopServer(id));
  const others = [...cluster.servers.keys()].filter((id) => id !== 'master');
  await Promise.all(others.map(stop));
  await stop('master');
  return ends;
}

module.exports = {
  IMPL,
  OLD,
  among,
  assertGot,
  assertGotNothing,
  end,
  join,
  leave,
  ours,
  push,
  reachingAll,
  same,
  startCalls,
  startPushes,
  stopEach,
  uids,
  until,
};
