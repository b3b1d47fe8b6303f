'use strict';

// The push scheduler: what pomelo and pinus ask to send a message to sessions. Whom it is for is decided here as the
// framework's default scheduler, `direct`, does it; how it gets there is in sending.js.

const { fanOutOptions } = require('../native');
const callBack = require('../callBack');
const createLogger = require('../logger');
const stateOf = require('./apps');
const Message = require('./frames');
const createSending = require('./sending');

const FIELDS = ['deflateThreshold', 'maxBuffered', 'onSlow'];

module.exports = FanOutPushScheduler;

/** pomelo calls it without `new`, pinus with it. `opts` may have the fields of option `fanOut`. */
function FanOutPushScheduler(app, opts) {
  if (!(this instanceof FanOutPushScheduler)) {
    return new FanOutPushScheduler(app, opts);
  }
  const state = stateOf(app);
  const options = optionsOf(opts, state.options);
  this.app = app;
  const sending = createSending(options, state.counts, createLogger(app));
  Object.defineProperty(this, 'sending', { value: sending });
  state.schedulers += 1;
}

/** Those in `opts` win over those of the plugin. */
function optionsOf(opts, ofPlugin) {
  const fields = { ...ofPlugin };
  for (const field of FIELDS) {
    if (opts && opts[field] !== undefined) {
      fields[field] = opts[field];
    }
  }
  return fanOutOptions(fields);
}

FanOutPushScheduler.prototype.start = function start(cb) {
  return done(cb);
};

/** The frameworks call it with `cb`, or with `force` and `cb`. */
FanOutPushScheduler.prototype.stop = function stop(force, cb) {
  return done(typeof force === 'function' ? force : cb);
};

/** pomelo waits for the callback, pinus for the promise. */
function done(cb) {
  if (typeof cb === 'function') {
    process.nextTick(cb);
  }
  return Promise.resolve();
}

/** Sends `msg`, which is encoded, to the sessions `recvs`, or to all that a broadcast is for. */
FanOutPushScheduler.prototype.schedule = function schedule(reqId, route, msg, recvs, opts, cb) {
  const { type, isResponse, userOptions } = opts || {};
  if (type === 'broadcast') {
    broadcast(this, msg, userOptions || {});
  } else {
    push(this, msg, recvs || [], type === 'response' || isResponse);
  }
  if (cb) {
    process.nextTick(callBack, cb);
  }
};

function push({ app, sending }, msg, recvs, isResponse) {
  const sessionService = app.get('sessionService');
  const sessions = [];
  for (let i = 0; i < recvs.length; i += 1) {
    const session = sessionService.get(recvs[i]);
    if (session) {
      sessions.push(session);
    } else {
      // Which says so in the log.
      const send = () => sessionService.sendMessage(recvs[i], msg);
      sending.byFramework({ id: recvs[i], send }, msg, 'noSession');
    }
  }
  if (isResponse) {
    for (const session of sessions) sending.byFramework(session, msg, 'response');
  } else {
    sending.sendTo(sessions, new Message(msg));
  }
}

function broadcast({ app, sending }, msg, { binded, filterParam }) {
  const channelService = app.get('channelService');
  const sessionService = app.get('sessionService');
  const message = new Message(msg);
  const isFiltered = Boolean(channelService.broadcastFilter);
  const all = [];
  // Who receives it is asked after the filter, which may have closed the session.
  const add = (session, receivers) => {
    if (!isFiltered) {
      all.push(...receivers());
    } else if (channelService.broadcastFilter(session, msg, filterParam)) {
      // At once: when it is called for the next session, the filter may send something itself, or close one.
      sending.sendTo(receivers(), message);
    }
  };
  if (binded) {
    // For each session to all sessions of its user, as `direct` does it.
    sessionService.forEachBindedSession((session) =>
      add(session, () => sessionService.getByUid(session.uid) || []),
    );
  } else {
    sessionService.forEachSession((session) =>
      add(session, () => [sessionService.get(session.id)].filter(Boolean)),
    );
  }
  sending.sendTo(all, message);
}
