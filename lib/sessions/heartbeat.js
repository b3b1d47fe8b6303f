'use strict';

// Warns when the clients of this frontend have no heartbeat: the framework's hybridconnector does not notice then that a
// client has vanished without closing its connection, and the user stays online.

const harmless = require('../harmless');

const HYBRID = /[\\/]connectors[\\/]hybridconnector\.js$/;

module.exports = function warnOfMissingHeartbeat(app, log) {
  harmless(() => {
    const config = app.get('connectorConfig');
    if (config && isHybrid(config.connector) && !config.heartbeat) {
      const line = 'connectorConfig has no heartbeat, so a client that vanishes without closing';
      log('warn', `${line} its connection stays online; set heartbeat (in seconds)`);
    }
  });
};

/** pomelo's module is the connector, pinus's exports it. */
function isHybrid(connector) {
  return Object.keys(require.cache)
    .filter((file) => HYBRID.test(file))
    .some((file) => {
      const { exports } = require.cache[file];
      return [exports, ...Object.values(exports)].includes(connector);
    });
}
