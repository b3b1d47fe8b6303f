'use strict';

// Calls the framework's own remote (`sys.channelRemote`), which sends a push to the sessions of this process; RPCs from
// other servers call it too. pomelo's takes a callback, pinus's returns a promise.

/** Returns `{push(route, msg, uids, opts, answer)}`, or undefined if this process has no such remote. */
module.exports = function channelRemote(app) {
  const found = find(app);
  return found && { push: (...args) => push(found, ...args) };
};

function find(app) {
  const { sys } = app.components?.['__remote__']?.remote?.services || {};
  const remote = sys?.channelRemote || app.components?.['__channel__']?.channelRemote;
  return typeof remote?.pushMessage === 'function' ? remote : undefined;
}

/** Calls the remote; throws what the remote throws. */
function push(remote, route, msg, uids, opts, answer) {
  const given = remote.pushMessage(route, msg, uids, opts, answer);
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
