'use strict';

/** What membership.test.js wants to see inside the servers of its clusters, beside sessions-extension.js. */

const events = [];

module.exports = {
  ...require('./sessions-extension'),
  membership: (app) => app.get('globalChannelService').stats().membership,
  /** Begins to note events. */
  listen: (app) => {
    for (const event of ['lease-lost', 'lease-regained', 'purged']) {
      app.get('globalChannelService').on(event, (told) => events.push([event, told]));
    }
    return null;
  },
  events: () => events,
};
