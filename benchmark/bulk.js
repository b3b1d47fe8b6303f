'use strict';
/**
 * Writes of many members, or to many channels, in one call; each second call takes back what the one before it did, so
 * that the store stays as it is. With 0.0.7 an app makes a call for each frontend or channel.
 */

const { SIDS, uid } = require('./names');

/** Adds `cell.size` users, on all frontends in turn, to one channel after the other; then removes them. */
function createMany(service, cell, names) {
  const byHand = typeof service.addMany !== 'function';
  const members = Array.from({ length: cell.size }, (_, n) => ({
    uid: uid(n),
    sid: SIDS[n % SIDS.length],
  }));
  let calls = 0;
  return {
    call(answer) {
      const name = names[(calls >> 1) % names.length];
      const method = calls % 2 === 0 ? 'add' : 'leave';
      calls += 1;
      if (byHand) manyByHand(service[method].bind(service, name), members, answer);
      else service[`${method}Many`](name, members, answer);
    },
    // How many have changed: a call is executed after those before it. 0.0.7 does not say.
    check: (changed) => byHand || changed === cell.size,
  };
}

function manyByHand(write, members, answer) {
  const bySid = new Map();
  for (const { uid: user, sid } of members) {
    const uids = bySid.get(sid);
    if (uids) uids.push(user);
    else bySid.set(sid, [user]);
  }
  const written = last(bySid.size, answer);
  for (const [sid, uids] of bySid) write(uids, sid, written);
}

/** Adds a user to `cell.size` channels, then removes it. */
function createNames(service, cell, names) {
  const byHand = typeof service.addMany !== 'function';
  const [sid] = SIDS;
  const user = uid(0);
  let calls = 0;
  return {
    call(answer) {
      const first = (calls >> 1) * cell.size;
      const several = Array.from(
        { length: cell.size },
        (_, i) => names[(first + i) % names.length],
      );
      const method = calls % 2 === 0 ? 'add' : 'leave';
      calls += 1;
      if (!byHand) {
        service[method](several, user, sid, answer);
        return;
      }
      const written = last(several.length, answer);
      for (const name of several) service[method](name, user, sid, written);
    },
    check: (result) => result === undefined || result === null,
  };
}

/** Returns a callback for `count` calls, which calls `answer` at the last of them, or at the first error. */
function last(count, answer) {
  let left = count;
  return (err) => {
    left = err && left > 0 ? 0 : left - 1;
    if (left === 0) answer(err || null);
  };
}

module.exports = { createMany, createNames };
