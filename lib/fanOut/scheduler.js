'use strict';

// Class `FanOutPushScheduler`, which pomelo and pinus call to send a message to sessions. It selects the receivers as
// the framework's default scheduler, `direct`, does; sending.js sends the message to them.

const { fanOutOptions } = require('../native');
const callBack = require('../callBack');
const createLogger = require('../logger');
const stateOf = require('./apps');
const Message = require('./frames');
const { isServiceMethod, ownerOf } = require('./originals');
const createSending = require('./sending');

const FIELDS = ['deflateThreshold', 'maxBuffered', 'onSlow'];

module.exports = FanOutPushScheduler;

/** Called by pomelo without `new`, by pinus with it. `opts` may have fields of option `fanOut`. */
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

/** Merges the options: `opts` of the scheduler override those of the plugin. */
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

/** Called by the frameworks with `cb`, or with `force` and `cb`. */
FanOutPushScheduler.prototype.stop = function stop(force, cb) {
  return done(typeof force === 'function' ? force : cb);
};

/** Reports success both ways: pomelo waits for the callback, pinus for the promise. */
function done(cb) {
  if (typeof cb === 'function') {
    process.nextTick(cb);
  }
  return Promise.resolve();
}

/**
 * Sends `msg`, already encoded, to the sessions with the ids `recvs`, or to all sessions that a broadcast addresses.
 */
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
  if (!isServiceMethod(sessionService, 'sendMessage')) {
    for (const id of recvs) byService(sending, sessionService, 'sendMessage', id, msg);
    return;
  }
  const service = ownerOf(sessionService, 'get');
  const sessions = [];
  for (let i = 0; i < recvs.length; i += 1) {
    const session = service.get(recvs[i]);
    if (session) {
      sessions.push(session);
    } else {
      // `sendMessage` logs that the session does not exist.
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

/** Sends by a method of the session service that the app has replaced, as `direct` does: `of` is a session id or a uid. */
function byService(sending, sessionService, name, of, msg) {
  const isUser = name === 'sendMessageByUid';
  const count = isUser ? (sessionService.getByUid(of) || []).length : 1;
  const send = () => sessionService[name](of, msg);
  sending.byFramework({ id: isUser ? `of ${of}` : of, send }, msg, 'sessionService', count);
}

function broadcast({ app, sending }, msg, { binded, filterParam }) {
  const channelService = app.get('channelService');
  const sessionService = app.get('sessionService');
  const message = new Message(msg);
  const isFiltered = Boolean(channelService.broadcastFilter);
  const name = binded ? 'sendMessageByUid' : 'sendMessage';
  const isReplaced = !isServiceMethod(sessionService, name);
  const all = [];
  // The receivers are looked up after the filter has run, because it may close the session.
  const add = (session, receivers) => {
    if (isFiltered && !channelService.broadcastFilter(session, msg, filterParam)) {
      return;
    }
    if (isReplaced) {
      byService(sending, sessionService, name, binded ? session.uid : session.id, msg);
    } else if (isFiltered) {
      // Sent before the filter is called again: it may send something itself, or close a session.
      sending.sendTo(receivers(), message);
    } else {
      all.push(...receivers());
    }
  };
  if (binded) {
    // For each bound session the message goes to all sessions of its user, as with `direct`.
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
