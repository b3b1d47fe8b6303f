'use strict';
/**
 * Each metric moves when it should: a real cluster is scraped at its master while clients come, go and push, while a connector hangs
 * and is killed, and while Redis stands still. What can be counted outside is what is shown. What Prometheus makes of it is in
 * metrics.test.js.
 */

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const http = require('node:http');
const path = require('node:path');
const { before, after, describe } = require('node:test');
const { assertGot, end, join, ours, push, startPushes } = require('./support');
const { startCluster } = require('../../demo/cluster');
const { Client } = require('../../demo/client');
const { freePorts } = require('../support/ports');
const { ownRedis } = require('../../demo/stores');
const { FAMILIES } = require('../../lib/metrics/families');
const parse = require('../metrics/exposition');
const { until } = require('../support/until');

const LEASE = 3000;
const PATIENCE = 30000;
const PUSHES = 5;
const READS = 100;

/** It takes a client that does not read: fan-out/slow.test.js. */
const ELSEWHERE = ['globalchannel_fanout_slow_total'];

describe('the metrics of a cluster', () => {
  let cluster;
  let clients;
  let port;
  let redis;
  /** The metrics that have had a value other than 0. */
  const moved = new Set();

  const cli = (...args) =>
    execFileSync('redis-cli', ['-p', String(redis), ...args], { encoding: 'utf8' });

  /** A Redis with a member that 0.0.7 had added. */
  async function store(given) {
    const own = await ownRedis(given);
    redis = own.options.port;
    cli('sadd', 'POMELO:CHANNEL:old:connector-1', 'stranger');
    return own;
  }

  before(async () => {
    [port] = await freePorts(1);
    const globalChannel = {
      membership: 'session',
      leaseTtl: LEASE,
      leaveDelay: 500,
      events: true,
      pushTimeout: 3000,
      commandTimeout: 2000,
    };
    cluster = await startCluster({
      connectors: 2,
      chats: 1,
      store,
      globalChannel,
      extension: path.join(__dirname, 'events/extension.js'),
      env: { METRICS_PORT: String(port) },
    });
    const connect = (n) => Client.connect(cluster.connectors[n % 2], `u${n}`, 'chat-1');
    clients = await Promise.all([0, 1, 2, 3, 4, 5].map(connect));
    await cluster.ask('chat-1', 'follow', 'room');
  });

  after(() => end(cluster, clients || []));

  /** Scrapes the master: `sum(name, labels)` of the samples that have all these labels. */
  async function scrape() {
    const body = await new Promise((resolve, reject) => {
      const request = http.get({ host: '127.0.0.1', port, path: '/metrics' }, (response) => {
        let text = '';
        response.on('data', (part) => (text += part));
        response.on('end', () => resolve(text));
      });
      request.on('error', reject);
    });
    const samples = Object.entries(parse(body).samples);
    for (const [key, value] of samples) {
      if (value !== 0) moved.add(/^\w+/.exec(key)[0].replace(/_(bucket|sum|count)$/, ''));
    }
    const sum = (name, labels = {}) => {
      const wanted = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
      const isMeant = (key) =>
        /^\w+/.exec(key)[0] === `globalchannel_${name}` &&
        wanted.every((pair) => key.includes(pair));
      const found = samples.filter(([key]) => isMeant(key)).map(([, value]) => value);
      return found.reduce((total, value) => total + value, 0);
    };
    const parts = (name) => samples.filter(([key]) => key.startsWith(`globalchannel_${name}{`));
    return Object.assign(sum, { parts });
  }

  /** Scrapes the figures of all servers, of which one may be silent on a busy machine. */
  async function scrapeAll() {
    let sum;
    const isWhole = async () => (sum = await scrape())('silent_servers') === 0;
    await until(isWhole, 'all servers to answer', PATIENCE);
    return sum;
  }

  /** Until a scrape has this sum. */
  const becomes = (value, name, labels) => reaches((sum) => sum === value, name, labels);

  async function reaches(isMeant, name, labels) {
    let last;
    const holds = async () => isMeant((last = await scrape())(name, labels));
    await until(holds, name, PATIENCE).catch((err) => {
      const parts = last && JSON.stringify(last.parts(name));
      throw new Error(`${err.message}; it is ${last?.(name, labels)}: ${parts}`);
    });
  }

  const isSome = (sum) => sum > 0;
  const chat = { server: 'chat-1' };
  const killConnector = (signal) => cluster.servers.get('connector-2').child.kill(signal);

  ours('what clients do: sessions, calls, pushes, messages, events', async () => {
    await join(clients, 'room');
    const pushes = await push(cluster, 'chat-1', 'room', PUSHES);
    await assertGot(clients, pushes);
    const messages = clients.reduce((count, client) => count + client.messages.length, 0);
    await becomes(clients.length, 'sessions');
    await becomes(clients.length, 'users');
    await becomes(2, 'lease_held');
    await becomes(clients.length, 'commands_total', { ...chat, method: 'add' });
    await becomes(clients.length, 'command_duration_seconds_count', { ...chat, method: 'add' });
    await becomes(PUSHES, 'pushes_total', chat);
    await becomes(2 * PUSHES, 'push_rpcs_total', { ...chat, result: 'answered' });
    await becomes(clients.length, 'events_total', chat);
    await becomes(clients.length, 'event_lag_seconds_count', chat);
    await reaches((sum) => sum >= messages, 'fanout_messages_total');
    await becomes(4, 'connected');
    await becomes(4, 'cache_enabled');
    assert.doesNotMatch(cluster.servers.get('master').log(), /metrics:/, 'nothing went wrong');
  });

  ours('each read is a hit, a miss or a read again', async () => {
    const reads = (sum) =>
      ['hits', 'misses', 'rereads'].map((kind) => sum(`cache_${kind}_total`, chat));
    const total = (list) => list.reduce((all, each) => all + each, 0);
    const read = () => cluster.call('chat-1', 'getMembersBySid', 'cached', 'connector-1');
    // One with a session there, who stays, and one without, whom a comparison removes.
    await cluster.call('connector-2', 'add', 'cached', ['u0', 'a'], 'connector-1');
    const [hits, misses, rereads] = reads(await scrapeAll());
    for (let i = 0; i < READS; i += 1) assert.ok((await read()).includes('u0'));
    const after = reads(await scrapeAll());
    const made = total(after) - total([hits, misses, rereads]);
    // Once a second the server looks at the leases, which are two more lists.
    assert.ok(made >= READS && made < 2 * READS, `${made} of ${READS} reads`);
    assert.ok(after[0] > hits && after[1] > misses, `${after}`);
    // A change whose report comes after the question, and before its answer.
    await until(
      async () => {
        const user = ['cached', 'u0', 'connector-1'];
        const changes = Array.from({ length: 50 }, (_, i) => [i % 2 ? 'leave' : 'add', ...user]);
        const changed = cluster.burst('connector-2', changes);
        while (changed.some((answers) => answers.length === 0)) await read();
        return (await scrape())('cache_rereads_total', chat) > rereads;
      },
      'a list that was read again',
      PATIENCE,
    );
    await reaches(isSome, 'cache_invalidations_total', chat);
    await reaches(isSome, 'cache_bytes', chat);
  });

  ours(
    'members without a session: errors, failed uids, what comparisons and scans find',
    async () => {
      const refused = cluster.call('chat-1', 'add', null, 'u', 'connector-1');
      await assert.rejects(refused, { code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT' });
      await becomes(1, 'errors_total', { ...chat, code: 'ERR_GLOBAL_CHANNEL_INVALID_ARGUMENT' });
      const failed = (await scrapeAll())('push_failed_uids_total', chat);
      const [first] = cluster
        .burst('chat-1', [
          ['add', 'ghosts', ['x', 'y', 'z'], 'connector-1'],
          ['pushMessage', 'connector', 'onChat', { n: 0, text: '', from: '' }, 'ghosts', {}],
        ])
        .slice(1);
      await until(() => first.length > 0, 'the push');
      assert.deepStrictEqual(first[0].value.sort(), ['x', 'y', 'z']);
      await becomes(failed + 3, 'push_failed_uids_total', chat);
      // Those three, the one of `cached`, and the one of 0.0.7.
      await becomes(5, 'members_purged_total', { reason: 'reconcile' });
      await becomes(1, 'scan_found_total');
      await becomes(2, 'scans_total');
      await reaches(isSome, 'scan_steps_total');
    },
  );

  ours('a client that goes, and one that goes while Redis stands still', async () => {
    clients.pop().close();
    await becomes(1, 'members_purged_total', { reason: 'close' });
    const { pid } = cluster.store;
    let gone;
    process.kill(pid, 'SIGSTOP');
    try {
      const asked = cluster.burst('chat-1', [
        ['getCountBySid', 'unread', 'connector-1'],
        ['getCountBySid', 'unread too', 'connector-1'],
      ]);
      await becomes(2, 'queue_length', chat);
      await reaches(isSome, 'inflight_batches', chat);
      gone = clients.pop();
      gone.close();
      await becomes(1, 'leaves_waiting', { server: 'connector-1' });
      await until(() => asked.every((each) => each.length === 1), 'the answers', PATIENCE);
      await becomes(2, 'errors_total', { ...chat, code: 'ERR_GLOBAL_CHANNEL_TIMEOUT' });
      await reaches(isSome, 'lease_renew_failures_total');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    // The answer to the leave may have come too late to be counted.
    const isGone = async () => !(await cluster.call('chat-1', 'isMember', 'room', gone.uid, null));
    await until(isGone, 'the member to leave', PATIENCE);
    await becomes(0, 'leaves_waiting');
    await becomes(0, 'queue_length');
    const before = await scrapeAll();
    cli('client', 'kill', 'type', 'pubsub');
    cli('client', 'kill', 'type', 'normal');
    await reaches((sum) => sum > before('reconnects_total', chat), 'reconnects_total', chat);
    await reaches((sum) => sum > before('event_gaps_total', chat), 'event_gaps_total', chat);
    await becomes(2, 'lease_held');
  });

  ours('a connector that hangs beyond its lease, and one that is killed', async () => {
    const there = clients.filter(({ connector }) => connector === 'connector-2');
    const before = await scrapeAll();
    const backs = before('members_put_back_total');
    const purges = before('members_purged_total', { reason: 'purge' });
    const sweeps = before('swept_frontends_total');
    killConnector('SIGSTOP');
    try {
      const late = startPushes(cluster, 'chat-1', 'room');
      await late.answered();
      assert.deepStrictEqual(
        late.answers[0][0].value.sort(),
        there.map(({ uid }) => uid),
      );
      await becomes(1, 'push_rpcs_total', { ...chat, result: 'timed_out' });
      await becomes(1, 'silent_servers');
      await becomes(purges + there.length, 'members_purged_total', { reason: 'purge' });
      await reaches((sum) => sum > sweeps, 'swept_frontends_total');
      await reaches(isSome, 'purge_lag_seconds');
    } finally {
      killConnector('SIGCONT');
    }
    await becomes(backs + there.length, 'members_put_back_total');
    await becomes(2, 'lease_held');
    killConnector('SIGSTOP');
    const lost = startPushes(cluster, 'chat-1', 'room');
    await cluster.stopServer('connector-2', 'SIGKILL');
    await lost.answered();
    const { result } = await lostAs();
    assert.ok(result, 'it has departed, or was late');
    await becomes(3, 'connected');
    await becomes(purges + 2 * there.length, 'members_purged_total', { reason: 'purge' });
  });

  /** How the RPC to the dead connector has ended. */
  async function lostAs() {
    const sum = await scrapeAll();
    const of = (result) => sum('push_rpcs_total', { ...chat, result });
    if (of('departed') === 1) return { result: 'departed' };
    if (of('failed') === 1) return { result: 'failed' };
    return { result: of('timed_out') === 2 && 'timed_out' };
  }

  ours('all of them have moved', async () => {
    await scrape();
    const still = FAMILIES.map(({ name }) => name).filter((name) => !moved.has(name));
    assert.deepStrictEqual(still, ELSEWHERE);
  });
});
