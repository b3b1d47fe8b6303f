'use strict';

// Warns of server ids that are no frontends: the id of a backend, or one that is misspelt. No push reaches the members
// that are added there. The addon passes each id here once (src/binding/service/sids.rs).

const harmless = require('./harmless');

/** The number of ids that are remembered; far more than an app has frontends. */
const MOST = 1000;

/** A server may be used a moment before this process hears of it, so an unknown id is looked up again after this time. */
const GRACE = 1000;

/** The length to which an id is shown. */
const SHOWN = 100;

/** Makes `{meet(sid), close()}`. */
module.exports = function createSids(app, log) {
  /** The frontends that this app has or had, and the ids of which was warned. */
  const known = new Set();
  const unknown = new Set();
  let timer;

  return { meet, close };

  /** Looks at an id that was given to a call. */
  function meet(sid) {
    if (sid === undefined || known.has(sid) || known.size + unknown.size >= MOST) {
      return;
    }
    harmless(learn);
    if (!known.has(sid)) {
      unknown.add(sid);
      // Unreferenced: a warning does not keep the process alive.
      timer = timer || setTimeout(lookAgain, GRACE).unref();
    }
  }

  /** Warns of the ids that are still unknown, if the app knows any frontend. */
  function lookAgain() {
    timer = undefined;
    harmless(() => {
      const servers = learn();
      for (const sid of known.size > 0 ? unknown : []) {
        if (!known.has(sid)) {
          known.add(sid);
          warn(sid, servers);
        }
      }
    });
    unknown.clear();
  }

  /** Adds the frontends that the app has now; returns all its servers. */
  function learn() {
    const servers = app.getServers();
    for (const sid of Object.keys(servers)) {
      if (known.size < MOST && app.isFrontend(servers[sid])) known.add(sid);
    }
    return servers;
  }

  function warn(sid, servers) {
    const { serverType } = Object.keys(servers).includes(sid) ? servers[sid] : {};
    const what =
      serverType === undefined ? 'no server of this app' : `a server of type ${serverType}`;
    const shown = sid.length > SHOWN ? `${sid.slice(0, SHOWN)}…` : sid;
    log('warn', `sid "${shown}" is ${what}, no frontend: no push reaches the members added there`);
  }

  function close() {
    clearTimeout(timer);
    timer = undefined;
    unknown.clear();
  }
};
