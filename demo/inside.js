'use strict';
/**
 * Functions that the demo calls in a server (CONTROL_EXTENSION of app/control.js): the CPU time of its process, and the
 * counters of the fan-out.
 */

module.exports = {
  /** Returns the CPU time of all threads since the process started, in ms. */
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },

  /** Returns `stats().fanOut`; null if the plugin has none. */
  fanOut: (app) => app.get('globalChannelService').stats?.().fanOut ?? null,
};
