'use strict';
/**
 * Functions that the demo calls in a server (CONTROL_EXTENSION of app/control.js): the CPU time of its process,
 * counters of the fan-out and of members who ended with their sessions.
 */

module.exports = {
  /** Returns the CPU time of all threads since the process started, in ms. */
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },

  /** Returns `stats().membership`; null if members do not end with their sessions. */
  membership: (app) => app.get('globalChannelService').stats?.().membership ?? null,

  /** Returns `stats().fanOut`; null if the plugin has none. */
  fanOut: (app) => app.get('globalChannelService').stats?.().fanOut ?? null,
};
