'use strict';
/**
 * The contestants. All but the limit are the service of a plugin in its own process: 0.0.7, ours, or 0.0.7 with another
 * client as its `channelManager`. All figures are relative to the first.
 *
 * `store` is one of stores.js; `takes` chooses the cells, if not all.
 */

const alone = ({ writers }) => !writers;

/** What is asked of a cluster: 0.0.7 cannot use one, so its figures are compared with those of one Redis. */
const CLUSTERED = ['pushMessage-3x1000', 'getMembersBySid-1000', 'add', 'churn-1:10'];
const clustered = (cell) => alone(cell) && CLUSTERED.includes(cell.id.split('/')[0]);

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
    takes: alone,
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
    takes: alone,
  },
  {
    id: 'autopipe',
    label: '0.0.7 over ioredis, auto-pipelining',
    impl: 'old',
    manager: 'autopipe',
    takes: alone,
  },
  {
    id: 'node-redis',
    label: '0.0.7 over node-redis',
    impl: 'old',
    manager: 'node-redis',
    takes: alone,
  },
  {
    id: 'glide',
    label: '0.0.7 over valkey-glide',
    impl: 'old',
    manager: 'glide',
    takes: alone,
  },
  // The server and a C client over one connection, without Node (limit.js).
  { id: 'limit', label: 'redis-benchmark', impl: null, takes: alone },
];

const BASELINE = contestants[0].id;

module.exports = { BASELINE, contestants };
