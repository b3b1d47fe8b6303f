'use strict';

// Calls the framework's own remote (`sys.channelRemote`), which sends a push to the sessions of this process; RPCs from
// other servers call it too. pomelo's takes a callback, pinus's returns a promise.

/**
 * Returns `{pushMessage(route, msg, uids, opts, answer), broadcast(route, msg, opts, answer)}`, or undefined if this
 * process has no such remote.
 */
module.exports = function channelRemote(app) {
  const found = find(app);
  return (
    found && {
      pushMessage: (...args) => call(found, 'pushMessage', args),
      broadcast: (...args) => call(found, 'broadcast', args),
    }
  );
};

function find(app) {
  const { sys } = app.components?.['__remote__']?.remote?.services || {};
  const remote = sys?.channelRemote || app.components?.['__channel__']?.channelRemote;
  return typeof remote?.pushMessage === 'function' ? remote : undefined;
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
