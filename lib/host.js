'use strict';

// The JavaScript side of one service, which the addon calls: everything that touches pomelo
// objects. Who gets what is decided in Rust; here things are looked up and passed on.
// `src/binding/host.rs` is the other end and names each function's arguments.

const createCustomManager = require('./customManager');
const createDelivery = require('./delivery');
const createLogger = require('./logger');
const createRpcNoDelay = require('./rpcNoDelay');

/** Called by the constructor, with the instance that is being made. */
module.exports = function attach(channel, app, opts, tools) {
  const log = createLogger(app);
  const manager = createCustomManager.of(app, opts, tools);

  channel.app = app;
  channel.opts = opts;
  channel.cleanOnStartUp = opts.cleanOnStartUp;
  channel.manager = manager || Object.freeze({ prefix: tools.prefix, db: tools.db });

  const host = {
    log,
    serverIds: (serverType) => (app.getServersByType(serverType) || []).map(({ id }) => String(id)),
    frontendIds: () => {
      const servers = app.getServers() || {};
      return Object.keys(servers).filter((sid) => app.isFrontend(servers[sid]));
    },
    deliver: createDelivery(
      app,
      log,
      tools,
      opts.rpcNoDelay === false ? () => {} : createRpcNoDelay(app),
    ),
    lists: JSON.parse,
    list: (json) => JSON.parse(json)[0],
    joined: (json) => [].concat(...JSON.parse(json)),
    wait: (token, ms) =>
      ms > 0 ? setTimeout(tools.settle, ms, token, []) : setImmediate(tools.settle, token, []),
  };
  if (manager) {
    host.execute = createCustomManager(manager, log, tools);
  }
  // Where the addon looks for it. (A symbol would be neater; Node-API has none before version 9.)
  Object.defineProperty(channel, '_host', { value: host });
};
