'use strict';

// The JavaScript side of one service: the functions that the addon calls for everything that touches pomelo's objects,
// and for the app's callbacks. Decisions are made in Rust. `src/binding/host.rs` is the other end, and documents the
// arguments of each function.

const createAnswers = require('./answers');
const createCustomManager = require('./customManager');
const createDelivery = require('./delivery');
const offerFanOut = require('./fanOut/offer');
const createLogger = require('./logger');
const createAsk = require('./optionFunctions');
const createRpcNoDelay = require('./rpcNoDelay');
const createServers = require('./servers');
const { failures } = require('./tables');
const uids = require('./uids');

const resolved = Promise.resolve();

/** Makes the host of `instance`; called by its constructor. */
module.exports = function attach(channel, app, opts, tools) {
  const log = createLogger(app);
  const manager = createCustomManager.of(app, opts, tools);

  channel.app = app;
  // It has the password, so it is a getter and not enumerable: code that copies or prints objects skips it. (inspect.js
  // decides what an instance shows of it.)
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
    ask: createAsk(opts, tools),
    uids,
    ...createServers(app),
    ...answers,
    hold: (at, sids, route, msg, opts, callback, name) => {
      answers.calls[at] = { sids, route, msg, opts, callback, name };
    },
    // In a microtask, so that all calls of a tick go to the store in one batch.
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
    // The addon returns whether an answer counts: only the first one does.
    const settle = (token, args) => {
      if (tools.settle(token, args)) {
        own(token, args);
      }
    };
    host.execute = createCustomManager(manager, log, { ...tools, settle });
  }
  // A property by which the addon finds the host: Node-API has no registered symbols before version 9.
  Object.defineProperty(channel, '_host', { value: host });
};
