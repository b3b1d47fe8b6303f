'use strict';

// The JavaScript side of one service: the functions that the addon calls for everything that touches pomelo's objects,
// and for the app's callbacks. Decisions are made in Rust. `src/binding/host/mod.rs` is the other end, and documents the
// arguments of each function.

const createAnswers = require('./answers');
const createCustomManager = require('./customManager');
const createDelivery = require('./delivery');
const createEarly = require('./early');
const offerFanOut = require('./fanOut/offer');
const createLogger = require('./logger');
const managerOf = require('./managerOf');
const createAsk = require('./optionFunctions');
const { copy } = require('./realm');
const makePush = require('./push');
const { prepare, prepared, prepareOwn } = require('./recipients');
const createRpcNoDelay = require('./rpcNoDelay');
const createServers = require('./servers');
const protectSessionMap = require('./sessionMap');
const createSessions = require('./sessions/sessions');
const createSids = require('./sids');
const { failures } = require('./tables');
const tracing = require('./tracing');
const { createWatches } = require('./watch');

const resolved = Promise.resolve();

/** Makes the host of `instance`; called by its constructor. */
module.exports = function attach(channel, app, opts = {}, tools) {
  tracing.look();
  const log = createLogger(app, createLogger.loggerOf(opts, tools));
  const manager = managerOf(app, opts, tools);

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
  // As it was given, but not as the text of a boolean: 'false' would be true for the app.
  const { cleanOnStartUp } = opts;
  channel.cleanOnStartUp =
    typeof cleanOnStartUp === 'string' ? tools.cleanOnStartUp : cleanOnStartUp;
  channel.manager = manager || Object.freeze(copy(tools.manager));

  const beforeRpc = tools.rpcNoDelay ? createRpcNoDelay(app) : () => {};
  const { deliver, failAll, close, counts } = createDelivery(app, log, tools, beforeRpc);
  const { own, forgetAll, ...answers } = createAnswers(deliver, tools.failed);
  const fanOut = offerFanOut(app, tools.fanOut);
  const sids = createSids(app, log);
  if (tools.fanOut) {
    protectSessionMap(app);
  }
  // The addon returns whether an answer counts: only the first one does.
  const settle = (token, args) => {
    if (tools.settle(token, args)) {
      own(token, args);
    }
  };
  const sessions = createSessions(channel, app, log, tools, settle);
  const watches = createWatches(manager, tools);
  const host = {
    log,
    failure: tools.failure,
    watch: watches.watch,
    tellChanges: watches.tellChanges,
    ask: createAsk(opts, tools),
    copy,
    empty: () => [],
    meetSid: (sid) => {
      sids.meet(sid);
      sessions.used(sid);
    },
    ...createServers(app),
    ...answers,
    ...createEarly(channel, tools.failed),
    prepare,
    prepareOwn,
    // These run no code of the app: a call that it makes would get the same number.
    hold: (at, sids, route, msg, opts, callback, name, selection) => {
      sessions.usedAll(sids);
      answers.calls[at] = makePush(sids, route, msg, opts, selection, callback, name, false);
    },
    holdPrepared: (at, sids, route, msg, callback) => {
      const { opts, selection, name } = prepared;
      // Not to be kept alive until the next one.
      prepared.opts = undefined;
      prepared.selection = undefined;
      host.hold(at, sids, route, msg, opts, callback, name, selection);
    },
    holdOwn: (at, seq, sids, route, msg, opts, callback, uids, isSought, selection) => {
      tracing.look();
      const push = makePush(sids, route, msg, opts, selection, callback, undefined, uids === null);
      answers.calls[at] = push;
      // A frontend sends a message once for each time that it is given the uid.
      const users = uids && [...new Set(uids)];
      if (!isSought) {
        own(seq, [sids.map(() => users), []]);
        return;
      }
      sessions.find(sids, users).then(
        ({ lists, offline }) => {
          push.offline = offline;
          settle(seq, [lists, []]);
        },
        (err) => settle(seq, [[], [err]]),
      );
    },
    beginSessions: (token) => sessions.begin(token),
    endSessions: (token) => sessions.end(token),
    askOnline: (token, method, ...args) => sessions.ask(token, method, ...args),
    get sessions() {
      return sessions.stats();
    },
    get membership() {
      return sessions.members();
    },
    holdGroups: (at, sids, callback, names) => {
      answers.calls[at] = { sids, callback, names };
    },
    // In a microtask, so that all calls of a tick go to the store in one batch.
    soon: () => {
      tracing.look();
      resolved.then(tools.flush);
    },
    failPushes: () => failAll(() => tools.failure(failures.STOPPED, undefined, null)),
    close: () => {
      close();
      sessions.close();
      watches.close();
      forgetAll();
      sids.close();
    },
    counts,
    get fanOut() {
      return fanOut();
    },
    wait: (token, ms) =>
      ms > 0 ? setTimeout(tools.settle, ms, token, []) : setImmediate(tools.settle, token, []),
  };
  if (manager) {
    const execute = createCustomManager(manager, log, { ...tools, settle, meetSid: sids.meet });
    host.execute = (...args) => {
      tracing.look();
      return execute(...args);
    };
  }
  // A property by which the addon finds the host: Node-API has no registered symbols before version 9.
  Object.defineProperty(channel, '_host', { value: host });
};
