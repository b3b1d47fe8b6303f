'use strict';

/**
 * How a row of the contract becomes a test. `same` rows hold for 0.0.7 as well and run with
 * IMPL=old too; `ours` rows are decided differently on purpose (or refine a row beyond what 0.0.7
 * does) and are skipped there. An `area` is a suite with one private redis-server.
 */

const { describe, it, before, beforeEach, after, afterEach } = require('node:test');
const redisServer = require('./redis');
const { IMPL, stopAll } = require('./service');

const TIMEOUT = 30000;

function same(title, fn) {
  it(title, { timeout: TIMEOUT }, fn);
}

/** `timeout` is for rows that do a lot. */
function ours(title, fn, { timeout = TIMEOUT } = {}) {
  it(title, { timeout, skip: IMPL === 'old' && 'decided differently from 0.0.7' }, fn);
}

/**
 * `body(ctx)` declares the rows; `ctx.redis` is there when they run, empty before each of them.
 * `options` are those of redis.start. Rows that kill the server may leave it down.
 */
function area(title, options, body) {
  describe(title, () => {
    const ctx = {};
    before(async () => {
      ctx.redis = await redisServer.start(options);
    });
    beforeEach(async () => {
      if (!ctx.redis.process) await ctx.redis.up();
      // A row that failed may have left it stopped, and nothing limits the time of a hook.
      ctx.redis.resume();
      await ctx.redis.flush();
    });
    afterEach(stopAll);
    after(() => ctx.redis.stop());
    body(ctx);
  });
}

module.exports = { area, same, ours, IMPL };
