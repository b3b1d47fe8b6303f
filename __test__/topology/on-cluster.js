'use strict';

/**
 * Shared by the suites of Redis Cluster: one cluster per file, and commands that go on during a fault. The roles of the nodes are
 * in support/cluster.js.
 */

const { describe, before, after, afterEach } = require('node:test');
const clusters = require('../support/cluster');
const { started, stopAll } = require('../support/service');
const { pause } = require('../support/until');

/** Longer than any failover on any machine: what is not answered by then hangs. */
const PATIENT = { commandTimeout: 60000, retry_max_delay: 200 };

/** The keys of Flight's channels. */
const KEYS = ['c0', 'c1', 'c2', 'c3', 'c4'].flatMap((name) =>
  ['s1', 's2', 's3'].map((sid) => `POMELO:CHANNEL:${name}:${sid}`),
);

/** Random commands, a few at a time, until `work` is done. */
async function during(flight, work) {
  const state = { working: true };
  const working = Promise.resolve(work).finally(() => (state.working = false));
  working.catch(() => {});
  while (state.working) {
    flight.send(20);
    await pause(10);
  }
  return working;
}

/** Makes suites on a cluster of their own, with these options, which is empty for each test. `body` gets it as `ctx.cluster`. */
const suiteOn = (options) => (title, timeout, body) => {
  describe(title, { timeout }, () => {
    const ctx = { connected: (more, app) => started(ctx.cluster, more, app) };
    before(async () => {
      ctx.cluster = await clusters.start(options);
    });
    afterEach(async () => {
      await stopAll();
      if (ctx.cluster) await ctx.cluster.empty();
    });
    after(() => ctx.cluster && ctx.cluster.close());
    body(ctx);
  });
};

const onCluster = suiteOn({});
/** On one whose nodes die and hang. */
const onFailingCluster = suiteOn({ nodeTimeout: clusters.SOON });

module.exports = { KEYS, PATIENT, during, onCluster, onFailingCluster };
