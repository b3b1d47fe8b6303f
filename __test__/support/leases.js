'use strict';

/**
 * The operations on leases and online users of one service (lib/leases.js) as promises, and schedules of their steps.
 */

const { promisify } = require('util');
const { until } = require('./until');

const MINUTE = 60000;

class Leases {
  constructor(service) {
    this.service = service;
    this.lease = promisify(service._lease.bind(service));
    this.sessions = promisify(service._sessions.bind(service));
  }

  claim(sid, epoch, ttl = MINUTE) {
    return this.lease('claim', sid, epoch, ttl);
  }

  renew(sid, epoch, ttl = MINUTE) {
    return this.lease('renew', sid, epoch, ttl);
  }

  release(sid, epoch) {
    return this.lease('release', sid, epoch, 0);
  }

  sweep(sid) {
    return this.lease('sweep', sid, '', 0);
  }

  list() {
    return this.lease('list', '', '', 0);
  }

  /** What a set of leases has, and what it is to lose. */
  async noted(set) {
    return JSON.parse(await promisify(this.service['_notedLeases'].bind(this.service))([set], []));
  }

  unnote(set, items) {
    return promisify(this.service['_forgetLease'].bind(this.service))([set], items);
  }

  /** The lease of one frontend in the list. */
  async found(sid) {
    return (await this.list()).find((each) => each.sid === sid);
  }

  add(sid, ...uids) {
    return this.sessions('add', [sid], uids);
  }

  remove(sid, ...uids) {
    return this.sessions('remove', [sid], uids);
  }

  async members(...sids) {
    const lists = await this.sessions('members', sids, []);
    return lists.map((uids) => uids.slice().sort());
  }

  count(...sids) {
    return this.sessions('count', sids, []);
  }

  isMember(sids, uids) {
    return this.sessions('isMember', sids, uids);
  }

  /** Until the lease has expired, as this service sees it. */
  untilExpired(sid) {
    return until(async () => {
      const found = await this.found(sid);
      return found && found.epoch === null;
    }, `the end of the lease of ${sid}`);
  }

  /** Has `act(original, ...args)` run in place of a step, until the function that is returned is called. */
  replace(method, act) {
    const original = this.service[method].bind(this.service);
    const value = (...args) => act(original, ...args);
    Object.defineProperty(this.service, method, { value, configurable: true });
    return () => delete this.service[method];
  }
}

module.exports = { Leases, MINUTE };
