'use strict';

/**
 * What the plugin's user in Redis has to be allowed, as docs/REDIS.md says it. That each of these is needed, and for
 * what, is topology/acl.test.js's to show.
 */

/** Without a cache. */
const PLAIN = [
  '+select',
  '+info',
  '+client|id',
  '+client|kill',
  '+smembers',
  '+scard',
  '+sadd',
  '+srem',
  '+unlink',
  '+scan',
  '+type',
];

/** What the cache needs beside it. */
const CACHE = ['+client|tracking', '+client|trackinginfo', '+client|caching', '+touch', '+eval'];

/** What the suite's user gets beside its keys. */
const LEAST = ['resetchannels', '-@all', ...PLAIN, ...CACHE];

module.exports = { PLAIN, CACHE, LEAST };
