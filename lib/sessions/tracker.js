'use strict';

// Follows the sessions of this frontend: which user has how many. The framework tells of each bind, unbind and close; the
// uid of an unbind is gone by then, so it is kept by session id. `reread` compares with the framework's own list, so that
// an event that did not come is made up for.

const { storedTextOf } = require('../ids');
const harmless = require('../harmless');

/**
 * Makes `{start, stop, reread, has, uids, counts}`. `changed(uid)` is called when the first session of a user was bound
 * or the last one has ended; `has(uid)` tells which. Users whose uids have more than `longestUid` bytes are left out,
 * since the store does not take them; `refused(uid)` is called for each.
 */
module.exports = function createTracker(app, { longestUid, changed, refused }) {
  /** The user of each session, by session id. */
  let bySession = new Map();
  /** The number of sessions of each user. */
  const sessions = new Map();

  const listeners = {
    bind_session: (session) => harmless(() => bound(session)),
    unbind_session: (session) => harmless(() => ended(session.id)),
    close_session: (session) => harmless(() => ended(session.id)),
  };

  return {
    start: () => each('on'),
    stop: () => each('removeListener'),
    reread,
    has: (uid) => sessions.has(uid),
    uids: () => [...sessions.keys()],
    counts: () => ({ sessions: bySession.size, users: sessions.size }),
  };

  function each(act) {
    harmless(() => Object.keys(listeners).forEach((name) => app.event[act](name, listeners[name])));
  }

  function bound({ id, uid }) {
    const text = stored(uid);
    if (text === undefined || bySession.get(id) === text) return;
    ended(id);
    bySession.set(id, text);
    const count = sessions.get(text) || 0;
    sessions.set(text, count + 1);
    if (count === 0) changed(text);
  }

  function ended(id) {
    const uid = bySession.get(id);
    if (uid === undefined) return;
    bySession.delete(id);
    const count = sessions.get(uid) - 1;
    if (count > 0) {
      sessions.set(uid, count);
    } else {
      sessions.delete(uid);
      changed(uid);
    }
  }

  /** Returns the text of a uid as the store gives it back; undefined if it takes none. */
  function stored(uid) {
    const whole = storedTextOf(uid);
    if (whole === undefined) return undefined;
    if (whole.length * 3 > longestUid && Buffer.byteLength(whole) > longestUid) {
      refused(whole);
      return undefined;
    }
    return whole;
  }

  /** Takes over the sessions that the framework has; returns for how many sessions there was no event. */
  function reread() {
    const there = new Map();
    const service = app.get?.('sessionService');
    if (typeof service?.forEachBindedSession !== 'function') return 0;
    service.forEachBindedSession((session) => there.set(session.id, session));
    let missed = 0;
    for (const id of [...bySession.keys()].filter((known) => !there.has(known))) {
      missed += 1;
      ended(id);
    }
    for (const [id, session] of there) {
      const known = bySession.get(id);
      bound(session);
      if (bySession.get(id) !== known) missed += 1;
    }
    return missed;
  }
};
