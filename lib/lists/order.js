'use strict';

// The order of a kept list. A push reads many objects of each user: the session, its sockets, their states. Between two
// pushes these leave the processor's caches, and they lie in memory in about the order in which the sessions were made.
// A store's order is another one, so a list that is pushed again is brought into that of its sessions.

const { isGetByUid, ownerOf } = require('../fanOut/originals');
const harmless = require('../harmless');

/**
 * Returns the uids in the order of their sessions' ids, which the frameworks count up; those without a session come last.
 * It is the order only: who gets a push is looked up for each push. Never throws: where the session service is not as
 * expected, the order stays.
 */
module.exports = function inOrder(app, uids) {
  let ordered = uids;
  harmless(() => {
    const sessionService = ownerOf(app.get('sessionService'), 'getByUid');
    // One that the app has replaced is called for a push only.
    if (!isGetByUid(sessionService.getByUid, sessionService)) return;
    const users = uids.map((uid) => ({
      uid,
      id: sessionService.getByUid(uid)?.[0]?.id ?? Infinity,
    }));
    if (users.every(({ id }) => typeof id === 'number')) {
      ordered = users.sort(compare).map(({ uid }) => uid);
    }
  });
  return ordered;
};

/** Not by subtraction: that of two infinities is no number. */
function compare(one, other) {
  return one.id < other.id ? -1 : Number(one.id > other.id);
}
