'use strict';

// Reports servers that have left the cluster. There is one listener for each app, however many services it has, and
// none without a subscriber.

/** By app: `{wants, off}`, the subscribers and the function that removes the listener. */
const apps = new WeakMap();

/**
 * Calls `forget(isGone)` when servers have left, where `isGone(id)` tells which. Returns a function that unsubscribes.
 * Never throws: an app without these events is fine too, because tokens show that a frontend was restarted.
 */
module.exports = function listen(app, forget) {
  const known = apps.get(app) || { wants: new Set(), off: () => {} };
  apps.set(app, known);
  known.wants.add(forget);
  if (known.wants.size === 1) {
    known.off = attach(app, (isGone) => known.wants.forEach((want) => want(isGone)));
  }

  return function end() {
    if (known.wants.delete(forget) && known.wants.size === 0) {
      known.off();
    }
  };
};

function attach(app, tell) {
  const listeners = {
    remove_servers: (ids) => {
      if (Array.isArray(ids)) tell((id) => ids.some((each) => String(each) === id));
    },
    replace_servers: (servers) => {
      const there = new Set(Object.values(servers || {}).map((server) => String(server?.id)));
      tell((id) => !there.has(id));
    },
  };
  each((name) => app.event?.on?.(name, listeners[name]));
  return () => each((name) => app.event?.removeListener?.(name, listeners[name]));

  function each(act) {
    try {
      Object.keys(listeners).forEach(act);
    } catch {
      // A getter of the app threw.
    }
  }
}
