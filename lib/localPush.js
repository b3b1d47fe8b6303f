'use strict';

// Delivers the part of a push for this server's own sessions, if it is a frontend itself: directly, without an RPC to
// itself, as the framework's own channels do. The result is reported asynchronously, like that of an RPC.

const channelRemote = require('./channelRemote');

/** Makes `local(sid)`, which returns the push to this process's sessions, or undefined if `sid` is another server. */
module.exports = function createLocalPush(app) {
  return function local(sid) {
    const remote = found(app, sid);
    return remote && ((method, args, callback) => call(remote, method, args, callback));
  };
};

function found(app, sid) {
  try {
    const { serverId } = app;
    const isOwn = serverId !== undefined && serverId !== null && String(serverId) === sid;
    return isOwn ? channelRemote(app) : undefined;
  } catch {
    // A getter of the app or framework threw: an RPC is made instead.
    return undefined;
  }
}

function call(remote, method, args, callback) {
  const answer = (err, failed) => process.nextTick(callback, err, failed);
  try {
    remote[method](...args, answer);
  } catch (err) {
    answer(err || new Error('the push threw'));
  }
}
