'use strict';

/**
 * The rights that the plugin's user needs in Redis, as in docs/REDIS.md. topology/acl.test.js shows that each is needed, and for
 * what.
 */

/** Without a cache. */
const PLAIN = [
  '+select',
  '+info',
  '+client|id',
  '+client|kill',
  '+smembers',
  '+scard',
  '+sismember',
  '+sscan',
  '+sadd',
  '+srem',
  '+unlink',
  '+scan',
  '+type',
];

/** What the cache needs beside it. */
const CACHE = ['+client|tracking', '+client|trackinginfo', '+client|caching', '+touch', '+eval'];

/** What the session registry needs beside them, and keys that begin with the prefix and an @. */
const LEASES = ['+get', '+pttl', '+psetex'];

/** What option `membership: 'session'` needs beside all of them. */
const MEMBERS = ['+hset', '+hdel', '+hlen', '+hkeys', '+hget', '+hincrby', '+pexpire'];

/** What option `events` needs beside `eval`, and the channels of publish and subscribe. */
const EVENTS = ['+exists', '+publish', '+subscribe'];
const CHANNELS = '&POMELO:CHANNEL@events:*';

/** Without options, at the nodes of a Redis Cluster. */
const CLUSTER = [
  ...PLAIN.filter((right) => right !== '+select'),
  '+cluster|slots',
  '+cluster|nodes',
  '+asking',
];

/** What the suite's user gets beside its keys, which are those of all prefixes. */
const LEAST = [
  'resetchannels',
  '&*@events:*',
  '-@all',
  ...PLAIN,
  ...CACHE,
  ...LEASES,
  ...MEMBERS,
  ...EVENTS,
];

module.exports = { PLAIN, CACHE, LEASES, MEMBERS, EVENTS, CHANNELS, CLUSTER, LEAST };
