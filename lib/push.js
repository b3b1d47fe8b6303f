'use strict';

// The record of a push. All of its fields are made at once, because an object that gets them one after the other is copied for
// some of them.

/**
 * Makes the record of a push to `sids`; a broadcast (`isBroadcast`) is to all of their sessions. `name` is that of its list for
 * lists/, `selection` are single users who are left out, or the only ones (selection.js).
 */
module.exports = function makePush(sids, route, msg, opts, selection, callback, name, isBroadcast) {
  return {
    sids,
    route,
    msg,
    opts,
    selection,
    callback,
    name,
    isBroadcast,
    /** Users whom it was meant for and who are on none of `sids`. */
    offline: undefined,
    // Of delivery.js: its parts (target.js), the users who could not be sent, how many RPCs are open, how many frontends were
    // reached, why one was not, and until when it waits for them.
    targets: undefined,
    unreachable: undefined,
    open: 0,
    reached: 0,
    cause: undefined,
    mustReachSomebody: false,
    until: 0,
  };
};
