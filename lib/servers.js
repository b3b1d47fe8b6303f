'use strict';

// The ids of the servers that exist, as a snapshot, because pomelo changes its own lists in place. While nothing
// changes the same array is returned, so that the addon does not read it again. It must not be modified.

/** The maximum number of server types that are remembered. Apps have far fewer. */
const TYPES = 100;

module.exports = function createServers(app) {
  /** The last snapshot by server type: `{given, ids}`. */
  const known = new Map();

  return { serverIds, frontendIds };

  /** Returns the ids of all servers of a type. */
  function serverIds(serverType) {
    const servers = app.getServersByType(serverType) || [];
    if (!Array.isArray(servers)) {
      throw new TypeError('app.getServersByType gave no array');
    }
    const before = known.get(serverType);
    if (before && isSame(before.given, servers)) {
      return before.ids;
    }
    // Not `map`, which skips holes.
    const given = Array.from(servers, ({ id }) => id);
    const ids = given.map(String);
    if (known.size >= TYPES) {
      known.clear();
    }
    known.set(serverType, { given, ids });
    return ids;
  }

  /** Returns the ids of all frontends. */
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
