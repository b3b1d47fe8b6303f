'use strict';

/**
 * The index of members of one service (lib/members.js) as promises. The checks of it that hold on every kind of store are in
 * membership/index-checks.js.
 */

const { promisify } = require('node:util');
const { ok } = require('./call');
const { Leases } = require('./leases');

const SESSION = { prefix: 'P', membership: 'session' };

class Members extends Leases {
  constructor(service) {
    super(service);
    this.members = promisify(service['_members'].bind(service));
    this.step = promisify(service['_purge'].bind(service));
  }

  call(method, ...args) {
    return ok(this.service, method, ...args);
  }

  async channels(uid, sid) {
    return (await this.call('getChannelsByUid', uid, sid)).sort();
  }

  async leaveAll(uid, sid) {
    return (await this.call('leaveAll', uid, sid)).sort();
  }

  /** All users in the index. */
  async uids(sid, action = 'uids') {
    return (await this.members(action, sid, null)).sort();
  }

  purge(sid, epoch, keep = 0) {
    return this.members('purge', sid, { epoch, keep });
  }

  /** Puts back what is kept of a user: how many members, or that the lease is another one's. */
  async putBack(sid, epoch, uid) {
    const { state, count } = await this.members('putBack', sid, { uid, epoch });
    return state === 'lost' ? 'lost' : count;
  }

  /** Has a user leave as his session has ended: the same, and `keep` is for how long. */
  async end(sid, epoch, uid, keep = 60000) {
    const arg = { uid, epoch, keep, reason: 'close' };
    const { state, count } = await this.members('leave', sid, arg);
    return state === 'lost' ? 'lost' : count;
  }

  /** Forgets what is kept of a user, or of all. */
  async forget(sid, epoch, uid) {
    return (await this.members('forget', sid, { uid, epoch })).state !== 'lost';
  }

  /** One step of a purge of at most `most` members of these users; `left` of them are not done. */
  async purgeStep(sid, epoch, most, keep, uids) {
    const args = [epoch, String(keep), String(most), 'purge', ...uids];
    const [step] = JSON.parse(await this.step([sid], args));
    return { state: step.state, count: step.count, left: step.ttl };
  }
}

module.exports = { Members, SESSION };
