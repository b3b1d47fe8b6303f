'use strict';

// Reports servers that have left the cluster or were registered. There is one listener for each app, however many
// services it has, and none without a subscriber.

/** By app: `{subscribers, off}`, where `off` removes the listeners. */
const apps = new WeakMap();

/**
 * Calls `left(isGone, ids)` when servers have left, where `isGone(id)` tells which, and `ids` are their ids if the
 * framework named them; `back(isBack)`, if given, when servers were registered. Returns a function that unsubscribes.
 * Never throws: an app without these events is fine too.
 */
module.exports = function listen(app, left, back = () => {}) {
  const known = apps.get(app) || { subscribers: new Set(), off: () => {} };
  apps.set(app, known);
  const subscriber = { left, back };
  known.subscribers.add(subscriber);
  if (known.subscribers.size === 1) {
    known.off = attach(app, known.subscribers);
  }

  return function end() {
    if (known.subscribers.delete(subscriber) && known.subscribers.size === 0) {
      known.off();
    }
  };
};

function attach(app, subscribers) {
  const tellLeft = (...args) => subscribers.forEach(({ left }) => left(...args));
  const tellBack = (isBack) => subscribers.forEach(({ back }) => back(isBack));
  const listeners = {
    add_servers: (servers) => {
      const there = idsOf(servers);
      tellBack((id) => there.has(id));
    },
    remove_servers: (ids) => {
      if (!Array.isArray(ids)) return;
      const gone = new Set(ids.map(String));
      tellLeft((id) => gone.has(id), [...gone]);
    },
    replace_servers: (servers) => {
      const there = idsOf(servers);
      tellBack((id) => there.has(id));
      tellLeft((id) => !there.has(id));
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

/** The ids of servers, of which there is a list or an object. */
function idsOf(servers) {
  return new Set(Object.values(servers || {}).map((server) => String(server?.id)));
}
