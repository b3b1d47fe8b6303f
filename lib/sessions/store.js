'use strict';

// The operations of the store on leases and on the lists of online users (lib/leases.js), and on the members of a frontend
// (lib/members.js), as promises.

const { SESSION } = require('../leases');

/** Makes the operations for `channel`; `sid` is a frontend, times are in milliseconds. */
module.exports = function createStore(channel) {
  return {
    /** Takes the lease, also from another process: `{previous, removed}`, its epoch and how many users were removed. */
    claim: (sid, epoch, ttl) => lease('claim', sid, epoch, ttl),
    /** Extends the lease, or takes it again if it has expired: 'held', 'regained' or, if another epoch has it, 'lost'. */
    renew: async (sid, epoch, ttl) => (await lease('renew', sid, epoch, ttl)).state,
    release: (sid, epoch) => lease('release', sid, epoch, 0),
    /** Removes the users of a frontend whose lease has expired: `{swept, removed}`. `ends`: its members end too. */
    sweep: (sid, ends) => lease('sweep', sid, ends ? SESSION : '', 0),
    /** Takes the work that is left after a sweep, for `ttl` at most: false if another process has it. */
    take: (sid, by, ttl) => lease('take', sid, by, ttl),
    /** That work is done. */
    finish: (sid, by) => lease('finish', sid, by, 0),
    /**
     * All that have or had a lease, `[{sid, epoch, ttl, ends, isSwept, age}]`. `ttl` is 0 if it has expired; `ends`: its members end
     * with their sessions; `isSwept`: it was swept or released, and work is left, for `age` ms.
     */
    leases: () => lease('list', '', '', 0),
    /** Adds users to those who are online on a frontend, or removes them: `{state, count}`, as all with `epoch` below. */
    add: (sid, epoch, uids) => sessions('add', [sid], [epoch, ...uids]),
    remove: (sid, epoch, uids) => sessions('remove', [sid], [epoch, ...uids]),
    members: async (sid) => (await sessions('members', [sid], []))[0],
    /** How many users each of `sids` has. */
    counts: (sids) => (sids.length > 0 ? sessions('count', sids, []) : Promise.resolve([])),
    /** Whether each of `uids` is on each of `sids`: for each of `uids` a list. */
    areMembers: (sids, uids) => sessions('isMember', sids, uids),
    /** Some users of a frontend: `{names, cursor}`; `match` is a pattern of uids, or empty. */
    page: (sid, cursor, limit, match) => sessions('page', [sid], [cursor || '', limit, match]),
    /**
     * Has a user leave all channels on a frontend: `{state, count}`. As all with `epoch`, it does nothing unless that has the lease; then state is
     * 'lost'. For `keep` milliseconds it can be put back. `reason` is for the events.
     */
    leave: (sid, uid, { epoch, keep, reason }) =>
      members('leave', sid, { uid, epoch, keep, reason }),
    /** Adds a user to the channels again that are kept of him: `{state, count}`. */
    putBack: (sid, uid, epoch) => members('putBack', sid, { uid, epoch }),
    /** The users who are in channels. */
    uids: (sid) => members('uids', sid, null),
    /**
     * Removes all members on a frontend as long as `epoch` has its lease, or, if it is '', as long as no process has:
     * `{state, count}`. For `keep` milliseconds it is kept. `reason` is for the events.
     */
    purge: (sid, { epoch, keep, reason }) => members('purge', sid, { epoch, keep, reason }),
    /** A page of the channels with members on a frontend, in the index or not: `{names, cursor}`; the first cursor, and that of the end, is ''. */
    channelsOn: (sid, cursor) => members('channelsOn', sid, cursor),
    /** Adds some members of a channel to the index: `{entered, cursor}`, how many were not in it. */
    enter: (sid, name, cursor) => members('enter', sid, { name, cursor }),
    /** The users of whom something is kept. */
    goneUids: (sid) => members('goneUids', sid, null),
    /** Keeps nothing of a user any more, or of all if there is no `uid`: `{state, count}`. */
    forget: (sid, epoch, uid) => members('forget', sid, { uid, epoch }),
  };

  function members(...args) {
    return promise((done) => channel['_members'](...args, done));
  }

  function lease(...args) {
    return promise((done) => channel['_lease'](...args, done));
  }

  function sessions(...args) {
    return promise((done) => channel['_sessions'](...args, done));
  }
};

/**
 * The store did nothing, because the epoch of the step has no lease. That is to be expected, so no place in the code is shown
 * with it.
 */
class Refused extends Error {
  constructor() {
    super('the lease has expired, or another process has it');
    this.stack = this.message;
  }
}

module.exports.Refused = Refused;

/** The count of a step with `epoch`. Fails with {@link Refused} if that has no lease. */
module.exports.allowed = async (step) => {
  const { state, count } = await step;
  if (state === 'lost') throw new Refused();
  return count;
};

function promise(call) {
  return new Promise((resolve, reject) => {
    call((err, value) => (err ? reject(err) : resolve(value)));
  });
}
