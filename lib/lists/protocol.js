'use strict';

// The protocol of names for lists, between a pushing server (naming.js, link.js) and a frontend (remote.js): a remote
// of our own on the frontend, called through the framework's RPC.
//
// Each push carries a token of the frontend's process and one of the pusher's, so that a number is never mistaken for
// one of another process, and an *epoch* of the pusher. A frontend that does not have the list of a push refuses it,
// delivers nothing, and refuses all later pushes of that epoch too. The pusher then sends all of them again, in their
// order, in the next epoch.

const crypto = require('crypto');

const NAMESPACE = 'globalChannel';
const SERVICE = 'lists';
const VERSION = 1;

/** The errors of the dispatchers of pomelo-rpc and pinus-rpc for a remote that does not exist. */
const NOT_THERE = new RegExp(
  `^(Error: )?no such (namespace:${NAMESPACE}|service:${SERVICE}|method:(hello|push))(\\s|$)`,
);

/** Limits, which tests change. Bytes are estimates of the memory used. */
const limits = {
  /** What a pushing server keeps of the lists that frontends have. */
  pusherBytes: 32 << 20,
  /** What a frontend keeps of the lists of all pushing servers. */
  frontendBytes: 32 << 20,
  /** A list of fewer bytes is sent with each push. */
  longBytes: 2048,
  /** How long new pushes wait at most for the refusals of earlier ones, in ms. */
  holdMs: 5000,
  /** How long after a failed `hello` the next one is sent, in ms; an unanswered one is repeated after three times that. */
  askAgainMs: 10000,
};

/** Asks whether the frontend takes names: `(version, pusher, serverId)`, answered with a welcome. */
const hello = (...args) => ({ namespace: NAMESPACE, service: SERVICE, method: 'hello', args });

/**
 * Pushes a message: `(token, pusher, epoch, route, msg, opts, number, list, base, removed, added, except)`. With `number`
 * alone the frontend has the list. With `list` it keeps the list under the number, unless that is 0. With `base` the list
 * is that of number `base` with some uids removed and some added, and replaces it. The uids `except` are left out of this
 * push only. What is not there is null, or missing at the end.
 */
const push = (args) => ({ namespace: NAMESPACE, service: SERVICE, method: 'push', args });

/** The position of `except` behind `opts`. */
const EXCEPT = 5;

const welcome = (token) => ({ globalChannelLists: VERSION, token, maxBytes: limits.frontendBytes });
const refusal = (token) => ({ globalChannelLists: VERSION, token, refused: true });
const delivered = (failed) => ({ globalChannelLists: VERSION, failed });

/**
 * Returns whether an answer is one of these three. Stubs and wrappers of `rpcInvoke` may report success for any call.
 */
function isOurs(answer) {
  return typeof answer === 'object' && answer !== null && answer.globalChannelLists === VERSION;
}

/** Returns whether an answer says that nothing was delivered. Every later version has to say it in these two fields. */
function isRefusal(answer) {
  return (
    typeof answer === 'object' &&
    answer !== null &&
    typeof answer.globalChannelLists === 'number' &&
    answer.refused === true
  );
}

/** Returns whether an RPC's error says that there is no such remote, so that nothing was delivered. */
function isNotThere(err) {
  const text = typeof err === 'object' && err !== null ? err.stack || err.message : err;
  return typeof text === 'string' && NOT_THERE.test(text);
}

/** Makes the token of a frontend's or pusher's process. */
const newToken = () => crypto.randomBytes(9).toString('base64');

/** Estimates the memory that a list takes. */
function bytesOf(uids) {
  let bytes = 0;
  for (const uid of uids) {
    bytes += 32 + (typeof uid === 'string' ? uid.length : 0);
  }
  return bytes;
}

module.exports = {
  EXCEPT,
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
