'use strict';
/**
 * The contestants. All but the limit are the service of a plugin in its own process: 0.0.7, ours, or 0.0.7 with another
 * client as its `channelManager`. All figures are relative to the first.
 *
 * `store` is one of stores.js; `takes` chooses the cells, if not all, and `rounds` limits the rounds.
 */

const alone = ({ writers }) => !writers;

/** What is asked of a cluster: 0.0.7 cannot use one, so its figures are compared with those of one Redis. */
const CLUSTERED = ['pushMessage-3x1000', 'getMembersBySid-1000', 'add', 'churn-1:10'];
const clustered = (cell) => alone(cell) && CLUSTERED.includes(cell.id.split('/')[0]);

// Peers take what 0.0.7 can do, but churn, in which a client that keeps nothing costs what it costs without.
const PEER_KINDS = ['add', 'leave', 'bySid', 'cold', 'byName', 'push'];
const ofPeers = (cell) => alone(cell) && PEER_KINDS.includes(cell.kind);

// A service without a cache differs where lists are read.
const READING_KINDS = ['bySid', 'cold', 'byName', 'push', 'churn'];
const ofLists = (cell) => alone(cell) && READING_KINDS.includes(cell.kind);

// Their figures are only shown: a goal is never compared with them.
const PEER_ROUNDS = 1;

const contestants = [
  { id: 'old', label: '0.0.7', impl: 'old' },
  { id: 'ours', label: 'this package', impl: 'ours' },
  { id: 'embedded', label: 'this package, embedded', impl: 'ours', store: 'embedded' },
  {
    id: 'synced',
    label: "this package, embedded, durability: 'os'",
    impl: 'ours',
    store: 'synced',
    // Only writes wait for the disk at each commit.
    takes: (cell) => alone(cell) && cell.kind === 'add',
  },
  {
    id: 'uncached',
    label: 'this package, cache: false',
    impl: 'ours',
    opts: { cache: false },
    takes: ofLists,
  },
  {
    id: 'cluster',
    label: 'this package, Redis Cluster of 3 primaries',
    impl: 'ours',
    store: 'cluster',
    takes: clustered,
  },
  {
    id: 'tagged',
    label: 'this package, Redis Cluster of 3 primaries, hashTag: true',
    impl: 'ours',
    store: 'tagged',
    takes: clustered,
  },
  {
    id: 'ioredis',
    label: '0.0.7 over ioredis',
    impl: 'old',
    manager: 'ioredis',
    takes: ofPeers,
    rounds: PEER_ROUNDS,
  },
  {
    id: 'autopipe',
    label: '0.0.7 over ioredis, auto-pipelining',
    impl: 'old',
    manager: 'autopipe',
    takes: ofPeers,
    rounds: PEER_ROUNDS,
  },
  {
    id: 'node-redis',
    label: '0.0.7 over node-redis',
    impl: 'old',
    manager: 'node-redis',
    takes: ofPeers,
    rounds: PEER_ROUNDS,
  },
  {
    id: 'glide',
    label: '0.0.7 over valkey-glide',
    impl: 'old',
    manager: 'glide',
    takes: ofPeers,
    rounds: PEER_ROUNDS,
  },
  // The server and a C client over one connection, without Node (limit.js).
  {
    id: 'limit',
    label: 'redis-benchmark',
    impl: null,
    takes: alone,
    rounds: PEER_ROUNDS,
  },
];

const BASELINE = contestants[0].id;

module.exports = { BASELINE, contestants };
