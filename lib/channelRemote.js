'use strict';

// Calls the framework's own remote (`sys.channelRemote`), which sends a push to the sessions of this process; RPCs from
// other servers call it too. pomelo's takes a callback, pinus's returns a promise. A push does here what the framework's
// own method does, for less; a remote that the app has replaced is called.

const { isGetByUid, isPushMessage, ownerOf } = require('./fanOut/originals');

/** The position of the message. Without one, the framework answers with an error. */
const MESSAGE = 1;

/**
 * Returns `{pushMessage(route, msg, uids, opts, answer), broadcast(route, msg, opts, answer)}`, or undefined if this
 * process has no such remote.
 */
module.exports = function channelRemote(app) {
  const found = find(app);
  return (
    found && {
      pushMessage(...args) {
        const service = args[MESSAGE] && ownService(found);
        if (service) push(found.app, service, ...args);
        else call(found, 'pushMessage', args);
      },
      broadcast: (...args) => call(found, 'broadcast', args),
    }
  );
};

function find(app) {
  const { sys } = app.components?.['__remote__']?.remote?.services || {};
  const remote = sys?.channelRemote || app.components?.['__channel__']?.channelRemote;
  return typeof remote?.pushMessage === 'function' ? remote : undefined;
}

/** Returns the service in which the framework's own `pushMessage` looks users up, or undefined if one of them is not its own. */
function ownService(remote) {
  if (!isPushMessage(remote.pushMessage, remote)) {
    return undefined;
  }
  const sessionService = remote.app.get('sessionService');
  const service = sessionService && ownerOf(sessionService, 'getByUid');
  return service && isGetByUid(service.getByUid, service) ? service : undefined;
}

/**
 * The framework's `pushMessage`, without its entry in the log at level debug and, for each user, the function that
 * pomelo's component puts before the session service.
 */
function push(app, service, route, msg, uids, opts, answer) {
  const failed = [];
  const found = [];
  for (const uid of uids) {
    const sessions = service.getByUid(uid);
    if (sessions) found.push(sessions);
    else failed.push(uid);
  }
  // Between two pushes the sessions leave the processor's caches. In a loop as short as this one, it waits for several at
  // the same time.
  const ids = [];
  for (const sessions of found) {
    for (let i = 0; i < sessions.length; i += 1) ids.push(sessions[i].id);
  }
  app.components['__connector__'].send(null, route, msg, ids, opts, (err) => answer(err, failed));
}

/** Calls the remote; throws what the remote throws. */
function call(remote, method, args) {
  const answer = args[args.length - 1];
  const given = remote[method](...args);
  if (typeof given?.then === 'function') {
    given.then(
      (failed) => answer(null, failed),
      (err) => answer(err || new Error('the frontend gave no reason')),
    );
  } else if (given !== undefined) {
    // pinus accepts a remote that returns no promise, with the same result.
    answer(null, given);
  }
}
