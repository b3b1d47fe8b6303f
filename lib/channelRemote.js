'use strict';

// The framework's own remote that sends a push to the sessions of this process: what an RPC from
// another server reaches. pomelo's takes a callback, pinus's returns a promise.

/** `{push(route, msg, uids, opts, answer)}`, or undefined if this process has no such remote. */
module.exports = function channelRemote(app) {
  const found = find(app);
  return found && { push: (...args) => push(found, ...args) };
};

function find(app) {
  const { sys } = app.components?.['__remote__']?.remote?.services || {};
  const remote = sys?.channelRemote || app.components?.['__channel__']?.channelRemote;
  return typeof remote?.pushMessage === 'function' ? remote : undefined;
}

/** May throw, as the remote may. */
function push(remote, route, msg, uids, opts, answer) {
  const given = remote.pushMessage(route, msg, uids, opts, answer);
  if (typeof given?.then === 'function') {
    given.then(
      (failed) => answer(null, failed),
      (err) => answer(err || new Error('the frontend gave no reason')),
    );
  } else if (given !== undefined) {
    // As pinus takes it from a remote that makes no promise.
    answer(null, given);
  }
}
