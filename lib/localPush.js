'use strict';

// A pushing server that is a frontend itself has the members of its own sessions sent to directly, as the
// framework's own channels do: no RPC to itself. The answer comes asynchronously, as that of an RPC.

const channelRemote = require('./channelRemote');

/** Makes `local(sid)`: how to push to the sessions of this process, or undefined if `sid` is another. */
module.exports = function createLocalPush(app) {
  return function local(sid) {
    const remote = found(app, sid);
    return remote && ((...args) => push(remote, ...args));
  };
};

function found(app, sid) {
  try {
    const { serverId } = app;
    const isOwn = serverId !== undefined && serverId !== null && String(serverId) === sid;
    return isOwn ? channelRemote(app) : undefined;
  } catch {
    // A getter of an app or framework that we do not know: by RPC, then.
    return undefined;
  }
}

function push(remote, route, msg, uids, opts, callback) {
  const answer = (err, failed) => process.nextTick(callback, err, failed);
  try {
    remote.push(route, msg, uids, opts, answer);
  } catch (err) {
    answer(err || new Error('the push threw'));
  }
}
