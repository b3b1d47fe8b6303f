'use strict';

/** What the tests of the views share: views that are closed after each test, and a store with an index and leases. */

const assert = require('assert');
const { afterEach } = require('node:test');
const addressOf = require('../support/address');
const { createApp } = require('../support/app');
const { Leases } = require('../support/leases');
const { started } = require('../support/service');
const { openViews } = require('../../lib/inspect/views');

module.exports = function viewsOf(ctx) {
  const opened = [];
  afterEach(() => Promise.all(opened.splice(0).map((views) => views.close())));

  function open(options, address = addressOf(ctx.store)) {
    const views = openViews(address, options);
    opened.push(views);
    return views;
  }

  /** A service with an index of members, which is no frontend itself, and its leases. */
  async function indexed(opts) {
    const service = await started(ctx.store, { membership: 'session', ...opts }, createApp());
    return { add: service.promises.add, leases: new Leases(service), service };
  }

  /** All pages of a view, as one array of what `of` returns of each. */
  async function all(read, of) {
    const found = [];
    let cursor = null;
    let pages = 0;
    do {
      const page = await read(cursor);
      found.push(...of(page));
      ({ cursor } = page);
      pages += 1;
      assert.ok(pages < 1000, 'the pages have an end');
    } while (cursor !== null);
    return found;
  }

  return { open, indexed, all };
};
