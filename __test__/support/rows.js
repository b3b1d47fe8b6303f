'use strict';

/**
 * Makes tests of contract rows. `same` rows hold for 0.0.7 as well and run with IMPL=old too; `ours` rows are decided differently
 * on purpose (or refine a row beyond what 0.0.7 does) and are skipped there. An `area` is a suite with one private
 * redis-server; `stores` is a suite that runs on each store, in which `same.redis`, `ours.redis` and `ours.embedded` are rows
 * of one store only. STORE=redis or STORE=embedded runs only that side.
 */

const { describe, it, before, beforeEach, after, afterEach } = require('node:test');
const { STORES } = require('./stores');
const { IMPL, stopAll } = require('./service');

/** What hangs has a deadline of its own (call.js, until.js); a busy machine takes long for much. */
const TIMEOUT = 60000;
const KINDS = Object.keys(STORES).filter(
  (kind) => (IMPL !== 'old' || kind === 'redis') && [undefined, kind].includes(process.env.STORE),
);

/** The store of the suite whose rows are being declared. */
let current;

/** Rows that are skipped for the reason `skip`, if there is one. */
function rows(skip) {
  const row = (title, fn, options = {}) =>
    it(title, { timeout: TIMEOUT, ...options, skip: skip || options.skip }, fn);
  for (const kind of Object.keys(STORES)) {
    row[kind] = (...args) => current === kind && row(...args);
  }
  return row;
}

const same = rows(false);
const ours = rows(IMPL === 'old' && 'decided differently from 0.0.7');

/** `options` are those of the store. Rows that kill a server may leave it down. */
function suite(kind, title, options, body) {
  describe(title, () => {
    const ctx = {};
    before(async () => {
      ctx.store = await STORES[kind].open(options);
      ctx.redis = ctx.store.server;
    });
    beforeEach(() => ctx.store.empty());
    afterEach(stopAll);
    after(() => ctx.store.close());
    current = kind;
    body(ctx);
    current = undefined;
  });
}

/** `body(ctx)` declares the rows; `ctx.redis` is there when they run, empty before each of them. */
function area(title, options, body) {
  suite('redis', title, options, body);
}

/** The same on each store, which is `ctx.store`; `ctx.redis` is for the rows that are about Redis. */
function stores(title, body) {
  for (const kind of KINDS) suite(kind, `${title} (${kind})`, {}, body);
}

module.exports = { area, stores, same, ours, IMPL };
