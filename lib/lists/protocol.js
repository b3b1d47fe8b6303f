'use strict';

// How a pushing server and a frontend talk about lists of uids: a remote of our own on the
// frontend, called through the framework's RPC. The pusher is link.js, the frontend remote.js.
//
// Each push carries the token of the frontend's start and that of the pusher's, so that no number is
// ever taken for one of another process; and an *epoch* of the pusher. A frontend that cannot do a
// push refuses it, delivers nothing, and refuses what follows in that epoch too: the pusher then
// sends all of them again, in their order, in the next epoch.

const crypto = require('crypto');

const NAMESPACE = 'globalChannel';
const SERVICE = 'lists';
const VERSION = 1;

/** What the dispatchers of pomelo-rpc and pinus-rpc say when they have not found a remote. */
const NOT_THERE = new RegExp(
  `^(Error: )?no such (namespace:${NAMESPACE}|service:${SERVICE}|method:(hello|push))(\\s|$)`,
);

/** Tests change them. What each end keeps is in bytes of memory, as estimated. */
const limits = {
  /** A pushing server, of the lists that frontends have. */
  pusherBytes: 32 << 20,
  /** A frontend, of the lists of all pushing servers. */
  frontendBytes: 32 << 20,
  /** Uids of fewer bytes are sent each time. */
  longBytes: 2048,
  /** How long new pushes wait at most for the refusals of those before, in ms. */
  holdMs: 5000,
};

/** `(version, pusher, serverId)`, answered with a welcome. */
const hello = (...args) => ({ namespace: NAMESPACE, service: SERVICE, method: 'hello', args });

/**
 * `(token, pusher, epoch, route, msg, opts, number, list, base, removed, added)`. With a number only,
 * the frontend has the list. With a list, it is kept under the number, unless that is 0. Else it is the
 * list `base` with some uids removed and some added, and takes its place.
 */
const push = (args) => ({ namespace: NAMESPACE, service: SERVICE, method: 'push', args });

const welcome = (token) => ({ globalChannelLists: VERSION, token, maxBytes: limits.frontendBytes });
const refusal = (token) => ({ globalChannelLists: VERSION, token, refused: true });
const delivered = (failed) => ({ globalChannelLists: VERSION, failed });

/** Whether an answer is one of these three: stubs and wrappers of `rpcInvoke` say yes to anything. */
function isOurs(answer) {
  return typeof answer === 'object' && answer !== null && answer.globalChannelLists === VERSION;
}

/** Whether an answer says that nothing was delivered. Versions to come say it in these two fields, too. */
function isRefusal(answer) {
  return (
    typeof answer === 'object' &&
    answer !== null &&
    typeof answer.globalChannelLists === 'number' &&
    answer.refused === true
  );
}

/** Whether an RPC's error says that there is no such remote, so that nothing was delivered. */
function isNotThere(err) {
  const text = typeof err === 'object' && err !== null ? err.stack || err.message : err;
  return typeof text === 'string' && NOT_THERE.test(text);
}

/** Of one start of one end. */
const newToken = () => crypto.randomBytes(9).toString('base64');

/** What a list takes in memory, about. */
function bytesOf(uids) {
  let bytes = 0;
  for (const uid of uids) {
    bytes += 32 + (typeof uid === 'string' ? uid.length : 0);
  }
  return bytes;
}

module.exports = {
  NAMESPACE,
  SERVICE,
  VERSION,
  bytesOf,
  delivered,
  hello,
  isNotThere,
  isOurs,
  isRefusal,
  limits,
  newToken,
  push,
  refusal,
  welcome,
};
