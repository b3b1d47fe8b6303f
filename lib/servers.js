'use strict';

// Which servers there are, as ids: a snapshot, because pomelo changes its own lists in place. The
// same array as the last time as long as nothing has changed, so that the addon need not read it
// again; nobody may change it.

/** Server types that are remembered; far more than any app has. */
const TYPES = 100;

module.exports = function createServers(app) {
  /** What each type was: `{given, ids}`. */
  const known = new Map();

  return { serverIds, frontendIds };

  /** The ids of all servers of a type, now. */
  function serverIds(serverType) {
    const servers = app.getServersByType(serverType) || [];
    if (!Array.isArray(servers)) {
      throw new TypeError('app.getServersByType gave no array');
    }
    const before = known.get(serverType);
    if (before && isSame(before.given, servers)) {
      return before.ids;
    }
    // Not `map`, which leaves out what is missing.
    const given = Array.from(servers, ({ id }) => id);
    const ids = given.map(String);
    if (known.size >= TYPES) {
      known.clear();
    }
    known.set(serverType, { given, ids });
    return ids;
  }

  /** The ids of all frontends, now. */
  function frontendIds() {
    const servers = app.getServers() || {};
    return Object.keys(servers).filter((sid) => app.isFrontend(servers[sid]));
  }
};

function isSame(given, servers) {
  if (given.length !== servers.length) {
    return false;
  }
  for (let i = 0; i < given.length; i += 1) {
    if (given[i] !== servers[i].id) {
      return false;
    }
  }
  return true;
}
