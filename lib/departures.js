'use strict';

// Ends the wait for servers that have left the cluster: the frameworks' RPCs to a server that died are answered after
// 30 s, or never. `remove_servers` is no proof of a death: a server whose link to the master broke is removed too, and
// registered again when it has reconnected. So a server has a grace in which it may answer or be registered again.

const listen = require('./serverNews');

/** How long a server that has left may still answer, or come back, in ms. */
const GRACE = 1000;

/** The number of servers that are remembered as gone: those that a push under way may still be about. */
const REMEMBERED = 1000;

/**
 * Makes `{expect(sid), close()}`. `awaited()` returns the ids of the servers whose answers are awaited, and `giveUp(sid)`
 * is called when the one with that id will not answer any more.
 */
module.exports = function createDepartures(app, awaited, giveUp) {
  /** By the id of a server that has left: the timer of its grace, undefined when that is over. */
  const gone = new Map();
  let endNews;

  return { expect, close };

  /** Notes that an answer of a server is awaited. It may have left since the servers were listed. */
  function expect(sid) {
    endNews = endNews || listen(app, onLeft, onBack);
    if (gone.has(sid) && gone.get(sid) === undefined) {
      setGrace(sid);
    }
  }

  function onLeft(isGone, ids = awaited()) {
    for (const sid of ids) {
      if (isGone(sid) && gone.get(sid) === undefined) {
        setGrace(sid);
      }
    }
    for (const sid of gone.keys()) {
      if (gone.size <= REMEMBERED) break;
      forget(sid);
    }
  }

  function setGrace(sid) {
    // Unreferenced, as all timers of a push.
    const timer = setTimeout(() => {
      gone.set(sid, undefined);
      giveUp(sid);
    }, GRACE).unref();
    gone.set(sid, timer);
  }

  function onBack(isBack) {
    [...gone.keys()].filter(isBack).forEach(forget);
  }

  function forget(sid) {
    clearTimeout(gone.get(sid));
    gone.delete(sid);
  }

  function close() {
    endNews?.();
    endNews = undefined;
    [...gone.keys()].forEach(forget);
  }
};
