'use strict';

/** What the tests of names for lists share: a service with lists of its own on the network of network.js, and its pushes. */

const assert = require('node:assert');
const { afterEach, beforeEach } = require('node:test');
const { limits } = require('../../lib/lists/protocol');
const { call } = require('../support/call');
const { startedWith } = require('../support/manager');
const { stopAll } = require('../support/service');
const { Network } = require('./network');

const ORIGINAL = { ...limits };
const people = (count, from = 0) => Array.from({ length: count }, (_, i) => `user-${from + i}`);
const LONG = people(300);
const SHORT = people(5);

/** A manager whose lists a test sets: `lists[name][sid]`; the very array is given each time. */
const withLists = (lists) => ({
  add() {},
  leave() {},
  destroyChannel() {},
  getMembersBySid: (name, sid, cb) => cb(null, (lists[name] || {})[sid] || []),
});

/** The service of one test; `limits` are put back after it. */
class Pushing {
  /** See `withLists`. */
  lists = {};
  /** The number of pushes. */
  n = 0;

  constructor() {
    beforeEach(() => Object.assign(limits, ORIGINAL));
    afterEach(async () => {
      Object.assign(limits, ORIGINAL);
      await stopAll();
    });
  }

  start = async (kinds, options) => {
    this.network = new Network(kinds);
    for (const name of Object.keys(this.lists)) delete this.lists[name];
    this.n = 0;
    this.service = await startedWith(withLists(this.lists), options, this.network.app);
  };

  push = async (name, opts = {}) => {
    this.n += 1;
    const push = ['connector', 'onChat', { n: this.n }, name, opts];
    const { args } = await call(this.service, 'pushMessage', ...push);
    return args;
  };

  /** Pushes until its frontends have the list. */
  known = async (name) => {
    for (let i = 0; i < 4; i += 1) assert.deepStrictEqual(await this.push(name), [null, []]);
  };

  pushes = (sid) => this.network.byId.get(sid).pushes;

  last = (sid) => this.pushes(sid)[this.pushes(sid).length - 1];
}

module.exports = { LONG, Pushing, SHORT, people, withLists };
