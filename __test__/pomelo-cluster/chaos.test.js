'use strict';
/**
 * Option `membership: 'session'` under chaos: in a real pomelo or pinus cluster sessions come, go, reconnect, are kicked, and log in twice on one
 * and on two frontends, while servers and the store are killed, stopped and started again, and links are cut. During it the store is
 * sampled for memberships that are missing; in the end members and registry are exactly the open sessions.
 *
 * With CHAOS_STORE (redis, sentinel, cluster, embedded: chaos/stores.js), CHAOS_FRAMEWORK (pomelo, pinus), or CHAOS_SECONDS=n there
 * is one such run (`npm run test:chaos`: ten minutes). CHAOS_SEED=n repeats a run as far as timing allows.
 */

const { it } = require('node:test');
const { IMPL } = require('./support');
const chaos = require('./chaos/run');

const { CHAOS_STORE, CHAOS_FRAMEWORK, CHAOS_SECONDS, CHAOS_SEED } = process.env;
const seed = Number(CHAOS_SEED) || Date.now() % 1000000;

const RUNS =
  CHAOS_STORE || CHAOS_FRAMEWORK || CHAOS_SECONDS
    ? [
        {
          store: CHAOS_STORE || 'redis',
          framework: CHAOS_FRAMEWORK || 'pomelo',
          seconds: Number(CHAOS_SECONDS) || 60,
        },
      ]
    : [{ store: 'redis', framework: 'pomelo', seconds: 60 }];

for (const { store, framework, seconds } of RUNS) {
  it(
    `members are the open sessions after ${seconds} s of faults: ${framework}, ${store}`,
    { timeout: (seconds + 300) * 1000, skip: IMPL === 'old' && 'not in 0.0.7' },
    () => chaos({ store, framework, seconds, seed }),
  );
}
