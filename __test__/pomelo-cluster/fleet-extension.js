'use strict';

/** What fleet.test.js wants in the servers of its cluster: options of their own, and the membership that each has. */

require('./server-options');

module.exports = {
  ...require('./membership-extension'),
  /** 0.0.7 has no counters. */
  kind: (app) => {
    const { stats } = app.get('globalChannelService');
    if (!stats) return '0.0.7';
    return app.get('globalChannelService').stats().membership ? 'session' : 'persistent';
  },
};
