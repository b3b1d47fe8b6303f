'use strict';
/**
 * Asks the servers of a test's cluster about their RPC sockets (an extension of demo/app/control.js): how often `setNoDelay` was
 * called on each.
 */

const { watchSockets } = require('../support/sockets');

// Loaded before the framework makes any.
const { noDelays } = watchSockets();

module.exports = {
  /** `{server id: times}` of those on which this server calls others of a type. */
  calling(app, serverType) {
    const { mailboxes } = app.components['__proxy__'].client['_station'];
    const ids = app.getServersByType(serverType).map(({ id }) => id);
    const open = ids.filter((id) => mailboxes[id]);
    return Object.fromEntries(open.map((id) => [id, noDelays(mailboxes[id].socket.stream)]));
  },

  /** `[times, …]` of those that this server has accepted and that are open. */
  accepted(app) {
    const { sockets } = app.components['__remote__'].remote.acceptor;
    return Object.values(sockets).map(({ stream }) => noDelays(stream));
  },
};
