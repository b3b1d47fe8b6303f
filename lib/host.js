'use strict';

// The JavaScript side of one service, which the addon calls: everything that touches pomelo
// objects, and the app's callbacks. Who gets what is decided in Rust; here things are looked up and
// passed on. `src/binding/host.rs` is the other end and names each function's arguments.

const createAnswers = require('./answers');
const createCustomManager = require('./customManager');
const createDelivery = require('./delivery');
const offerFanOut = require('./fanOut/offer');
const createLogger = require('./logger');
const createRpcNoDelay = require('./rpcNoDelay');
const createServers = require('./servers');
const { failures } = require('./tables');
const uids = require('./uids');

const resolved = Promise.resolve();

/** Called by the constructor, with the instance that is being made. */
module.exports = function attach(channel, app, opts, tools) {
  const log = createLogger(app);
  const manager = createCustomManager.of(app, opts, tools);

  channel.app = app;
  // Holds the password. Not enumerable, and not a value: whatever copies or prints objects goes by these. (What an
  // instance shows of it is in inspect.js.)
  Object.defineProperty(channel, 'opts', {
    get: () => opts,
    set: (value) => {
      opts = value;
    },
    configurable: true,
  });
  channel.cleanOnStartUp = opts.cleanOnStartUp;
  channel.manager = manager || Object.freeze(tools.manager);

  const beforeRpc = tools.rpcNoDelay ? createRpcNoDelay(app) : () => {};
  const { deliver, failAll, close, counts } = createDelivery(app, log, tools, beforeRpc);
  const { own, forgetAll, ...answers } = createAnswers(deliver, tools.failed);
  const fanOut = offerFanOut(app, tools.fanOut);
  const host = {
    log,
    uids,
    ...createServers(app),
    ...answers,
    hold: (at, sids, route, msg, opts, callback, name) => {
      answers.calls[at] = { sids, route, msg, opts, callback, name };
    },
    // In a microtask, so that the calls of one tick go to the store together.
    soon: () => {
      resolved.then(tools.flush);
    },
    failPushes: () => failAll(() => tools.failure(failures.STOPPED, undefined, null)),
    close: () => {
      close();
      forgetAll();
    },
    counts,
    get fanOut() {
      return fanOut();
    },
    wait: (token, ms) =>
      ms > 0 ? setTimeout(tools.settle, ms, token, []) : setImmediate(tools.settle, token, []),
  };
  if (manager) {
    // The addon says whether an answer counts: only the first one does.
    const settle = (token, args) => {
      if (tools.settle(token, args)) {
        own(token, args);
      }
    };
    host.execute = createCustomManager(manager, log, { ...tools, settle });
  }
  // Where the addon looks for it. (A symbol would be neater; Node-API has none before version 9.)
  Object.defineProperty(channel, '_host', { value: host });
};
