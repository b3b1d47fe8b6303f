'use strict';
/**
 * Who is measured. All but the limit are the service of a plugin in a process of its own: 0.0.7's,
 * ours, or 0.0.7's over another client as its `channelManager`. The figures of all are set against
 * the first.
 */

const contestants = [
  { id: 'old', label: '0.0.7', impl: 'old' },
  { id: 'ours', label: 'this package', impl: 'ours' },
  { id: 'uncached', label: 'this package, cache: false', impl: 'ours', opts: { cache: false } },
  { id: 'ioredis', label: '0.0.7 over ioredis', impl: 'old', manager: 'ioredis' },
  {
    id: 'autopipe',
    label: '0.0.7 over ioredis, auto-pipelining',
    impl: 'old',
    manager: 'autopipe',
  },
  { id: 'node-redis', label: '0.0.7 over node-redis', impl: 'old', manager: 'node-redis' },
  { id: 'glide', label: '0.0.7 over valkey-glide', impl: 'old', manager: 'glide' },
  // No Node at all: what the server and a C client can do over one connection. See limit.js.
  { id: 'limit', label: 'redis-benchmark', impl: null },
];

const BASELINE = contestants[0].id;

module.exports = { BASELINE, contestants };
