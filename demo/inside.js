'use strict';
/**
 * What the demo looks at inside a server (CONTROL_EXTENSION of app/control.js): the CPU time of its
 * process, and how messages left it.
 */

module.exports = {
  /** Milliseconds since the process started, of all its threads. */
  cpu() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },

  /** Null where the plugin counts none. */
  fanOut: (app) => app.get('globalChannelService').stats?.().fanOut ?? null,
};
