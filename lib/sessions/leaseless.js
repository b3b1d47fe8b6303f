'use strict';

// Warns of frontends that channels are used on and that hold no lease, with option `membership: 'session'`: the plugin is
// not loaded there, or without this option, so memberships on them do not end with the sessions.

const harmless = require('../harmless');

/** The number of ids that are remembered; far more than an app has frontends. */
const MOST = 1000;

/** Makes `{used(sid), usedAll(sids), seen(leases)}`. `seen` is called with all leases, again and again. */
module.exports = function createLeaseless(app, log) {
  /** Frontends that members were added on, or that were pushed to. */
  const used = new Set();
  /** Those that have or had a lease. */
  const leased = new Set();
  /** Those that had none when it was looked for last: they may have been starting. */
  let suspects = new Set();
  let last;
  let hasWarned = false;

  return { used: note, usedAll, seen };

  function note(sid) {
    if (!hasWarned && used.size < MOST) used.add(sid);
  }

  /** Notes the frontends of a push. The same array comes again as long as no server comes or goes. */
  function usedAll(sids) {
    if (sids === last || hasWarned) return;
    last = sids;
    sids.forEach(note);
  }

  function seen(leases) {
    if (hasWarned) return;
    leases.forEach(({ sid }) => leased.add(sid));
    harmless(() => {
      const servers = app.getServers();
      const isThere = (sid) => Object.keys(servers).includes(sid) && app.isFrontend(servers[sid]);
      const without = [...used].filter((sid) => !leased.has(sid) && isThere(sid));
      const certain = without.filter((sid) => suspects.has(sid));
      suspects = new Set(without);
      if (certain.length > 0) warn(certain);
    });
  }

  function warn(sids) {
    hasWarned = true;
    used.clear();
    const line = `channels are used on ${sids.join(', ')}, which hold no lease`;
    const why =
      "so memberships there do not end with the sessions: load the plugin with membership 'session' there";
    log('warn', `${line}, ${why}`);
  }
};
